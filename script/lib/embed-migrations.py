#!/usr/bin/env python3
"""embed-migrations.py OUT.c FILE...: write numbered migrations as the array of store/migrate.h.

A file is named 0001_first.sql; the numbers start at 1 and have no gaps. Where the engines need
different texts there are two files, 0001_first.sqlite.sql and 0001_first.postgres.sql.
"""
import pathlib
import re
import sys

NAME = re.compile(r"(\d{4})_([a-z0-9_]+)(\.sqlite|\.postgres)?\.sql")


def literal(line):
    out = []
    for byte in line.encode():
        c = chr(byte)
        if c in '"\\':
            out.append("\\" + c)
        elif " " <= c <= "~" and c != "?":
            out.append(c)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '\\n"'


def read(path):
    match = NAME.fullmatch(path.name)
    if not match:
        sys.exit(f"{path}: a migration is named like 0001_first.sql")
    text = path.read_text(encoding="utf-8")
    if "\0" in text or not text.strip():
        sys.exit(f"{path}: is empty, or has a NUL byte")
    return int(match[1]), match[2], match[3], text


def gather(paths):
    """[(number, name, {engine: text})], checked; the engine of a common text is None."""
    found = {}
    for number, name, engine, text in map(read, map(pathlib.Path, paths)):
        texts = found.setdefault((number, name), {})
        if engine in texts:
            sys.exit(f"migration {number} is there twice")
        texts[engine] = text
    for (number, name), texts in found.items():
        if set(texts) not in ({None}, {".sqlite", ".postgres"}):
            sys.exit(f"migration {number} ({name}) is one text for both engines, or one for each")
    if [number for number, _ in sorted(found)] != list(range(1, len(found) + 1)):
        sys.exit("migrations are numbered from 1 without gaps, each number once")
    return [(number, name, texts) for (number, name), texts in sorted(found.items())]


def literals(text):
    return ["     " + literal(line) for line in text.removesuffix("\n").split("\n")]


def main(out, paths):
    found = gather(paths)
    lines = [
        "/* Written by script/lib/embed-migrations.py; do not edit. */",
        '#include "store/migrate.h"',
        "",
        "/* Longer than ISO C promises to take; every compiler we build with takes it. */",
        '#pragma GCC diagnostic ignored "-Woverlength-strings"',
        "",
        "const struct migration migrations[] = {",
    ]
    for number, name, texts in found:
        lines.append(f'    {{{number}, "{name}",')
        if None in texts:
            lines += literals(texts[None]) + ["     , NULL},"]
        else:
            lines += literals(texts[".sqlite"]) + ["     ,"] + literals(texts[".postgres"]) + ["    },"]
    lines += ["};", f"const size_t n_migrations = {len(found)};", ""]
    pathlib.Path(out).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
