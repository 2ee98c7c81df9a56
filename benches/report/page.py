"""The page docs/PERFORMANCE.md, from what was measured and nothing else."""

import dataclasses

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
    """Writes one value."""
    with_spread: bool = True


@dataclasses.dataclass(frozen=True)
class Section:
    measure: str
    title: str
    text: str
    columns: tuple
    ratio: str | None = None
    """The figure that is also told as a ratio to tokio-tungstenite's, in the same round."""


def plain(decimals):
    return lambda value: f"{value:,.{decimals}f}"


def thousands(value):
    return f"{value / 1000:,.0f}"


CPU = Column("CPU µs a message", "cpu", plain(2))
ALLOCATIONS = (Column("allocations a message", "allocations_per_message", plain(4)),)
SECTIONS = (
    Section("pipelined", "Pipelined", "Texts out and their echoes back, 1,024 on the way, in a plain loop of the client's own send and receive: "
            "one received, one sent. A `-batched` peer is fed many messages and flushed once for them, by hand, as `gateway-tokio-spawn-batched` "
            "enqueues them and awaits their receipts together; `tokio-tungstenite-small` has a read buffer of 4 KiB, not its default of 128.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("pipelined-no-delay", "Pipelined, with `TCP_NODELAY` on all", "The same, where the peers set what ours set by themselves. Without it the "
            "kernel gathers what a client writes in small pieces, which is quick for many that are on their way, and late for a single one.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("flood", "Flood", "The server pushes texts of 128 bytes as fast as they are taken.",
            (Column("k messages/s", "rate", thousands), CPU), "rate"),
    Section("memory", "Memory", "Resident memory of a connection, less pages of files, from before the first was opened: after one "
            "echo on each, and after each was pushed a burst of 1,000 texts of 128 bytes and was idle again.",
            (Column("B after an echo", "after_echo", plain(0)), Column("B after a burst", "after_burst", plain(0))), "after_echo"),
    Section("connects", "Connections opened", "One after another, 32 under way at once, until the upgrade is done.",
            (Column("connections/s", "rate", plain(0)), Column("CPU µs a connection", "cpu", plain(0))), "rate"),
    Section("idle", "Idle connections", "All of them open, a JSON heartbeat every 10 s on each: ours by the client's own, "
            f"`{PLAIN}`'s by a loop around one timer, which sends the same ping and reads the pong. CPU seconds of 20.",
            (Column("CPU s", "cpu_seconds", plain(3)), Column("pings", "pings", plain(0), False)), "cpu_seconds"),
    Section("heartbeat", "The heartbeat in a flood", "Pings every 200 ms while the server pushes without end; how much later than that "
            "one came to it after the one before, at worst.",
            (Column("s late at worst", "worst_late_seconds", plain(4)), Column("pings", "pings", plain(0), False))),
    Section("allocations-pipelined", "Allocations a message, pipelined", "Calls of the allocator, counted by one of our own.", ALLOCATIONS),
    Section("allocations-flood", "Allocations a message, flood", "The same in the flood.", ALLOCATIONS),
)


