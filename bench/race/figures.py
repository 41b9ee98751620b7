"""What sallyport takes without a rival: memory, and the time to the first answer."""
import time

from . import load, process, server


def read_shape(shape, key):
    return shape.file.read_bytes().replace(b"{key}", key)


def first_verified(gate, options):
    """Seconds from the start of the process to the first key that was let in."""
    key = (options.keyset / "keys.txt").open("rb").readline().strip()
    shape = gate.verify()
    began = time.monotonic()
    gate.start()
    while '"valid":true' not in server.ask(gate.port, read_shape(shape, key)):
        if time.monotonic() - began > server.ANSWERS_WITHIN_S:
            raise RuntimeError("sallyport lets no key in")
    return time.monotonic() - began


def measure(gate, options):
    """Leaves the server running, with every key of the set in its memory."""
    found = {"start_s": []}
    for _ in range(options.rounds):
        gate.stop()
        found["start_s"].append(first_verified(gate, options))
    found["idle_bytes"] = process.pss_bytes(gate.roots)
    shape = gate.verify()
    # Connections and arenas first, so that what is added afterwards is the keys.
    load.paced(shape, options.keyset / "malformed.mix", gate.roots, options.connections, 1, 1000)
    before = process.pss_bytes(gate.roots)
    first = load.each_once(shape, options.keyset / "good.mix", gate.roots, options.connections)
    after = process.pss_bytes(gate.roots)
    found.update(first_use=first, filled_bytes=after,
                 bytes_per_key=(after - before) / options.keys)
    # Until the limited keys have had what is theirs.
    load.each_once(shape, options.keyset / "limited.mix", gate.roots, options.connections)
    return found
