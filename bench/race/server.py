"""Starting a server, waiting until it answers, and ending it with all its processes."""
import os
import signal
import socket
import subprocess
import time

ANSWERS_WITHIN_S = 300  # a map of a million keys takes its time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, text, within_s=5):
    """The answer to one request, as text; "" if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=within_s) as talk:
            talk.sendall(text)
            return talk.recv(65536).decode(errors="replace")
    except OSError:
        return ""


class Server:
    def __init__(self, name, command, folder, **env):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, **{k: str(v) for k, v in env.items()}})
        self.pid = self.process.pid

    def fail(self, what):
        tail = self.log.read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} {what}\n{tail}")

    def wait_for(self, port, text, wanted="HTTP/1.1 "):
        """Seconds until it answers this request as wanted."""
        began = time.monotonic()
        while not ask(port, text).startswith(wanted):
            if self.process.poll() is not None:
                self.fail("has ended")
            if time.monotonic() - began > ANSWERS_WITHIN_S:
                self.fail("does not answer")
            time.sleep(0.002)
        return time.monotonic() - began

    def stop(self):
        """Its own session holds all that it started."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
