"""Every mutant of the core is caught by the core's own tests, or listed in .cargo/mutants.toml with the reason why it is equivalent."""

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


def prove(root, work, quick, shell, needs, failed):
    needs("cargo-mutants")
    out = work / "mutants"
    shutil.rmtree(out, ignore_errors=True)
    shard = ["--shard", "0/40"] if quick else []
    shell(["cargo", "mutants", "--output", str(out), "--jobs", "2", "--timeout", "40", "--no-shuffle", *shard],
          statuses=(CAUGHT, MISSED, TIMED_OUT), PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "24"))
    return judge(root, out, quick, failed)


def judge(root, out, quick, failed):
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
    equivalent = len(re.findall(r'^ +["\'].*["\'], # .', (root / ".cargo" / "mutants.toml").read_text(), re.M))
    return (f"{caught} of {caught + slow} that compile are caught, the other {slow} never end and are listed in tools/prove/mutants.py; "
            f"{unviable} do not compile; {equivalent} rules, each with a reason, exclude equivalent mutants; {sum(spans) / len(spans):.1f} s a mutant, two at a time")


def lines(out, name):
    file = out / "mutants.out" / name
    return file.read_text().splitlines() if file.exists() else []
