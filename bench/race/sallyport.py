"""Our side: a store with the keys of a set, and the server on it.

The keys have all kinds of rules (a scope, an expiry, two address blocks, a limit), and each call
looks at all of them. `guess_limit` is off: the load has one address, and would be shut out.
"""
import hashlib
import json
import secrets
import sqlite3
import subprocess

from . import server
from .load import Shape
from .paths import ROOT, SALLYPORT

IMPORT_MAX = 10_000
CLIENT = "203.0.113.7"
RULES = {"name": "race", "scopes": ["cohort:read"], "expiresAt": "2099-12-31T23:59:59Z",
         "allowedIpCidrs": ["203.0.113.0/24", "127.0.0.0/8"]}
# Far above what one key is asked for here, and far below.
ROOMY = {"requests": 1_000_000, "windowSeconds": 60}
USED_UP = {"requests": 1, "windowSeconds": 86_400}


def schema():
    """Changes when a migration is added: then the store is made anew."""
    names = sorted(path.name for path in (ROOT / "src/store/migrations").iterdir())
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]


class Sallyport:
    def __init__(self, keyset, folder, store=None, **settings):
        self.keyset = keyset
        self.folder = folder
        self.store = store or keyset / f"store-{schema()}"
        self.admin = {"email": "bench@bench.example", "password": secrets.token_hex(16)}
        self.settings = settings
        self.port = server.free_port()
        self.server = None

    def env(self):
        chosen = {
            "listen": f"127.0.0.1:{self.port}", "metrics_listen": "", "log_level": "warn",
            "database_url": f"sqlite:{self.store}/sallyport.db",
            "key_file": f"{self.store}/instance.key", "control_socket": f"{self.folder}/bench.sock",
            "admin_email": self.admin["email"], "admin_password": self.admin["password"],
            "api_key_limit": 1_000_000, "guess_limit": 0, "connections_per_address": 0,
            "io_threads": 2, **self.settings,
        }
        return {f"SALLYPORT_{name.upper()}": str(value) for name, value in chosen.items()}

    def start(self):
        """Seconds until it answers."""
        self.server = server.Server("sallyport", [SALLYPORT, "serve"], self.folder, **self.env())
        return self.server.wait_for(self.port, b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")

    def stop(self):
        if self.server:
            self.server.stop()
            self.server = None

    @property
    def roots(self):
        return [self.server.pid]

    def command(self, *words, text=None):
        env = {"PATH": "/usr/bin:/bin", **self.env()}
        done = subprocess.run([SALLYPORT, *words, "--json"], env=env, input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"sallyport {' '.join(words)}: {done.stdout[-500:]}{done.stderr}")
        return json.loads(done.stdout)

    def take_over(self, name, limit, *words):
        keys = (self.keyset / name).read_text().split()
        for at in range(0, len(keys), IMPORT_MAX):
            lines = [{**RULES, "key": key, "rateLimit": limit} for key in keys[at:at + IMPORT_MAX]]
            self.command("keys", "import", "-", *words, text=json.dumps({"keys": lines}))

    def prepare(self):
        """Make the store, once. The keys have our own form, so that afterwards they are marked as
        made here: where keys of another form may exist, malformed texts are looked up as well."""
        if (self.store / "token").exists():
            return
        self.store.mkdir(exist_ok=True)
        self.start()
        self.take_over("keys.txt", ROOMY)
        # One employer may have a million keys, and the first has them.
        employer = self.command("employers", "create", "--name", "limited")["id"]
        self.take_over("limited.txt", USED_UP, "--employer", employer)
        token = self.command("gate-tokens", "create", "--name", "bench")["token"]
        self.stop()
        with sqlite3.connect(self.store / "sallyport.db") as store:
            store.execute("UPDATE api_key_secret SET is_imported = 0")
        (self.store / "token").write_text(token)

    @property
    def token(self):
        return (self.store / "token").read_text()

    # ---- what is asked ----

    def verify(self):
        body = json.dumps({"key": "{key}", "scopes": "cohort:read", "clientAddress": CLIENT},
                          separators=(",", ":"))
        length = len(body) - len("{key}") + 72
        return Shape(self.folder, "verify", self.port, (
            f"POST /gate/verify HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"),
            passes='"valid":true')

    def forward(self):
        return Shape(self.folder, "forward", self.port, (
            "GET /gate/forward?scopes=cohort:read HTTP/1.1\r\nHost: bench\r\n"
            f"X-Gate-Token: {self.token}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /orders\r\n"
            f"X-Forwarded-For: {CLIENT}\r\nx-api-key: {{key}}\r\n\r\n"))

    def door(self):
        return Shape(self.folder, "door", self.port, (
            "GET /api/employer/cohort HTTP/1.1\r\nHost: bench\r\nx-api-version: 2026-02-01\r\n"
            "x-api-key: {key}\r\n\r\n"))