def rendered(records, floors):
    """The page, of a record for each machine, the newest first. `floors` tells why a goal is not met, by its id."""
    unknown = floors.keys() - {goal.id for goal in goals.GOALS}
    if unknown:
        raise ValueError(f"floors.json explains goals that there are not: {', '.join(sorted(unknown))}")
    newest = records[0]
    runs = figures.Runs(newest["runs"])
    parts = [
        opening(records),
        goals_tables(records, floors),
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
# What it costs, beside its peers

Taken by `benches/run` {machines}, which {'is' if len(records) == 1 else 'are'} described [below](#how-it-was-taken): the client on one core, the server on the other,
plain `ws://` on loopback. **Only ratios carry over to another day, and not all of them to another machine**: a client that asks the
system for each message costs what the system does. Every message is checked by its receiver: one that is lost, doubled or altered fails the run.

![Pipelined and flood against tokio-tungstenite, and memory of a connection](performance.svg)
"""


def details(records):
    """What the tables from here on are of."""
    others = ", ".join(f"[{cpu(each)}](performance/{file_of(each)})" for each in records[1:])
    return f"The tables from here on are of the {cpu(records[0])}" + (f"; the figures of the others, run by run: {others}." if others else ".")


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
    why = [f"- {goal.what}: {floors[goal.id]}" for goal in missed if goal.id in floors]
    return f"""
## The goals

{table(['measure', 'goal', *map(cpu, records)], [[every[0].goal.what, every[0].goal.told(), *map(outcome, every)] for every in measured])}

A value is taken in each round: two peers are only compared within one. The median is followed by the interval, which is the least and the
greatest of the rounds. A goal is **met** when the whole interval reaches it, **met by the median** when the median does and the interval's worse
end does not, else **not met**.

{table(['what is counted', 'goal', 'count', 'verdict'], [[each.goal.what, each.goal.told(), each.median, emphasized(each.verdict)] for each in counted])}
""" + ("\nWhy a goal is not met, or not by every round:\n\n" + "\n".join(why) if why else "")


def outcome(judged):
    interval = f" {judged.interval}" if judged.interval != "–" else ""
    return f"{judged.median}{interval} {emphasized(judged.verdict)}"


def emphasized(verdict):
    return f"**{verdict}**" if verdict == goals.NOT_MET else verdict


def section(each, runs, data):
    rows = []
    for peer in plan.PEERS:
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
        rows.append(["allocations a message", str(allocations), "`cargo test -p gateway-core --test allocations`"])
    if not rows:
        return None
    compiler = f" ({counts['rustc']})" if "rustc" in counts else ""
    return "## What the core costs\n\nInstructions are counted by callgrind, and so are the same in every run of one build" + compiler + ".\n\n" + table(
        ["what", "count", "command"], rows)


def how_taken(records):
    def row(what, told):
        return [what, *(told(each) for each in records)]
    return f"""
## How it was taken

```sh
benches/run             # builds all and measures: writes this page, its picture, and performance/ with every single figure
benches/run --quick     # one round of small counts, to see that everything works: writes to benches/target
benches/run --table     # this page again, from performance/
```

The commands of the tables run from `benches/target/release` and `benches/node`, with `--server 127.0.0.1:PORT` as `bench-server` prints it, under
`taskset -c 0`, the server under `taskset -c 1`. Each round runs every pair once, in an order that turns from round to round, and the
server starts anew in its statistics before each. Figures are medians of the rounds, ± half the range over the median. Our clients run as users run them:
the JSON heartbeat on, reconnects on, and every event of the life of the connection read; all else by default, but for the heartbeat's interval where the
command gives one. (By default it is 30 s: in the seconds of a pipelined or flood run none falls due.) The connections of a process share one configuration, as a
fleet's would. Peers have their defaults. Every client of tokio is on a runtime of one thread. The blocking clients are not weighed: each has a thread.

""" + table(["", *map(cpu, records)], [
        row("taken", taken_when),
        row("rounds", rounds),
        row("cores", lambda each: f"{each['machine']['cores']}{', virtual' if each['machine']['virtual'] else ''}"),
        row("memory", lambda each: f"{each['machine']['memory_gib']} GiB"),
        row("kernel", lambda each: f"Linux {each['machine']['kernel']}"),
        row("compiler", lambda each: f"{each['machine']['rustc']}, {each['build']}"),
        row("Node", lambda each: each["machine"]["node"] or "not here"),
        row("open files, a process", lambda each: str(each["machine"]["open_files"])),
        row("local ports, on each of eight loopback addresses", lambda each: " to ".join(each["machine"]["ports"]) or "unknown"),
        row("other programs, of a core, during a run, at most", lambda each: percent(max((run.get("others", 0.0) for run in each["runs"]), default=0.0))),
    ]) + f"""

A run during which other programs use more than {measuring.DISTURBED:.0%} of a core is taken again, {measuring.TRIES} times in all.
"""


def bottleneck(runs, data):
    """Whether the server could have been what is measured: beside the fastest clients, and where it was busiest."""
    fastest_rows, busiest_rows = [], []
    for measure in ("pipelined", "pipelined-no-delay", "flood"):
        rates = {peer: figures.median(values) for peer in plan.PEERS if (values := runs.values(measure, peer, "rate"))}
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
    return ("## That the server is no bottleneck\n\nIts ceiling, `bench-server --probe`, from the same run: a client that does nothing but "
            "read and write bytes. Beside it the fastest client, and how busy the server was with that one.\n\n"
            + table(["measure", "ceiling, k messages/s", "fastest client", "ceiling over it", "server busy"], fastest_rows)
            + "\n\nThe client with which the server was busiest, and how busy that client was itself: where it is busier, it is what is measured. "
            "(A server that is woken for each single message spends its time on waking up.)\n\n"
            + table(["measure", "client", "server busy", "client busy"], busiest_rows))


def busy_server(data, measure, peer):
    return busy_share(data, measure, peer, lambda run: run.get("server_cpu_seconds"))


def busy_client(data, measure, peer):
    return busy_share(data, measure, peer, lambda run: run["answer"].get("cpu_seconds"))


def busy_share(data, measure, peer, cpu_seconds):
    """The part of a run's time that a process was at work, or None where it is not known."""
    shares = [cpu / run["answer"]["seconds"] for run in data["runs"]
              if (run["measure"], run["peer"]) == (measure, peer) and "answer" in run and (cpu := cpu_seconds(run)) is not None]
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
