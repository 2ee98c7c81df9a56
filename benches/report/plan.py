"""Which pairs of a measure and a peer are run, with which counts, and in which order."""

import dataclasses

OURS = ("gateway-tokio", "gateway-tokio-spawn", "gateway-std")
NODE = ("ws", "reconnecting-websocket", "partysocket")
BATCHED = ("tokio-tungstenite-batched", "tungstenite-batched", "fastwebsockets-batched", "tokio-websockets-batched", "yawc-batched",
           "sockudo-ws-batched")
RECONNECTING = ("ezsockets", "stream-tungstenite", "nautilus-network")
PLAIN = ("tokio-tungstenite", "tokio-tungstenite-small", "tungstenite", "fastwebsockets", "tokio-websockets", "yawc", "sockudo-ws")
PEERS = OURS + PLAIN + BATCHED + RECONNECTING + NODE
"""Every peer, in the order of the tables."""

# Ours, tungstenite, nautilus-network and Node's set TCP_NODELAY by themselves; these are measured with it as well.
SAME_SOCKETS = ("gateway-tokio", "gateway-tokio-spawn", "tokio-tungstenite", "tokio-tungstenite-batched", "fastwebsockets", "tokio-websockets", "yawc", "sockudo-ws",
                "stream-tungstenite")  # ezsockets has no setting for it
# A run that ends in a tenth of a second tells little: who is ten times as fast is given ten times the messages.
QUICK = ("gateway-tokio", "gateway-tokio-spawn", "gateway-std", "tokio-tungstenite-batched", "tungstenite-batched", "fastwebsockets-batched", "yawc-batched",
         "sockudo-ws-batched")
MANY = {peer: {"messages": 4_000_000} for peer in QUICK}
# A blocking client wants a thread for each.
MANY_AT_ONCE = tuple(peer for peer in OURS + PLAIN if peer not in ("gateway-std", "tungstenite"))
# ws is slow to open; the tasks of nautilus-network wake every 10 ms, also without messages.
FEWER = {peer: {"connections": 2000} for peer in ("ws", "nautilus-network")}


def is_ours(peer):
    return peer in OURS


@dataclasses.dataclass(frozen=True)
class Measure:
    name: str
    """As the figures are filed."""
    word: str
    """As the clients are told."""
    peers: tuple
    flags: dict
    """What the clients are told besides."""
    quick: dict
    """What `--quick` changes of it, for every peer."""
    timeout: int
    """In seconds."""
    special: dict = dataclasses.field(default_factory=dict)
    """What is told to this peer otherwise."""
    fresh_server: bool = False
    """Whether each run has a server that served nobody before."""
    on_both_cores: bool = False
    """Whether the client may use the server's core, too."""


WORKERS = 2
"""Of a multi_thread runtime."""


def multi_thread(measure, peers):
    """The same on a multi_thread runtime. On one core its workers would only take turns, so they get the server's core, too."""
    return dataclasses.replace(measure, name=f"{measure.name}-multi-thread", peers=peers, flags=measure.flags | {"multi-thread": WORKERS},
                               on_both_cores=True)


def allocations(kind):
    peers = ("gateway-tokio", "gateway-std", "tokio-tungstenite", "tungstenite")
    return Measure(f"allocations-{kind}", "allocations", peers, {"kind": kind, "messages": 200_000}, {"messages": 20_000}, 60)


ECHOES = {"messages": 400_000, "in-flight": 1024, "bytes": 32}
PIPELINED = Measure("pipelined", "pipelined", PEERS, ECHOES, {"messages": 20_000}, 60, MANY)
TASKS = Measure("tasks", "tasks", ("gateway-tokio-spawn", "ezsockets"), ECHOES | {"tasks": 64}, {"messages": 20_000}, 60,
                {"gateway-tokio-spawn": {"messages": 4_000_000}})
FLOOD = Measure("flood", "flood", OURS + PLAIN + ("fastwebsockets-batched",) + RECONNECTING + NODE, {"messages": 4_000_000, "bytes": 128},
                {"messages": 100_000}, 60)
MEASURES = (
    PIPELINED,
    Measure("pipelined-no-delay", "pipelined", SAME_SOCKETS, ECHOES | {"no-delay": True}, {"messages": 20_000}, 60, MANY),
    multi_thread(PIPELINED, ("gateway-tokio-spawn", "tokio-tungstenite", "ezsockets", "nautilus-network")),
    TASKS,
    multi_thread(TASKS, TASKS.peers),
    FLOOD,
    multi_thread(FLOOD, ("gateway-tokio-spawn", "tokio-tungstenite")),
    Measure("large", "large", PEERS, {"messages": 20_000, "warm-up": 10_000, "in-flight": 4, "bytes": 65_536, "no-delay": True},
            {"messages": 200, "warm-up": 100}, 60, {"ezsockets": {"no-delay": False}}, fresh_server=True),
    Measure("connects", "connects", OURS + PLAIN + RECONNECTING, {"connections": 10_000, "at-once": 32}, {"connections": 100}, 60),
    Measure("memory", "memory", MANY_AT_ONCE + ("stream-tungstenite", "nautilus-network", "ws"),
            {"connections": 10_000, "burst": 1000, "settle": 3, "interval-ms": 1000},
            {"connections": 50, "burst": 100, "settle": 1}, 240, FEWER),
    Measure("idle", "idle", OURS[:2] + PLAIN[:1], {"connections": 10_000, "seconds": 20, "interval-ms": 10_000},
            {"connections": 50, "seconds": 1, "interval-ms": 500}, 120),
    Measure("heartbeat", "heartbeat", OURS, {"seconds": 5, "interval-ms": 200, "messages-at-once": 200_000}, {"seconds": 1}, 60),
    allocations("pipelined"),
    allocations("flood"),
)
DESCRIPTORS_BESIDE = 500
"""How many files a process may have open beside its connections."""
DESCRIPTORS_EACH = {"gateway-std": 3}
"""How many files a connection takes, where it is not its socket alone: a blocking client waits on a poller, and is woken by an event."""


@dataclasses.dataclass(frozen=True)
class Pair:
    measure: Measure
    peer: str
    flags: dict

    def words(self):
        """The client's arguments but for the server's address."""
        told = [word for name, value in self.flags.items() if value is not False
                for word in ((f"--{name}",) if value is True else (f"--{name}", str(value)))]
        return [self.measure.word, self.peer, *told]

    def command(self):
        """What a reader runs for the same figure, but for the server's address."""
        program = "node client.mjs" if self.peer in NODE else "bench-clients"
        return " ".join([program, *self.words()])


def pairs(number, quick=False, only=(), peers=(), descriptors=None):
    """A round: every pair once. Within a measure the first becomes the last of the next round, so that nobody is always first."""
    return [
        Pair(measure, peer, flags(measure, peer, quick, descriptors))
        for measure in MEASURES if not only or measure.name in only or measure.word in only
        for peer in rotated([peer for peer in measure.peers if not peers or peer in peers], number)
    ]


def flags(measure, peer, quick, descriptors):
    told = {**measure.flags, **measure.special.get(peer, {}), **(measure.quick if quick else {})}
    if peer in NODE:
        told.pop("interval-ms", None)  # none of them has a heartbeat
        told.pop("no-delay", None)  # all of them set it by themselves
    if descriptors is not None and "connections" in told:
        told["connections"] = min(told["connections"], max(1, (descriptors - DESCRIPTORS_BESIDE) // DESCRIPTORS_EACH.get(peer, 1)))
    return told


def rotated(items, number):
    start = number % len(items) if items else 0
    return items[start:] + items[:start]
