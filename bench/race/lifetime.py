"""script/bench lifetime: every key of a set is made, used, changed and revoked, in bounded memory.

The server holds a tenth of the keys in memory (key_cache_max), so that each stage pushes keys out all
the time. Its memory is told after each, and must not grow from the first stage with a full table on.
"""
import http.client
import json
import sqlite3
import threading

from . import load, process
from .sallyport import Sallyport

GROWS_MOST = 1.15  # of the memory after the first use of all keys …
AND_BYTES = 24e6  # … and what threads keep that have not worked before
REVOKERS = 16


class Stages:
    def __init__(self, gate):
        self.gate = gate
        self.first = None
        self.failed = 0

    def tell(self, name, what=""):
        now = process.pss_bytes(self.gate.roots)
        print(f"{name:32} {now / 1e6:8.1f} MB  {what}", flush=True)
        return now

    def full(self, name, what=""):
        now = self.tell(name, what)
        self.first = self.first or now
        most = self.first * GROWS_MOST + AND_BYTES
        if now > most:
            print(f"FAILED: that is more than {most / 1e6:.1f} MB")
            self.failed += 1

    def expect(self, found, passed):
        """Every key of the set was asked about once, and this many were let in."""
        counts = found["classes"]["g"]
        if counts["passed"] != passed or found["errors"]:
            print(f"FAILED: {counts}, {found['errors']} errors, and {passed} should pass")
            self.failed += 1


def session_of(gate):
    talk = http.client.HTTPConnection("127.0.0.1", gate.port)
    talk.request("POST", "/api/auth/login", json.dumps(gate.admin), {"Content-Type": "application/json"})
    reply = talk.getresponse()
    if reply.status != 200:
        raise RuntimeError(f"signing in: {reply.status} {reply.read()}")
    return reply.getheader("set-cookie").partition(";")[0]


def revoke_some(gate, cookie, ids, wrong):
    talk = http.client.HTTPConnection("127.0.0.1", gate.port)
    for key_id in ids:
        talk.request("DELETE", f"/api/employer/api-keys/{key_id}", headers={"Cookie": cookie})
        reply = talk.getresponse()
        reply.read()
        if reply.status != 204:
            wrong.append(reply.status)


def revoke_all(gate):
    with sqlite3.connect(f"file:{gate.store}/sallyport.db?mode=ro", uri=True) as store:
        ids = [row[0] for row in store.execute("SELECT id FROM api_key WHERE revoked_at_ms = 0"
                                             " AND employer_id = (SELECT employer_id FROM person)")]
    cookie, wrong = session_of(gate), []
    parts = [threading.Thread(target=revoke_some, args=(gate, cookie, ids[i::REVOKERS], wrong))
             for i in range(REVOKERS)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    if wrong:
        raise RuntimeError(f"{len(wrong)} revocations failed, as with {wrong[0]}")
    return len(ids)


def run(options, folder):
    keyset = options.keyset
    gate = Sallyport(keyset, folder, store=folder / "store", key_cache_max=max(1000, options.keys // 10))
    good = keyset / "good.mix"
    gate.prepare()
    gate.start()
    stages = Stages(gate)
    try:
        stages.tell("all keys made, server started")
        for name in ("used", "used again"):
            found = load.each_once(gate.verify(), good, gate.roots, options.connections)
            stages.full(f"all {name}", f"{found['rate']:,.0f}/s")
            stages.expect(found, options.keys)
        stages.full("all revoked", f"{revoke_all(gate):,} of them")
        found = load.each_once(gate.verify(), good, gate.roots, options.connections)
        stages.full("all asked about once more", f"{found['rate']:,.0f}/s")
        stages.expect(found, 0)
        unknown = load.each_once(gate.verify(), keyset / "unknown.mix", gate.roots, options.connections)
        stages.full("unknown ones asked about", f"{unknown['rate']:,.0f}/s")
    finally:
        gate.stop()
    return stages.failed
