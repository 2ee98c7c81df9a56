"""The goals as data, and when one is met."""

import dataclasses
import math

import figures

OURS, SPAWNED, PEER = "gateway-tokio", "gateway-tokio-spawn", "tokio-tungstenite"


@dataclasses.dataclass(frozen=True)
class Goal:
    id: str
    """The key of floors.json."""
    what: str
    over: tuple
    """The figure that is judged: (measure, peer, figure), or (COUNTS, section, name)."""
    limit: float
    at_least: bool = True
    """Or else at most."""
    under: tuple | None = None
    """What it is divided by in each round."""
    less: tuple | None = None
    """What is taken from it in each round."""
    unit: str = "x"
    decimals: int | None = 2
    """None: as many as it has."""

    def values(self, runs, counts):
        """A value for each round; what is counted has one."""
        if self.over[0] == COUNTS:
            counted = count(counts, *self.over[1:])
            return [] if counted is None else [counted]
        if self.under:
            return runs.ratios(self.over, self.under)
        if self.less:
            return runs.differences(self.over, self.less)
        return runs.values(*self.over)

    def told(self):
        return f"{'at least' if self.at_least else 'at most'} {self.shown(self.limit)}"

    def shown(self, value):
        decimals = 1 if self.unit == "x" and self.limit >= 2 else self.decimals
        text = f"{value:,g}" if decimals is None else f"{value:,.{decimals}f}"
        return text + ("x" if self.unit == "x" else f" {self.unit}" if self.unit else "")


@dataclasses.dataclass(frozen=True)
class Judged:
    """A goal with what was measured of it, as a reader is told it."""
    goal: Goal
    median: str
    interval: str
    verdict: str


def judged(data):
    runs = figures.Runs(data["runs"])
    return [judged_one(goal, goal.values(runs, data["counts"])) for goal in GOALS]


def judged_one(goal, values):
    median = goal.shown(figures.median(values)) if values else "–"
    interval = f"[{goal.shown(min(values))}, {goal.shown(max(values))}]" if len(values) > 1 else "–"
    return Judged(goal, median, interval, verdict(goal, values))


MET, BY_THE_MEDIAN, NOT_MET, NOT_MEASURED = "met", "met by the median", "not met", "not measured"


def verdict(goal, values):
    """Met where every round's value reaches the goal; by the median where that does and a round's value does not."""
    if not values:
        return NOT_MEASURED
    reached = [reaches(goal, value) for value in values]
    if all(reached):
        return MET
    return BY_THE_MEDIAN if reaches(goal, figures.median(values)) else NOT_MET


def reaches(goal, value):
    if not math.isfinite(value):
        return False
    if goal.less:
        value = round(value, goal.decimals)
    return value >= goal.limit if goal.at_least else value <= goal.limit


COUNTS = "counts"
"""In place of a measure: what benches/core counts, which is the same in each round."""


def cases(counts):
    """The instructions that are counted: below `counts`, or at the top."""
    return counts.get("counts", counts)


def count(counts, section, name):
    """A count of benches/core/counts.json, of its cases or its sizes; None where it is not there."""
    found = (counts.get("sizes", {}) if section == "sizes" else cases(counts)).get(name)
    if isinstance(found, dict):
        found = next((found[key] for key in ("instructions", "bytes", "value") if key in found), None)
    return found


def pipelined(peer, limit, over=OURS, measure="pipelined", told="pipelined"):
    return Goal(f"{measure}-{over}-{peer}", f"{told}: `{over}` over `{peer}`", (measure, over, "rate"), limit,
                under=(measure, peer, "rate"))


def no_delay(peer, limit, over=OURS):
    """The same with TCP_NODELAY on both sides: whose default is without it has its small writes gathered by the kernel."""
    return pipelined(peer, limit, over, measure="pipelined-no-delay", told="pipelined, `TCP_NODELAY` on both")


def flood(peer, limit, over=OURS):
    return Goal(f"flood-{over}-{peer}", f"flood: `{over}` over `{peer}`", ("flood", over, "rate"), limit, under=("flood", peer, "rate"))


def spawned_memory(figure, after):
    return Goal(f"memory-{figure}-{SPAWNED}", f"memory of a connection {after}: `{SPAWNED}`", ("memory", SPAWNED, figure), 8192, at_least=False,
                unit="B", decimals=0)


