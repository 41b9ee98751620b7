#!/usr/bin/env python3
"""settings-md.py [--check]: write docs/settings.md from contracts/config.def and issuer.def.

With --check nothing is written; the exit code is 1 if the page is not what the table says.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "contracts/config.def"
ISSUERS = ROOT / "contracts/issuer.def"
PAGE = ROOT / "docs/settings.md"

STRING = r'"((?:[^"\\]|\\.)*)"'
SETTING = re.compile(
    r"(?:ISSUER_)?SETTING\((\w+), (\w+), " + ", ".join([STRING] * 5) + r"\)"
)
RELOADS = re.compile(r"RELOADS\((\w+)\)")
HEADING = re.compile(r"/\* ---- (.+) ---- \*/")

HEAD = """# Settings

<!-- Written by script/lib/settings-md.py from contracts/config.def and issuer.def; do not edit. -->

A setting is taken from its flag, else from the environment, else from the file `sallyport.conf`, else
it has its default:

```
flag          sallyport serve --session-lifetime 8h
environment   SALLYPORT_SESSION_LIFETIME=8h sallyport serve
file          session_lifetime = 8h
```

- `--config FILE`, or `SALLYPORT_CONFIG`, names another file, which must then exist.
- In the file, each line is `name = value`; a line that starts with `#` or `;` is a comment.
  Everything after the `=` is the value, without the spaces around it: there are no quotes, no
  comments behind a value. The only sections are those of [issuers](#issuers), at the end.
- Times are a number and `ms`, `s`, `m`, `h` or `d`; sizes a number and `B`, `KiB`, `MiB` or `GiB`.
- A setting that is given twice in one place, a name that is not a setting, and a variable
  `SALLYPORT_…` that is none are errors. All errors are told at once, each with its place and what
  would be valid, and nothing starts (exit code 2).
- Passwords are wiped from the command line and the environment of the process once they are read,
  and from its memory once they have been used. The shell's history and the file stay as they are:
  prefer the environment, or a file that only the server's user may read.
- Settings are read at the start. Those marked *reloads* are read again from the file on SIGHUP
  (`systemctl reload sallyport`, see [operating.md](operating.md#settings-without-a-restart)); a
  change of the others takes a restart.
- `sallyport.conf` is looked for in the folder that the program is started in, then in
  `/etc/sallyport`.

`sallyport config` shows every setting with the value in force and where it is from.
"""


ISSUERS_HEAD = """## Issuers

Who else may sign people in: see [sign-in.md](sign-in.md). Each issuer is a section `[issuer NAME]` of
the file, below all other settings, or variables `SALLYPORT_ISSUER_NAME_SETTING`; there are no flags.

```
[issuer clerk]
kind = clerk
issuer = https://clerk.example.org
authorized_parties = https://app.example.org
```
"""


def read_table(table, groups):
    """[(heading, [row])], in the order of the table."""
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        heading, setting = HEADING.fullmatch(line), SETTING.fullmatch(line)
        if heading:
            groups.append((heading[1], []))
        elif setting:
            groups[-1][1].append(setting.groups())
        elif line.startswith(("SETTING", "ISSUER_SETTING")):
            sys.exit(f"{table}:{number}: cannot read this line")
    return groups


def read_reloads():
    return set(RELOADS.findall(TABLE.read_text(encoding="utf-8"))) - {"name"}


def valid(kind, unit, least, most):
    if kind in ("CHOICE", "BOOL"):
        return ", ".join(f"`{word}`" for word in re.split(r"\||\ or\ ", unit))
    if kind in ("TEXT", "SECRET"):
        return f"{unit}, {least} to {most} bytes"
    if kind == "LIST":
        return f"{unit} with commas or spaces between, {most} at most"
    what = {"DURATION": "", "BYTES": ""}.get(kind, f" ({unit})")
    return f"{least} to {most}{what}"


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def page():
    lines = [HEAD]
    reloads = read_reloads()
    groups = read_table(TABLE, []) + read_table(ISSUERS, [(None, [])])
    for heading, rows in groups:
        lines += [f"## {heading}" if heading else ISSUERS_HEAD.rstrip(), "", "| setting | default | valid | meaning |", "|---|---|---|---|"]
        for name, kind, default, unit, least, most, meaning in rows:
            shown = f"`{default}`" if default else "not set"
            lines.append(
                f"| `{name}` | {shown} | {cell(valid(kind, unit, least, most))} | {cell(meaning)}"
                f"{' *Reloads.*' if name in reloads else ''} |"
            )
        lines.append("")
    return "\n".join(lines)


def main(args):
    if args not in ([], ["--check"]):
        sys.exit(__doc__)
    text = page()
    if not args:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is not what {TABLE} says; run script/lib/settings-md.py")


if __name__ == "__main__":
    main(sys.argv[1:])
