"""Writes docs/PERFORMANCE.md from the measured figures."""

import dataclasses
import textwrap

import checks
import figures
import goals
import machine
import measuring
import plan

PLAIN = "tokio-tungstenite"


@dataclasses.dataclass(frozen=True)
class Column:
    heading: str
    figure: str
    shown: object
    """Formats one value."""
    with_spread: bool = True


@dataclasses.dataclass(frozen=True)
class Section:
    measure: str
    title: str
    text: str
    columns: tuple
    ratio: str | None = None
    """The figure that is also shown as a ratio to tokio-tungstenite's, in the same round."""


def plain(decimals):
    return lambda value: f"{value:,.{decimals}f}"


def thousands(value):
    return f"{value / 1000:,.0f}"


CPU = Column("CPU µs a message", "cpu", plain(2))
MULTI_THREAD = (f"Each client runs on a `multi_thread` runtime with {plan.WORKERS} workers. The workers may use both cores, so they compete with the server "
                "for one of them.")
ALLOCATIONS = (Column("allocations a message", "allocations_per_message", plain(4)),)
SECTIONS = (
    Section("pipelined", "Pipelined", "The client sends texts and receives their echoes, with 1,024 in flight. A plain loop receives one message and sends one. "
            "In a `-batched` peer the benchmark's loop feeds many messages and flushes once. `tokio-tungstenite-small` has a read buffer of 4 KiB, not the default of 128 KiB.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("pipelined-no-delay", "Pipelined, with `TCP_NODELAY` on all", "The same, but all peers set `TCP_NODELAY`, as our clients always do. Without it the "
            "kernel combines small writes. That is fast with many messages in flight, and delays a single one. `ezsockets` is not in this table, because it "
            "has no setting for `TCP_NODELAY`.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("pipelined-multi-thread", "Pipelined, on a `multi_thread` runtime", f"The same as pipelined. {MULTI_THREAD}",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("tasks", "Sent by 64 tasks", "The same echoes as pipelined, but 64 tasks send, each with a clone of one handle. "
            "The messages of each task must come back in their order.",
            (Column("k messages/s", "rate", thousands), CPU)),
    Section("tasks-multi-thread", "Sent by 64 tasks, on a `multi_thread` runtime", f"The same as sent by 64 tasks. {MULTI_THREAD}",
            (Column("k messages/s", "rate", thousands), CPU)),
    Section("flood", "Flood", "The server sends texts of 128 bytes as fast as the client reads them.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("flood-multi-thread", "Flood, on a `multi_thread` runtime", f"The same as flood. {MULTI_THREAD}",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("large", "Large messages", "The client sends texts of 64 KiB and receives their echoes, with four in flight. All clients set `TCP_NODELAY`, except "
            "`ezsockets`, which has no setting for it. Each run has a new server, which echoes 10,000 texts before the counted ones, because "
            "its speed depends on what it did before. MB/s counts each text once, in units of 10⁶ bytes. The ratio compares CPU time.",
            (CPU, Column("MB/s", "megabytes", plain(0)), Column("k messages/s", "rate", lambda value: f"{value / 1000:,.1f}")), "cpu"),
    Section("memory", "Memory", "The growth of resident memory per connection, without file pages, since before the first connection. "
            "It is measured after one echo on each connection. It is measured again after a burst of 1,000 texts of 128 bytes on each, once all are idle.",
            (Column("B after an echo", "after_echo", plain(0)), Column("B after a burst", "after_burst", plain(0))), "after_echo"),
    Section("connects", "Connections opened", "The client opens connections, with 32 upgrades in progress at a time.",
            (Column("connections/s", "rate", plain(0)), Column("CPU µs a connection", "cpu", plain(0))), "rate"),
    Section("idle", "Idle connections", "All connections are open, with a JSON heartbeat every 10 s on each. Our clients use their own heartbeat. "
            f"For `{PLAIN}` a loop with one timer sends the same ping and reads the pong. The figure is CPU seconds in 20 s.",
            (Column("CPU s", "cpu_seconds", plain(3)), Column("pings", "pings", plain(0), False)), "cpu_seconds"),
    Section("heartbeat", "The heartbeat in a flood", "The client sends a ping every 200 ms while the server sends without end. The figure is the longest gap "
            "between two pings at the server, less 200 ms.",
            (Column("s late at worst", "worst_late_seconds", plain(4)), Column("pings", "pings", plain(0), False))),
    Section("allocations-pipelined", "Allocations a message, pipelined", "Calls of the allocator, counted by a wrapper around it.", ALLOCATIONS),
    Section("allocations-flood", "Allocations a message, flood", "The same, in the flood.", ALLOCATIONS),
)


