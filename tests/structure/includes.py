#!/usr/bin/env python3
"""Includes point one way: app -> capabilities -> http -> store -> decide -> crypto -> base.

A capability sees another only through its one header (keys/keys.h), and without cycles.
Prints each line that points the wrong way, and exits 1 if there is one.
"""
import pathlib
import re
import sys

LAYERS = ["base", "crypto", "decide", "store", "http"]  # from the ground up
ROOT = pathlib.Path(__file__).resolve().parents[2] / "src"

faults = []
seen = {}  # capability -> capabilities it includes


def layer(folder):
    if folder in LAYERS:
        return LAYERS.index(folder)
    return 100 if folder == "app" else 50


for path in sorted(ROOT.rglob("*.[ch]")):
    folder = path.relative_to(ROOT).parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'#include "([a-z_]+)/([a-z_]+)\.h"', line)
        if not match or match[1] == folder:
            continue
        to, header = match[1], match[2]
        where = f"{path.relative_to(ROOT.parent)}:{number}"
        if layer(to) > layer(folder):
            faults.append(f"{where}: {folder}/ must not know {to}/")
        elif layer(to) == 50 and header != to:
            faults.append(f"{where}: only {to}/{to}.h may be included from outside {to}/")
        elif layer(to) == 50 and layer(folder) == 50:
            seen.setdefault(folder, set()).add(to)


def cycle_from(start, at, path):
    for to in sorted(seen.get(at, ())):
        if to == start:
            faults.append("cycle: " + " -> ".join(path + [to]))
        elif to not in path:
            cycle_from(start, to, path + [to])


for capability in sorted(seen):
    cycle_from(capability, capability, [capability])

for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