def large_cpu(peer, limit):
    """Of the processor's time, because a faster client waits for the server."""
    return Goal(f"large-cpu-{peer}", f"CPU of a large message: `{OURS}` over `{peer}`", ("large", OURS, "cpu"), limit, at_least=False,
                under=("large", peer, "cpu"))


def memory(figure, after):
    each = ("memory", OURS, figure)
    return (
        Goal(f"memory-{figure}", f"memory of a connection {after}: `{OURS}`", each, 6144, at_least=False, unit="B", decimals=0),
        Goal(f"memory-{figure}-{PEER}", f"memory {after}: `{OURS}` over `{PEER}` after an echo", each, 0.05, at_least=False,
             under=("memory", PEER, "after_echo"), decimals=3),
    )


def instructions(name, limit):
    return Goal(f"instructions-{name.replace(' ', '-')}", f"the core's instructions: {name}", (COUNTS, "cases", name), limit,
                at_least=False, unit="", decimals=None)


def size(name, limit, key):
    return Goal(key, f"size of {name}", (COUNTS, "sizes", name), limit, at_least=False, unit="B", decimals=0)


def allocations(kind):
    measure = f"allocations-{kind}"
    return Goal(measure, f"allocations a message, {kind}: `{OURS}` less `{PEER}`", (measure, OURS, "allocations_per_message"), 0,
                at_least=False, less=(measure, PEER, "allocations_per_message"), unit="")


def late(peer):
    return Goal(f"heartbeat-{peer}", f"heartbeat in a flood: the latest of `{peer}`", ("heartbeat", peer, "worst_late_seconds"), 0.05,
                at_least=False, unit="s", decimals=3)


GOALS = (
    pipelined(PEER, 10),
    pipelined(f"{PEER}-batched", 0.95),
    *(pipelined(peer, 7) for peer in ("ezsockets", "stream-tungstenite", "ws")),
    no_delay(PEER, 10),
    no_delay(f"{PEER}-batched", 0.95),
    no_delay("stream-tungstenite", 7),
    no_delay(PEER, 2, over=SPAWNED),
    pipelined("ezsockets", 1.2, over=SPAWNED),
    pipelined("nautilus-network", 3, over=SPAWNED),
    pipelined("ezsockets", 1.5, SPAWNED, "tasks", "sent by 64 tasks"),
    pipelined("tungstenite", 10, over="gateway-std"),
    flood(PEER, 0.95),
    Goal("flood-cpu", f"CPU of a message in the flood: `{OURS}` over `{PEER}`", ("flood", OURS, "cpu"), 1.0, at_least=False,
         under=("flood", PEER, "cpu")),
    flood("ezsockets", 3),
    flood(PEER, 1, over=SPAWNED),
    flood("ezsockets", 2, over=SPAWNED),
    flood("tungstenite", 0.95, over="gateway-std"),
    *(flood("fastwebsockets-batched", 1.0, over=ours) for ours in ("gateway-tokio", "gateway-std")),
    large_cpu("sockudo-ws", 1.0),
    *memory("after_echo", "after an echo"),
    *memory("after_burst", "after a burst"),
    spawned_memory("after_echo", "after an echo"),
    spawned_memory("after_burst", "after a burst"),
    Goal("connects", f"connections opened a second: `{OURS}` over `{PEER}`", ("connects", OURS, "rate"), 1.0,
         under=("connects", PEER, "rate")),
    Goal("idle", f"CPU of idle connections with a heartbeat: `{OURS}` over `{PEER}`", ("idle", OURS, "cpu_seconds"), 1.3,
         at_least=False, under=("idle", PEER, "cpu_seconds")),
    late("gateway-tokio"),
    late("gateway-std"),
    late(SPAWNED),
    allocations("pipelined"),
    allocations("flood"),
    Goal("allocations-core", "allocations a message: the core", (COUNTS, "cases", "allocations"), 0, at_least=False, unit="", decimals=0),
    instructions("data frame", 120),
    instructions("early tick", 60),
    instructions("reconnect cycle", 3000),
    size("Connection, ChaCha8", 640, "size-chacha8"),
    size("Connection, 16-byte generator", 320, "size-small"),
)
