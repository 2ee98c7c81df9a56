"""What each client checks of what it receives, and what else it does: checks.json, which a test of bench-clients reads, too."""

import json
import pathlib

import plan

COLUMNS = {
    "utf8": "checks UTF-8 of texts",
    "masked": "refuses masked frames",
    "accept": "checks `Sec-WebSocket-Accept`",
    "fragments": "joins fragments",
    "masks": "unpredictable masks",
    "heartbeat": "heartbeat",
    "reconnects": "reconnects",
}
BY_PACKAGE = json.loads((pathlib.Path(__file__).resolve().parent / "checks.json").read_text())


def package(peer):
    """The package that a peer measures: its own name, or the beginning of it."""
    return next((name for name in BY_PACKAGE if peer == name or peer.startswith(f"{name}-")), None)


def rows():
    """A package's name, version and cells, in the order of the tables."""
    packages = dict.fromkeys(package(peer) for peer in plan.PEERS)
    return [(name, BY_PACKAGE[name]["version"], [BY_PACKAGE[name][column] for column in COLUMNS]) for name in packages]
