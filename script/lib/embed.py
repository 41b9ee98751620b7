#!/usr/bin/env python3
"""Write a file as a C array: embed.py HEADER NAME FILE OUT.c"""
import sys

header, name, path, out = sys.argv[1:]
data = open(path, "rb").read()
with open(out, "w") as c:
    c.write(f"/* Made from {path.rsplit('/', 1)[-1]}; not edited by hand. */\n")
    c.write(f'#include "{header}"\n\n')
    c.write(f"const unsigned char {name}[] = {{\n")
    for i in range(0, len(data), 20):
        c.write("    " + "".join(f"{b}," for b in data[i:i + 20]) + "\n")
    c.write(f"}};\n\nconst size_t {name}_bytes = {len(data)};\n")
