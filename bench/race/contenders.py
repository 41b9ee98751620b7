"""Who races: what is asked of each, and what each answers to each class of keys.

A rival is a folder of bench/rivals with a program `start`, which makes its configuration in the
current folder and becomes the server. It finds PORT, KEYS (the key set's folder), BUILD, and
GATE_PORT and GATE_TOKEN of the sallyport that runs beside it.
"""
from . import server
from .load import Shape
from .paths import BUILD, RIVALS

# What it answers to good, unknown, malformed and used-up keys; a class that is left out is one it
# cannot tell, and it does not run in that race.
ANY = {"g": 200, "u": 200, "m": 200, "l": 200}  # it does not look at the key
KNOWS = {"g": 200, "u": 401, "m": 401}
LIMITS = {**KNOWS, "l": 429}

RIVALS_BY_NAME = {
    "bare": ("a bare epoll loop that parses nothing", ANY),
    "nginx-return": ("nginx, `return 200`", ANY),
    "nginx-map": ("nginx, map of the keys", KNOWS),
    "nginx-limit": ("nginx, map and `limit_req`", LIMITS),
    "nginx-lua": ("nginx with Lua, shared dictionary", LIMITS),
    "haproxy": ("HAProxy, map of SHA-256, stick table", LIMITS),
    "nginx-sallyport": ("nginx, `auth_request` to sallyport", {**KNOWS, "l": 403}),
    "caddy-sallyport": ("Caddy, `forward_auth` to sallyport", LIMITS),
    "fastify": ("fastify with better-sqlite3", KNOWS),
    "better-auth": ("better-auth, API-key plugin", LIMITS),
    "express-gateway": ("express-gateway, key-auth", KNOWS),
}

# The same for our own: the gate's JSON answers 200, and says in it whether the key passes.
SHAPES = {
    "verify": {"g": 200, "u": 200, "m": 200, "l": 200},
    "forward": LIMITS,
    "door": LIMITS,
}

# express-gateway wants an id and a secret with a colon between.
FIELDS = {"express-gateway": "x-api-key: apiKey {key}:race"}


class Rival:
    def __init__(self, name, keyset, folder, gate):
        self.name = name
        self.title, self.expects = RIVALS_BY_NAME[name]
        self.keyset = keyset
        self.folder = folder / name
        self.gate = gate
        self.port = server.free_port()
        self.server = None

    def start(self):
        """Seconds until it answers, its configuration made from the keys included."""
        self.folder.mkdir()
        self.server = server.Server(
            self.name, [str(RIVALS / self.name / "start")], self.folder, PORT=self.port,
            KEYS=self.keyset, BUILD=BUILD, GATE_PORT=self.gate.port, GATE_TOKEN=self.gate.token)
        return self.server.wait_for(self.port, b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")

    def stop(self):
        if self.server:
            self.server.stop()
            self.server = None

    @property
    def roots(self):
        """With the sallyport that it asks, where it does."""
        beside = self.gate.roots if self.name.endswith("-sallyport") else []
        return [self.server.pid, *beside]

    def shape(self):
        field = FIELDS.get(self.name, "x-api-key: {key}")
        return Shape(self.folder, "request", self.port,
                     f"GET / HTTP/1.1\r\nHost: bench\r\n{field}\r\n\r\n")


class Ours:
    """One way of asking sallyport, on the server that all of them share."""

    def __init__(self, shape, gate):
        self.name = f"sallyport-{shape}"
        self.expects = SHAPES[shape]
        self.ask = getattr(gate, shape)
        self.gate = gate

    @property
    def roots(self):
        return self.gate.roots

    def shape(self):
        return self.ask()

