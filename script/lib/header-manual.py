#!/usr/bin/env python3
"""header-manual.py HEADER OUT: libsallyport(3) from the public header, which is the reference."""
import pathlib
import re
import sys

SECTION = re.compile(r"/\* ---- (.+) ---- \*/")
VERSION = re.compile(r'SALLYPORT_VERSION_TEXT\s+"(.+)"')
GUARDS = ("#if", "#endif", "#include", "#pragma", "#define SALLYPORT_H")
# "SALLYPORT_FULL     the digest is new": a name, two spaces or more, and what it means.
TERM = re.compile(r"(\w+)  +(\S.*)")


def escape(text):
    """groff_man(7): a backslash, a hyphen that is one, and a full stop or quote that begins a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def example(lines):
    return [".PP", ".nf", ".ft CW"] + [escape(line) for line in lines] + [".ft", ".fi"]


def prose(comment):
    """The lines of a comment: paragraphs, terms, and what is indented as it stands."""
    out = []
    for paragraph in "\n".join(comment).strip("\n").split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0].startswith("    "):
            out += example(lines)
            continue
        out.append(".PP")
        for line in lines:
            term = TERM.fullmatch(line)
            if term:
                out += [".TP", ".B " + escape(term[1]), escape(term[2])]
            else:
                out.append(escape(line.strip()))
    return out


def comment_of(block):
    """The comment that a block opens with, without its stars, and the lines after it."""
    if not block[0].startswith("/*"):
        return [], block
    end = next(i for i, line in enumerate(block) if line.endswith("*/"))
    text = [re.sub(r"^ ?/?\*+/?  ?|^ \*$", "", line) if i else line for i, line in enumerate(block[: end + 1])]
    text[0] = text[0].removeprefix("/*").strip()
    text = [line.rstrip().removesuffix("*/").rstrip() for line in text]
    kept = [re.sub(r"^ \* ?", "", line) for line in text]
    return kept, block[end + 1 :]


def blocks_of(text):
    """Parts between empty lines; an empty line inside braces or a comment parts nothing."""
    block, depth, is_comment = [], 0, False
    for line in text.split("\n"):
        if not line and depth == 0 and not is_comment:
            if block:
                yield block
            block = []
            continue
        block.append(line)
        is_comment = (is_comment or line.lstrip().startswith("/*")) and "*/" not in line
        if not line.startswith('extern "C"'):
            depth += max(line.count("{") - line.count("}"), -depth)
    if block:
        yield block


def is_shown(line):
    return not line.startswith((*GUARDS, 'extern "C"')) and line != "}"


def page(text):
    opening, *blocks = blocks_of(text)
    version = VERSION.search(text)[1]
    out = [
        f'.TH LIBSALLYPORT 3 "" "sallyport {version}"',
        ".SH NAME",
        "libsallyport \\- API keys judged in your own process",
        ".SH SYNOPSIS",
        ".nf",
        ".B #include <sallyport.h>",
        ".fi",
        ".PP",
        ".nf",
        "cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs libsallyport)",
        ".fi",
        ".SH DESCRIPTION",
    ]
    comment, rest = comment_of(opening)
    out += prose(comment)
    for block in [rest] + blocks if rest else blocks:
        section = SECTION.fullmatch(block[0])
        if section:
            out.append(".SH " + escape(section[1]).upper())
            block = block[1:]
        if not block:
            continue
        comment, code = comment_of(block)
        code = [line for line in code if is_shown(line)]
        while code and not code[0]:
            code.pop(0)
        if code:
            out += example(code)
        if comment and "".join(comment).strip():
            out += prose(comment)
    out += [".SH SEE ALSO", ".BR sallyport (1)"]
    return "\n".join(out) + "\n"


def main(header, out):
    pathlib.Path(out).write_text(page(pathlib.Path(header).read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
