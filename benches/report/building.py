"""Builds what is run: server, clients, Node's packages, and the picture's library."""

import os
import pathlib
import shutil
import subprocess
import sys
import typing

BENCHES = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", BENCHES / "target")).resolve()
PYTHON = TARGET / "venv" / "bin" / "python"


class Programs(typing.NamedTuple):
    """The commands that are run, each the beginning of one."""
    server: list[str]
    clients: list[str]
    node: list[str] | None


def programs(optimized):
    """Builds the server and the clients, and what is heavy or foreign where it can be had."""
    rust(optimized)
    built = TARGET / ("release" if optimized else "debug")
    node_client = ["node", str(BENCHES / "node" / "client.mjs")] if node() else None
    return Programs([str(built / "bench-server")], [str(built / "bench-clients")], node_client)


def rust(optimized):
    command = ["cargo", "build", *(["--release"] if optimized else []), "--locked", "-p", "bench-server", "-p", "bench-clients"]
    heavy = [*command, "--features", "bench-clients/nautilus"]
    if optimized and cargo(heavy).returncode == 0:
        return
    skipped("nautilus-network", "it cannot be built" if optimized else "it takes minutes to build")
    cargo(command).check_returncode()


def cargo(command):
    print("$", *command, flush=True)
    return subprocess.run(command, cwd=BENCHES, check=False)


def node():
    """Whether Node's clients can be run."""
    if not shutil.which("node") or not shutil.which("npm"):
        return skipped("ws, reconnecting-websocket, partysocket", "no node or npm here")
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=BENCHES / "node", capture_output=True, text=True, check=False)
    return done.returncode == 0 or skipped("ws, reconnecting-websocket, partysocket", f"npm ci: {done.stderr.strip()[-300:]}")


def picture():
    """Whether the picture can be drawn: its library is installed beside the builds, where it is not there."""
    wanted = BENCHES / "report" / "requirements.txt"
    installed = PYTHON.parent.parent / "installed.txt"
    if installed.exists() and installed.read_text() == wanted.read_text():
        return True
    print("$ pip install -r benches/report/requirements.txt", flush=True)
    for command in ([sys.executable, "-m", "venv", str(PYTHON.parent.parent)],
                    [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return skipped("the picture", f"no matplotlib: {(done.stderr or done.stdout).strip()[-300:]}")
    installed.write_text(wanted.read_text())
    return True


def skipped(what, why):
    print(f"SKIPPED {what}: {why}", flush=True)
    return False
