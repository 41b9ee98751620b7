"""script/bench NAME…: the races whose name contains one of the NAMEs; without one, all.

A race is named like verify/nginx-map: how sallyport is asked, and the rival. `figures` are
sallyport's memory and start, which are measured before any race; `uploads` are not of this program.
"""
import argparse
import pathlib
import sys
import tempfile

from . import figures, keyset, lifetime, race, report
from .contenders import ANY, Ours, Rival, RIVALS_BY_NAME, SHAPES
from .paths import OUT
from .sallyport import Sallyport

# The door does the work of a route after the decision, which most rivals have nothing like.
DOOR_RIVALS = ("nginx-return", "fastify")


def names():
    return [f"{shape}/{rival}" for rival in RIVALS_BY_NAME for shape in SHAPES
            if shape != "door" or rival in DOOR_RIVALS]


def read_options():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=5, help="of each turn, twice: flat out, paced")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--mixes", default=",".join(keyset.MIXES), help="classes of keys")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    parser.add_argument("--smoke", action="store_true",
                        help="two short races, to see that they run; their numbers mean nothing")
    options = parser.parse_args()
    if options.smoke:
        options.names, options.mixes = ["forward/nginx-return", "verify/nginx-map"], "good,malformed"
        options.seconds, options.rounds, options.connections = 1, 1, 8
        options.keys = report.SMOKE_KEYS
    options.mixes = [mix for mix in keyset.MIXES if mix in options.mixes.split(",")]
    options.races = [name for name in names()
                     if not options.names or any(part in name for part in options.names)]
    if options.names and not options.races and options.names not in (["figures"], ["lifetime"]):
        parser.error("no race has such a name; --list says which there are")
    return options


def mixes_for(rival, options):
    """Who does not look at the key answers every class alike."""
    return [mix for mix in options.mixes if mix == "good" or rival.expects is not ANY]


def run_rival(rival, gate, options, result):
    """All races against one rival; the rival runs through all of them."""
    failed = 0
    took = rival.start()
    print(f"{rival.name} answers after {took:.1f} s", file=sys.stderr)
    for shape in SHAPES:
        if f"{shape}/{rival.name}" not in options.races:
            continue
        for mix in mixes_for(rival, options):
            try:
                found = race.run(Ours(shape, gate), rival, mix, options)
            except RuntimeError as fault:
                print(f"FAILED {shape}/{rival.name}, {mix}: {fault}", file=sys.stderr)
                failed += 1
                continue
            if found:
                result["races"].append({**found, "rival_start_s": took})
                report.keep(result)
                print(f"{shape:8}" + "  ".join(report.row(found)), flush=True)
    return failed


def run_all(options, folder):
    gate = Sallyport(options.keyset, folder)
    gate.prepare()
    result = report.begin(options)
    failed = 0
    try:
        result["figures"] = figures.measure(gate, options)
        print("\n".join(report.figures_lines(result["figures"])), flush=True)
        for name in RIVALS_BY_NAME:
            if not any(race_name.endswith(f"/{name}") for race_name in options.races):
                continue
            rival = Rival(name, options.keyset, folder, gate)
            try:
                failed += run_rival(rival, gate, options, result)
            except RuntimeError as fault:
                print(f"FAILED {name}: {fault}", file=sys.stderr)
                failed += 1
            finally:
                rival.stop()
    finally:
        gate.stop()
    print("\n" + "\n".join(report.lines_of(result)))
    print(f"written to {report.keep(result)}")
    return failed


def main():
    options = read_options()
    if options.list:
        print("\n".join(options.races))
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    options.keyset = keyset.make(options.keys)
    run = lifetime.run if options.names == ["lifetime"] else run_all
    with tempfile.TemporaryDirectory(prefix="race-", dir=OUT) as folder:
        failed = run(options, pathlib.Path(folder))
        if options.smoke:
            failed += lifetime.run(options, pathlib.Path(folder))
    if options.docs:
        report.write_docs()
    return 1 if failed else 0


sys.exit(main())