def rendered(records, floors):
    """The page, from one record per machine, the newest first. `floors` has the reason why a goal is not met, by its id."""
    unknown = floors.keys() - {goal.id for goal in goals.GOALS}
    if unknown:
        raise ValueError(f"floors.json explains unknown goals: {', '.join(sorted(unknown))}")
    newest = records[0]
    runs = figures.Runs(newest["runs"])
    parts = [
        opening(records),
        goals_tables(records, floors),
        checks_table(),
        details(records),
        *(section(each, runs, newest) for each in SECTIONS),
        counts_table(newest["counts"]),
        how_taken(records),
        bottleneck(runs, newest),
        *(unfinished(each) for each in records),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def opening(records):
    machines = "on one machine" if len(records) == 1 else f"on {len(records)} machines"
    return f"""
# How fast is it, compared with other clients?

`benches/run` measured this {machines}, [described below](#how-it-was-taken). The client runs on one core and the server on the
other, over plain `ws://` on loopback. (In the `multi_thread` tables the client may use both.) **Only ratios carry over to another
day, and not all of them to another machine**: the cost of a client that makes a system call for each message depends on the system.
The receiver checks every message. A lost, duplicated or altered one fails the run.

![Pipelined and flood against tokio-tungstenite, and memory of a connection](performance.svg)
"""


def checks_table():
    rows = [[named(name, {name: version}), *cells] for name, version, cells in checks.rows()]
    return f"""
## What does each client check?

A client that checks less has less to do. This is how the clients are built and used here. A test runs the Rust clients against a server that
breaks one rule at a time, for the first four columns. The rest was read in the source of these versions. A client must check UTF-8 (RFC 6455,
8.1), refuse a server's masked frames (5.1), check the accept key (4.1) and join fragments (5.4). It must take its masks from a strong source
of entropy (5.3). "Text is bytes": an application that needs a string has to check it again. [PEERS.md](PEERS.md) has more about some of them.

{table(['client', *checks.COLUMNS.values()], rows)}
"""


def details(records):
    """Which machine the following tables are of."""
    others = ", ".join(f"[{cpu(each)}](performance/{file_of(each)})" for each in records[1:])
    return f"The following tables are of the {cpu(records[0])}." + (f" The figures of each run on the other machines: {others}." if others else "")


def cpu(data):
    return data["machine"]["cpu"]


def file_of(data):
    return f"{machine.name(data['machine'])}.json"


def taken_when(data):
    """One date and commit, or which measures were taken at which."""
    when = {}
    for measure, each in data["taken"].items():
        when.setdefault(f"{each['date']} at commit {each['commit']}", []).append(measure)
    return "; ".join(f"{at} ({', '.join(measures)})" for at, measures in when.items()) if len(when) > 1 else next(iter(when))


def rounds(data):
    return " or ".join(str(number) for number in sorted({each["rounds"] for each in data["taken"].values()}))


def goals_tables(records, floors):
    judged = list(zip(*map(goals.judged, records)))  # a goal's verdicts, of every machine
    measured = [every for every in judged if every[0].goal.over[0] != goals.COUNTS]
    counted = [every[0] for every in judged if every[0].goal.over[0] == goals.COUNTS]  # the same on each
    missed = [every[0].goal for every in [*measured, *zip(counted)] if any(each.verdict != goals.MET for each in every)]
    why = [textwrap.fill(f"- {goal.what}: {floors[goal.id]}", 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
           for goal in missed if goal.id in floors]
    return f"""
## The goals

{table(['measure', 'goal', *map(cpu, records)], [[every[0].goal.what, every[0].goal.told(), *map(outcome, every)] for every in measured])}

Each round gives one value. Two clients are compared only within a round. After the median the table has the interval from the least
to the greatest round. A goal is **met** if the whole interval reaches it. It is **met by the median** if only the median does. Else it
is **not met**.

{table(['what is counted', 'goal', 'count', 'verdict'], [[each.goal.what, each.goal.told(), each.median, emphasized(each.verdict)] for each in counted])}
""" + ("\nWhy a goal is not met, or not in every round:\n\n" + "\n".join(why) if why else "")


def outcome(judged):
    interval = f" {judged.interval}" if judged.interval != "–" else ""
    return f"{judged.median}{interval} {emphasized(judged.verdict)}"


def emphasized(verdict):
    return f"**{verdict}**" if verdict == goals.NOT_MET else verdict


def section(each, runs, data):
    rows = []
    for peer in planned(each.measure):
        values = [runs.values(each.measure, peer, column.figure) for column in each.columns]
        if not values[0]:
            continue
        row = [named(peer, data["versions"])]
        row += [shown(column, of) for column, of in zip(each.columns, values)]
        if each.ratio:
            ratios = runs.ratios((each.measure, peer, each.ratio), (each.measure, PLAIN, each.ratio))
            row.append(f"{figures.median(ratios):,.2f}x" if ratios else "–")
        rows.append([*row, f"`{command(each.measure, peer, data)}`"])
    if not rows:
        return None
    headings = ["client", *(column.heading for column in each.columns)]
    if each.ratio:
        headings.append(f"over `{PLAIN}`")
    return f"## {each.title}\n\n{each.text}\n\n{table([*headings, 'command'], rows)}"


def planned(measure):
    """The peers of a measure, in the order of the tables. The figures can have a run that is not planned any more."""
    peers = next(each.peers for each in plan.MEASURES if each.name == measure)
    return [peer for peer in plan.PEERS if peer in peers]


def shown(column, values):
    if not values:
        return "–"
    text = column.shown(figures.median(values))
    return f"{text} ± {figures.spread(values):.0%}" if column.with_spread and len(values) > 1 else text


def named(peer, versions):
    if plan.is_ours(peer):
        return f"**`{peer}`**"
    return f"`{peer}` {versions.get(peer, '')}".strip()


def command(measure, peer, data):
    return next(run["command"] for run in data["runs"] if (run["measure"], run["peer"]) == (measure, peer))


def counts_table(counts):
    rows = []
    for name, each in goals.cases(counts).items():
        if isinstance(each, dict) and "instructions" in each:
            rows.append([name, f"{each['instructions']:,g} instructions", "`benches/core/run`"])
    for name in counts.get("sizes", {}):
        counted = goals.count(counts, "sizes", name)
        if counted is not None:
            rows.append([f"size of {name}", plain(0)(counted) + " B", "`benches/core/run`"])
    if (allocations := goals.count(counts, "cases", "allocations")) is not None:
        rows.append(["allocations a message", str(allocations), "`cargo test -p bench-core --test allocations` in `benches`"])
    if not rows:
        return None
    compiler = f" ({counts['rustc']})" if "rustc" in counts else ""
    return "## What the core costs\n\nCallgrind counts the instructions. They are the same in every run of one build" + compiler + ".\n\n" + table(
        ["what", "count", "command"], rows)


def how_taken(records):
    def row(what, told):
        return [what, *(told(each) for each in records)]
    return f"""
## How it was taken

```sh
benches/run             # builds, measures, writes this page, its picture, and all figures to performance/
benches/run --quick     # one short round as a smoke test; writes to benches/target
benches/run --table     # writes this page from performance/
```

The commands of the tables run in `benches/target/release` and `benches/node` under `taskset -c 0`, the server under `taskset -c 1`.
Commands with `--multi-thread` run without `taskset`. Each also has `--server 127.0.0.1:PORT`, as `bench-server` prints it. Each round
runs every pair once, and rotates their order. The server resets its statistics before each run. Figures are medians of the rounds,
± half the range divided by the median.

Our clients run as in an application: with JSON heartbeat and reconnects, and they read every event. All other settings are defaults,
except the heartbeat's interval if the command has one. (The default is 30 s, so no ping is due within a pipelined or flood run.) The
connections of a process share one configuration. All other clients use their defaults. `ezsockets` has no setting for
`TCP_NODELAY`, so all its figures are without it. Memory of the blocking clients is not measured, because each has a thread.
`nautilus-network` is the newest version that Rust 1.95 builds; `cargo build --features bench-clients/nautilus` includes it.

Tokio clients run on a `current_thread` runtime. In the `multi_thread` tables they run on a `multi_thread` runtime with {plan.WORKERS} workers
(`--multi-thread {plan.WORKERS}`), and the loop that sends and receives is one of its tasks.

""" + table(["", *map(cpu, records)], [
        row("taken", taken_when),
        row("rounds", rounds),
        row("cores", lambda each: f"{each['machine']['cores']}{', virtual' if each['machine']['virtual'] else ''}"),
        row("memory", lambda each: f"{each['machine']['memory_gib']} GiB"),
        row("kernel", lambda each: f"Linux {each['machine']['kernel']}"),
        row("compiler", lambda each: f"{each['machine']['rustc']}, {each['build']}"),
        row("Node", lambda each: each["machine"]["node"] or "not installed"),
        row("open files per process", lambda each: str(each["machine"]["open_files"])),
        row("local ports, on each of eight loopback addresses", lambda each: " to ".join(each["machine"]["ports"]) or "unknown"),
        row("CPU of other programs during a run, at most, of a core", lambda each: percent(max((run.get("others", 0.0) for run in each["runs"]), default=0.0))),
    ]) + f"""

If other programs use more than {measuring.DISTURBED:.0%} of a core during a run, the run is repeated, up to {measuring.TRIES} times in all.
"""


def bottleneck(runs, data):
    """Whether the server limits a figure: for the fastest clients, and for those with the busiest server."""
    fastest_rows, busiest_rows = [], []
    for measure in ("pipelined", "pipelined-no-delay", "flood", "large"):
        rates = {peer: figures.median(values) for peer in planned(measure) if (values := runs.values(measure, peer, "rate"))}
        busy = {peer: share for peer in rates if (share := busy_server(data, measure, peer)) is not None}
        if ceilings := data["probe"].get(measure) if rates else None:
            ceiling, fastest = figures.median(ceilings), max(rates, key=rates.get)
            fastest_rows.append([measure, thousands(ceiling), f"{thousands(rates[fastest])} (`{fastest}`)", f"{ceiling / rates[fastest]:.1f}x",
                                 percent(busy.get(fastest))])
        if busy:
            busiest = max(busy, key=busy.get)
            busiest_rows.append([measure, f"`{busiest}`", percent(busy[busiest]), percent(busy_client(data, measure, busiest))])
    if not fastest_rows:
        return None
    return ("## Is the server a bottleneck?\n\nThe server's ceiling is `bench-server --probe` in the same run: a client that only "
            "reads and writes bytes. The table compares it with the fastest client, and shows how busy the server was with that client.\n\n"
            + table(["measure", "ceiling, k messages/s", "fastest client", "ceiling over it", "server busy"], fastest_rows)
            + "\n\nThis table has the client with which the server was busiest. If the client is busier than the server, the client is the limit. "
            "(A server that wakes for each single message spends its time on wake-ups.)\n\n"
            + table(["measure", "client", "server busy", "client busy"], busiest_rows))


def busy_server(data, measure, peer):
    """Of a run with its warm-up, because the server's CPU seconds include that."""
    return busy_share(data, measure, peer, lambda run: (run.get("server_cpu_seconds"), run["answer"].get("warm_up_seconds", 0.0)))


def busy_client(data, measure, peer):
    return busy_share(data, measure, peer, lambda run: (run["answer"].get("cpu_seconds"), 0.0))


def busy_share(data, measure, peer, cpu_seconds):
    """The share of a run's time that a process used CPU, or None if it is unknown. `cpu_seconds` returns these, and what to add to the time."""
    shares = [cpu / (run["answer"]["seconds"] + more) for run in data["runs"]
              if (run["measure"], run["peer"]) == (measure, peer) and "answer" in run
              for cpu, more in (cpu_seconds(run),) if cpu is not None]
    return min(1.0, figures.median(shares)) if shares else None


def percent(share):
    return f"{share:.0%}" if share is not None else "–"


def unfinished(data):
    failures = sorted({(run["measure"], run["peer"], run["failure"]) for run in data["runs"] if "failure" in run})
    if not failures:
        return None
    return f"## What failed on the {cpu(data)}\n\n" + "\n".join(f"- {measure}, `{peer}`: {failure}" for measure, peer, failure in failures)


def table(headings, rows):
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
