"""The loads, and what they found.

wrk makes as many requests as the server takes; h2load does so too, with one key, as a second
opinion of another author. bench/load makes a given number a second, charges
each from the time it was due, and counts what became of each class of keys.
"""
import json
import os
import re
import subprocess
import tempfile

from . import process
from .paths import LOAD, WRK_SCRIPT


class Shape:
    """A request with a place for the key, and what a server answers to each class of keys."""

    def __init__(self, folder, name, port, text, passes=None):
        self.port = port
        self.passes = passes
        self.file = folder / f"{name}.request"
        self.file.write_bytes(text.encode())


def measured(roots, run):
    """What run() printed, with what it cost the server and the load itself."""
    before, threads = process.cpu_seconds(roots), process.thread_seconds(roots)
    children = os.times()
    found = json.loads(run().strip().splitlines()[-1])
    after = os.times()
    found["cpu_us"] = (process.cpu_seconds(roots) - before) * 1e6 / max(1, found["requests"])
    found["load_cpu_us"] = (
        (after.children_user + after.children_system - children.children_user
         - children.children_system) * 1e6 / max(1, found["requests"]))
    spent = sorted((now - threads.get(name, 0)
                    for name, now in process.thread_seconds(roots).items()), reverse=True)[:2]
    found["busiest_thread"] = spent[0] / sum(spent) if sum(spent) > 0 else 0
    return found


def output_of(command, **env):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **env}).stdout


def flat_out(shape, keys, roots, connections, seconds):
    return measured(roots, lambda: output_of(
        ["wrk", "-t2", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", WRK_SCRIPT,
         f"http://127.0.0.1:{shape.port}/"],
        REQUEST=str(shape.file), KEYS=str(keys)))


def second_opinion(shape, keys, connections, seconds):
    """Requests a second, by h2load over HTTP/1.1, all with the first key of the file."""
    key = keys.open("rb").readline()[1:].strip()
    head, _, body = shape.file.read_bytes().replace(b"{key}", key).decode().partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    fields = [f for f in fields if not f.lower().startswith(("host:", "content-length:"))]
    command = ["h2load", "--h1", "-t2", f"-c{connections}", f"-D{max(1, round(seconds))}"]
    for field in fields:
        command += ["-H", field]
    if body:
        with tempfile.NamedTemporaryFile("w", suffix=".body") as file:
            file.write(body)
            file.flush()
            return rate_of(output_of([*command, "-d", file.name, url_of(shape, line)]))
    return rate_of(output_of([*command, url_of(shape, line)]))


def url_of(shape, line):
    return f"http://127.0.0.1:{shape.port}{line.split()[1]}"


def rate_of(text):
    return float(re.search(r"finished in .*?, ([0-9.]+) req/s", text)[1])


def own(shape, keys, connections, *options):
    command = [LOAD, "--connections", str(connections), *options]
    if shape.passes:
        command += ["--passes", shape.passes]
    return output_of([*command, str(shape.port), str(shape.file), str(keys)])


def paced(shape, keys, roots, connections, seconds, rate):
    return measured(roots, lambda: own(shape, keys, connections,
                                       "--seconds", str(seconds), "--rate", str(rate)))


def each_once(shape, keys, roots, connections=64):
    """Every key of the file once: fills what a server keeps in memory."""
    return measured(roots, lambda: own(shape, keys, connections, "--once"))
