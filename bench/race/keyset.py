"""The keys of a race: the same for sallyport and every rival, and the same in each run.

A key set is a folder: keys.txt and limited.txt (one key a line), digests.txt (their SHA-256, for who
stores no texts), and for the load one file for each mix, where each line is the class of a key and
its text: g good, u unknown (well-formed), m malformed, l one whose limit is used up.
"""
import hashlib
import random
import zlib

from .paths import OUT

LIMITED = 100
MIXED = {"g": 94, "u": 3, "m": 3}  # parts in a hundred
MIXES = {"good": "g", "unknown": "u", "malformed": "m", "limited": "l", "mixed": "gum"}
PREFIX = "mt_live_"


def with_checksum(text):
    return text + f"{zlib.crc32(text.encode()):08x}"


def a_key(dice):
    return with_checksum(PREFIX + dice.randbytes(28).hex())


def spoil(dice, key):
    """As long as a key and none: another environment, upper case, a wrong character, no hex."""
    at = dice.randrange(len(PREFIX), len(key))
    other = "0" if key[at] != "0" else "1"
    return dice.choice([
        "mt_test_" + key[len(PREFIX):],
        PREFIX + key[len(PREFIX):].upper(),
        key[:at] + other + key[at + 1:],
        key[:at] + "x" + key[at + 1:],
    ])


def mix_of(dice, classes):
    lines = []
    most = max(len(keys) for keys in classes.values())
    for letter, parts in MIXED.items():
        keys = classes[letter]
        wanted = most * parts // MIXED["g"]
        lines += [letter + key for key in (keys if wanted >= len(keys) else keys[:wanted])]
    dice.shuffle(lines)
    return lines


def write_lines(path, lines):
    path.write_text("".join(line + "\n" for line in lines))


def make(count):
    """The folder of a set of so many good keys; made once."""
    folder = OUT / f"keys-{count}"
    if (folder / "whole").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(count)
    other = min(count, 100_000)
    good = [a_key(dice) for _ in range(count)]
    classes = {
        "g": good,
        "u": [a_key(dice) for _ in range(other)],
        "m": [spoil(dice, good[i]) for i in range(other)],
        "l": [a_key(dice) for _ in range(LIMITED)],
    }
    write_lines(folder / "keys.txt", good)
    write_lines(folder / "limited.txt", classes["l"])
    write_lines(folder / "digests.txt", (hashlib.sha256(key.encode()).hexdigest() for key in good))
    for mix, letters in MIXES.items():
        lines = mix_of(dice, classes) if mix == "mixed" else [letters + k for k in classes[letters]]
        write_lines(folder / f"{mix}.mix", lines)
    (folder / "whole").touch()
    return folder
