"""The server and the clients as processes, each on a core of its own."""

import http.client
import json
import os
import pathlib
import subprocess
import time

CLIENT_CORE, SERVER_CORE = 0, 1


class Unsupported(Exception):
    """The client does not do this."""


class Failed(Exception):
    """A message was lost, doubled or altered, or a process did not end as it should."""


def pinned(core):
    """What a child does before it begins: it stays on its core, where there are two of them; on None it goes where it likes."""
    there_are_two = {CLIENT_CORE, SERVER_CORE} <= os.sched_getaffinity(0)
    return (lambda: os.sched_setaffinity(0, {core})) if there_are_two and core is not None else None


class Server:
    """A running bench-server; it ends when its standard input does."""

    def __init__(self, program):
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(SERVER_CORE))
        word, _, port = self.process.stdout.readline().strip().partition(" ")
        if word != "listening":
            self.process.kill()
            self.__exit__()
            raise Failed(f"the server did not say where it listens: {word!r}")
        self.address = f"127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def get(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"the server does not answer {path}: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise Failed(f"the server answers {answer.status} to {path}")
        return body

    def reset(self):
        self.get("/reset")

    def cpu_seconds(self):
        """What its one thread has used so far."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9


def answer(command, timeout, on=CLIENT_CORE):
    """Runs a client on its core and returns what it tells; it is ended when it takes longer than this, in seconds."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              preexec_fn=pinned(on), check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not done after {timeout} s") from error
    if done.returncode == 3:
        raise Unsupported(last_line(done.stderr))
    if done.returncode != 0:
        raise Failed(f"exit status {done.returncode}: {last_line(done.stderr)}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"no JSON: {done.stdout[:100]!r}") from error


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason told"


class Others:
    """How busy the machine was with what is not ours: a share of one core, since the last look."""

    def __init__(self):
        self.before = self.look()

    @staticmethod
    def look():
        fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, *_ = (int(field) for field in fields)
        stolen = int(fields[7])
        return time.monotonic(), (user + nice + system + stolen) / os.sysconf("SC_CLK_TCK")

    def share(self, ours):
        """`ours` is what the client, the server and this program have used in the meantime, in seconds."""
        (then, before), (now, after) = self.before, self.look()
        self.before = (now, after)
        return max(0.0, (after - before - ours) / max(now - then, 0.01))
