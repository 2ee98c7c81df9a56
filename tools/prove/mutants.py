"""Every mutant of the core and of the codec is caught by its own tests, or listed in .cargo/mutants.toml and
.cargo/mutants-codec.toml with the reason why it is equivalent."""

import json
import os
import re
import shutil

# Mutants that make the tests run without end, and why. Only a timeout detects such a test, so each is listed here by name.
ENDLESS = {
    "replace == with != in Backoff::capped": "a base that never grows is multiplied u32::MAX times",
    "replace * with + in Backoff::capped": "a base that hardly grows is multiplied u32::MAX times",
}

CAUGHT, MISSED, TIMED_OUT = 0, 2, 3  # exit statuses of cargo-mutants with a complete list of outcomes

# What is mutated, by whose tests: the configurations of cargo-mutants.
EXAMINED = {"core": "mutants.toml", "codec": "mutants-codec.toml"}


def prove(root, work, quick, shell, needs, failed):
    needs("cargo-mutants")
    figures = []
    for name, config in EXAMINED.items():
        out = work / "mutants" / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        shard = ["--shard", "0/40"] if quick else []
        shell(["cargo", "mutants", "--config", f".cargo/{config}", "--output", str(out), "--jobs", "2", "--timeout", "40",
               "--no-shuffle", *shard], label=f"{name:5} ", statuses=(CAUGHT, MISSED, TIMED_OUT),
              PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "24"))
        figures.append(f"{name}: {judge(root / '.cargo' / config, out, quick, failed)}")
    return "; ".join(figures)


def judge(config, out, quick, failed):
    """The figure of a finished run, from its outcomes."""
    outcomes = json.loads((out / "mutants.out" / "outcomes.json").read_text())
    caught, unviable, missed, slow = (outcomes[key] for key in ("caught", "unviable", "missed", "timeout"))
    total = len(json.loads((out / "mutants.out" / "mutants.json").read_text()))
    if not quick and (caught + unviable + missed + slow != total or not outcomes.get("end_time") or not caught):
        raise failed(f"not every mutant was tried: {caught + unviable + missed + slow} of {total}")
    uncaught = lines(out, "missed.txt") + [name for name in lines(out, "timeout.txt") if not any(known in name for known in ENDLESS)]
    for name in uncaught:
        print(f"    not caught: {name}")
    if uncaught:
        raise failed(f"{len(uncaught)} mutants are neither caught nor listed with a reason")
    spans = [sum(phase["duration"] for phase in one["phase_results"]) for one in outcomes["outcomes"]
             if one["scenario"] != "Baseline"]
    equivalent = len(re.findall(r'^ +["\'].*["\'], # .', config.read_text(), re.M))
    endless = f", the other {slow} never end and are listed in tools/prove/mutants.py" if slow else ""
    return (f"{caught} of {caught + slow} that compile are caught{endless}; {unviable} do not compile; "
            f"{equivalent} rules, each with a reason, exclude equivalent mutants; {sum(spans) / len(spans):.1f} s a mutant, two at a time")


def lines(out, name):
    file = out / "mutants.out" / name
    return file.read_text().splitlines() if file.exists() else []
