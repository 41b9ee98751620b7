"""One race: ours and a rival by turns (A B A B), each turn as fast as it goes and then at a pace."""
import statistics

from . import load, process

PACE = 0.7  # of the turn's own maximum
WARM_S = 1
WARM_RATE = 500
# Some rivals cannot tell all faults of a key (nginx compares without case), or let one call through
# each minute; one that mostly answers something else is not in the race.
WRONG_MOST = 0.3


def wrong_share(found, shape, expects):
    """The part of the calls that got another answer than they should, or none."""
    right = 0
    for letter, counts in found["classes"].items():
        answered = counts.get(str(expects[letter]), 0)
        if not shape.passes:
            right += answered
        else:  # the body says whether the key passes
            right += counts["passed"] if letter == "g" else answered - counts["passed"]
    return 1 - right / max(1, found["requests"] + found["errors"])


def warm_up(contender, shape, keys, options):
    found = load.paced(shape, keys, contender.roots, options.connections, WARM_S, WARM_RATE)
    wrong = wrong_share(found, shape, contender.expects)
    if wrong > WRONG_MOST:
        raise RuntimeError(f"{contender.name} answers {found['classes']}, "
                           f"{found['errors']} errors, and {contender.expects} is right")


def turn(contender, shape, keys, options):
    fast = load.flat_out(shape, keys, contender.roots, options.connections, options.seconds)
    paced = load.paced(shape, keys, contender.roots, options.connections, options.seconds,
                       max(1, int(fast["rate"] * PACE)))
    paced["wrong"] = wrong_share(paced, shape, contender.expects)
    found = {"fast": fast, "paced": paced, "pss_bytes": process.pss_bytes(contender.roots)}
    if keys.stem == "good":
        rate = load.second_opinion(shape, keys, options.connections, options.seconds)
        found["h2load"] = {"rate": rate}
    return found


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def ratios(ours, theirs, part, name):
    """By pairs of neighbouring turns, so that what else the machine does weighs on both."""
    return spread([a[part][name] / b[part][name] for a, b in zip(ours, theirs)
                   if b.get(part, {}).get(name)] or [0])


def run(ours, rival, mix, options):
    """None: the rival cannot tell this class of keys."""
    keys = options.keyset / f"{mix}.mix"
    letters = {"mixed": "gum"}.get(mix, mix[0])
    if not set(letters) <= set(rival.expects):
        return None
    pair = (ours, rival)
    shapes = [contender.shape() for contender in pair]
    for contender, shape in zip(pair, shapes):
        warm_up(contender, shape, keys, options)
    turns = ([], [])
    for _ in range(options.rounds):
        for contender, shape, list_of in zip(pair, shapes, turns):
            list_of.append(turn(contender, shape, keys, options))
    return {
        "ours": ours.name, "rival": rival.name, "mix": mix, "turns": dict(zip("ab", turns)),
        "rate_ratio": ratios(*turns, "fast", "rate"),
        "cpu_ratio": ratios(*turns, "fast", "cpu_us"),
        "h2load_ratio": ratios(*turns, "h2load", "rate"),
    }
