"""Results as tables: for the terminal, and for docs/performance.md between its two marks."""
import datetime
import json
import os
import pathlib
import platform
import statistics

from .contenders import RIVALS_BY_NAME
from .paths import DOC, OUT

BEGIN, END = "<!-- races: written by script/bench --docs -->\n", "<!-- /races -->\n"
SMOKE_KEYS = 1000
HEAD = ("rival", "keys", "ours/s", "rival/s", "ratio", "h2load's ratio", "ours µs", "rival µs",
        "ratio of µs", "ours p99 ms", "rival p99 ms", "rival MB", "rival wrong")


def machine():
    model = next(line.partition(": ")[2] for line in
                 pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name"))
    return f"{len(os.sched_getaffinity(0))} cores, {model}, {platform.release()}"


def median(turns, part, name):
    return statistics.median(turn[part][name] for turn in turns)


def with_spread(ratio):
    return f"{ratio['median']:.2f} ({ratio['least']:.2f}–{ratio['most']:.2f})"


def row(race):
    a, b = race["turns"]["a"], race["turns"]["b"]
    return (
        RIVALS_BY_NAME[race["rival"]][0], race["mix"],
        f"{median(a, 'fast', 'rate'):,.0f}", f"{median(b, 'fast', 'rate'):,.0f}",
        with_spread(race["rate_ratio"]),
        with_spread(race["h2load_ratio"]) if race["h2load_ratio"]["most"] else "",
        f"{median(a, 'fast', 'cpu_us'):.1f}", f"{median(b, 'fast', 'cpu_us'):.1f}",
        with_spread(race["cpu_ratio"]),
        f"{median(a, 'paced', 'p99_ms'):.2f}", f"{median(b, 'paced', 'p99_ms'):.2f}",
        f"{statistics.median(turn['pss_bytes'] for turn in b) / 1e6:.0f}",
        f"{median(b, 'paced', 'wrong') * 100:.1f} %",
    )


def table(races):
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    return lines + ["| " + " | ".join(row(race)) + " |" for race in races]


def heading(result):
    return (f"{result['keys']:,} keys; {result['date']}; {result['machine']}; {result['rounds']} "
            f"rounds of {result['seconds']} s as fast as it goes and {result['seconds']} s at 70 %; "
            f"{result['connections']} connections, {result['connections'] // 2} a thread")


def figures_lines(figures):
    starts = ", ".join(f"{s:.2f}" for s in figures["start_s"])
    first = figures["first_use"]
    return [
        f"- from the start of the process to the first verified key: {starts} s",
        f"- memory: idle {figures['idle_bytes'] / 1e6:.1f} MB, with every key used once "
        f"{figures['filled_bytes'] / 1e6:.1f} MB: {figures['bytes_per_key']:.0f} bytes a key",
        f"- first use of a key, which reads the store: {first['rate']:,.0f}/s, "
        f"{first['cpu_us']:.0f} µs, p99 {first['p99_ms']:.2f} ms",
    ]


def own_lines(races):
    """Ours alone, by class of keys: from the turns of all races."""
    lines = ["| keys | calls/s | µs a call | p50 ms | p99 ms | p99 ms at 70 % | busier thread |",
             "|" + " --- |" * 7]
    for mix in dict.fromkeys(race["mix"] for race in races):
        turns = [turn for race in races if race["mix"] == mix for turn in race["turns"]["a"]]
        fast = [f"{median(turns, 'fast', name):,.{digits}f}" for name, digits in
                (("rate", 0), ("cpu_us", 1), ("p50_ms", 2), ("p99_ms", 2))]
        lines.append(f"| {mix} | {' | '.join(fast)} | {median(turns, 'paced', 'p99_ms'):.2f} | "
                     f"{median(turns, 'fast', 'busiest_thread') * 100:.0f} % |")
    return lines


def lines_of(result):
    lines = [heading(result), ""]
    if result.get("figures"):
        lines += [*figures_lines(result["figures"]), ""]
    for ours in dict.fromkeys(race["ours"] for race in result["races"]):
        races = [race for race in result["races"] if race["ours"] == ours]
        lines += [f"**{ours}**", "", *own_lines(races), "", *table(races), ""]
    return lines


def keep(result):
    """After each race, so that what has been measured is there if the next one fails."""
    path = path_of(result["keys"])
    path.write_text(json.dumps(result, indent=1))
    return path


def write_docs():
    """The newest results of each key set, between the marks."""
    results = [json.loads(path.read_text()) for path in OUT.glob("results-*.json")]
    text = DOC.read_text()
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise RuntimeError(f"{DOC} has not the marks {BEGIN.strip()} and {END.strip()}")
    results = sorted((r for r in results if r["keys"] > SMOKE_KEYS), key=lambda r: r["keys"])
    lines = [line for result in results for line in lines_of(result)]
    DOC.write_text(before + BEGIN + "\n" + "\n".join(lines) + mark + after)


def path_of(keys):
    return OUT / f"results-{keys}.json"


def still_good(result, options):
    """What an earlier run of the same kind has, and this one does not race again."""
    path = path_of(options.keys)
    former = json.loads(path.read_text()) if path.exists() else {}
    if any(former.get(name) != result[name] for name in result if name != "races"):
        return []
    again = [(f"sallyport-{shape}", rival) for shape, rival in
             (name.split("/") for name in options.races)]
    return [race for race in former["races"]
            if (race["ours"], race["rival"]) not in again or race["mix"] not in options.mixes]


def begin(options):
    result = {"keys": options.keys, "rounds": options.rounds, "seconds": options.seconds,
              "connections": options.connections, "machine": machine(),
              "date": datetime.date.today().isoformat(), "races": []}
    result["races"] = still_good(result, options)
    return result
