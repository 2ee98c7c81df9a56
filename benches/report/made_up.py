"""Figures that nobody measured, for the tests."""

import plan

MACHINE = {"cpu": "A Processor", "virtual": True, "cores": 2, "memory_gib": 4.0, "kernel": "6.1", "rustc": "rustc 1.95.0", "node": "v20.0.0",
           "open_files": 20_000, "ports": ["32768", "60999"]}
RATES = {"gateway-tokio": 2_600_000, "gateway-tokio-spawn": 900_000, "gateway-std": 2_900_000, "tokio-tungstenite": 214_000,
         "tokio-tungstenite-batched": 2_341_000, "tungstenite": 225_000, "ezsockets": 268_000, "stream-tungstenite": 194_000, "ws": 217_000}
FLOODS = {"gateway-tokio": 4_300_000, "gateway-tokio-spawn": 2_800_000, "gateway-std": 5_100_000, "tokio-tungstenite": 3_992_000,
          "tungstenite": 4_874_000, "fastwebsockets": 5_843_000, "partysocket": 1_008_000, "reconnecting-websocket": 1_177_000, "ezsockets": 1_266_000, "stream-tungstenite": 978_000, "ws": 1_285_000}
MEMORY = {"gateway-tokio": 4_096, "tokio-tungstenite": 132_114, "fastwebsockets": 9_260, "stream-tungstenite": 424_439, "ws": 12_000}


def data(rounds=3):
    """A whole measurement; each round is a tenth faster than the one before, for every client alike."""
    runs = []
    for number in range(rounds):
        for pair in plan.pairs(number):
            answer = answered(pair, 1 + number / 10)
            if answer:
                runs.append({"round": number + 1, "measure": pair.measure.name, "peer": pair.peer, "command": pair.command(),
                             "answer": answer, "server_cpu_seconds": 0.1, "others": 0.01})
    return {
        "machine": MACHINE,
        "build": "thin LTO",
        "taken": {each.name: {"date": "2026-11-25", "commit": "0123456789", "rounds": rounds} for each in plan.MEASURES},
        "versions": {"tokio-tungstenite": "0.30.0", "ws": "8.23.0"},
        "counts": {
            "rustc": "rustc 1.95.0",
            "counts": {"data frame": {"goal": 120, "instructions": 101}, "early tick": {"instructions": 61.4}, "reconnect cycle": {"goal": 3000},
                       "allocations": {"value": 0}},
            "sizes": {"Connection, ChaCha8": {"goal": 640, "bytes": 640}, "Connection, 16-byte generator": 321},
        },
        "probe": {"pipelined": [5_100_000, 5_200_000, 5_300_000], "flood": [12_000_000]},
        "runs": runs,
    }


def elsewhere():
    """The same on another machine, some days before, where all of ours open twice as fast."""
    made = data()
    for run in made["runs"]:
        if run["measure"] == "connects" and run["peer"].startswith("gateway"):
            run["answer"]["seconds"] /= 2
    taken = {name: each | {"date": "2026-11-20", "commit": "abcdef"} for name, each in made["taken"].items()}
    return made | {"machine": MACHINE | {"cpu": "Another One"}, "taken": taken}


def answered(pair, factor):
    """What the client would tell; None where these figures have nothing of the pair."""
    if pair.measure.name == "pipelined-no-delay":
        return None
    rates = {"pipelined": RATES, "flood": FLOODS, "connects": {"gateway-tokio": 9_000, "tokio-tungstenite": 10_000}}
    if pair.measure.word in rates and pair.peer in rates[pair.measure.word]:
        many = next(name for name in ("messages", "connections") if name in pair.flags)
        seconds = pair.flags[many] / rates[pair.measure.word][pair.peer] / factor
        return {"seconds": seconds, "cpu_seconds": seconds / 2, many: pair.flags[many]}
    if pair.measure.word == "memory" and pair.peer in MEMORY:
        after = 1_000_000 + MEMORY[pair.peer] * pair.flags["connections"]
        return {"seconds": 5.0, "cpu_seconds": 4.0, "connections": pair.flags["connections"], "baseline_bytes": 1_000_000,
                "after_echo_bytes": after, "after_burst_bytes": after}
    if pair.measure.word == "idle":
        return {"seconds": 20.0, "cpu_seconds": 0.15 if pair.peer.startswith("gateway") else 0.11, "connections": 10_000, "pings": 20_000}
    if pair.measure.word == "heartbeat":
        return {"seconds": 5.0, "cpu_seconds": 4.0, "messages": 20_000_000, "pings": 25, "worst_late_seconds": 0.0482 * factor}
    return None
