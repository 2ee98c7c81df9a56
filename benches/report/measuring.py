"""Runs the rounds: every pair once in each, and tells how each went."""

import resource
import time

import building
import figures
import plan
import processes


def supported(programs):
    """What each client says that it does: {peer: measures}, and the versions."""
    clients = [program for program in (programs.clients, programs.node) if program]
    peers = [peer for program in clients for peer in processes.answer([*program, "--list"], 30)["peers"]]
    return {peer["name"]: set(peer["measures"]) for peer in peers}, {peer["name"]: peer["version"] for peer in peers}


def possible(pairs, words):
    """Those that the clients do; a line for each of the others."""
    missing = {}
    for pair in pairs:
        if pair.measure.word not in words.get(pair.peer, ()):
            missing.setdefault(pair.peer, []).append(pair.measure.name)
    for peer, measures in missing.items():
        building.skipped(peer, f"not supported: {', '.join(dict.fromkeys(measures))}" if peer in words else "not built")
    return [pair for pair in pairs if pair.measure.name not in missing.get(pair.peer, ())]


DISTURBED = 0.25
"""Of a core: where other programs use more than this during a run, it tells about them as well, and is taken again."""
TRIES = 3


class Rounds:
    """A measurement under way."""

    def __init__(self, programs, tries=TRIES):
        self.programs = programs
        self.tries = tries
        self.server = processes.Server(programs.server)
        self.others = processes.Others()
        self.runs = []
        self.ceilings = {"pipelined": [], "flood": []}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def run(self, number, pairs):
        started = time.monotonic()
        for place, pair in enumerate(pairs, 1):
            run = {"round": number, "measure": pair.measure.name, "peer": pair.peer, "command": pair.command(), **self.undisturbed(pair)}
            self.runs.append(run)
            print(f"round {number}  {place:3}/{len(pairs)}  {time.monotonic() - started:5.0f} s  "
                  f"{pair.measure.name:22} {pair.peer:26} {told(pair, run)}", flush=True)

    def probe(self):
        """How fast the server itself is. The probe starts one of its own, so that neither may be held to one core."""
        told = processes.answer([*self.programs.server, "--probe"], 120, on=None)
        for measure, name in (("pipelined", "echo_messages_per_second"), ("flood", "flood_messages_per_second")):
            self.ceilings[measure].append(told[name])

    def undisturbed(self, pair):
        """The least disturbed of some tries, of which the first will do on a machine that does nothing else; a failure is final."""
        tries = []
        while len(tries) < self.tries:
            tries.append(self.one(pair))
            if tries[-1].get("others", 0.0) <= DISTURBED:
                return tries[-1]
        return min(tries, key=lambda run: run["others"])

    def one(self, pair):
        program = self.programs.node if pair.peer in plan.NODE else self.programs.clients
        try:
            if pair.measure.fresh_server:
                self.start_server()
            self.server.reset()
            self.others.share(0)
            server, ours = self.server.cpu_seconds(), used()
            answer = processes.answer([*program, *pair.words(), "--server", self.server.address], pair.measure.timeout,
                                      on=None if pair.measure.on_both_cores else processes.CLIENT_CORE)
            server = self.server.cpu_seconds() - server
            return {"answer": answer, "server_cpu_seconds": round(server, 4), "others": round(self.others.share(server + used() - ours), 3)}
        except processes.Unsupported as error:
            return {"unsupported": str(error)}
        except processes.Failed as error:
            if self.server.process.poll() is not None:
                self.start_server()
            return {"failure": str(error)}

    def start_server(self):
        self.server.__exit__()
        self.server = processes.Server(self.programs.server)


def used():
    """What this program and the clients that have ended have used."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


TELLING = {"memory": ("after_echo", "B a connection"), "idle": ("cpu_seconds", "CPU s"), "heartbeat": ("worst_late_seconds", "s late at worst"),
           "allocations": ("allocations_per_message", "allocations a message")}


def told(pair, run):
    if "failure" in run:
        return f"FAILED {run['failure']}"
    if "unsupported" in run:
        return f"SKIPPED {run['unsupported']}"
    name, unit = TELLING.get(pair.measure.word, ("rate", "a second"))
    value = figures.told(name, run["answer"])
    return f"{value:,.4g} {unit}" if value is not None and value < 100 else f"{value:,.0f} {unit}" if value is not None else "no figure"
