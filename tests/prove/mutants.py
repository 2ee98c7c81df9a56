"""Every mutant of the core is caught by the core's own tests, or listed in .cargo/mutants.toml with the reason why it is equivalent."""

import json
import os
import shutil


def prove(root, work, quick, shell, needs, failed):
    needs("cargo-mutants")
    out = work / "mutants"
    shutil.rmtree(out, ignore_errors=True)
    shard = ["--shard", "0/40"] if quick else []
    status = None
    try:
        shell(["cargo", "mutants", "--output", str(out), "--jobs", "2", "--timeout", "40", "--no-shuffle", *shard],
              PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "24"))
    except failed as why:
        status = why  # mutants that were missed end it with a status of their own: they are told below
    file = out / "mutants.out" / "outcomes.json"
    if not file.exists():
        raise failed(f"cargo mutants left no outcomes: {status}")
    outcomes = json.loads(file.read_text())
    for missed in lines(out, "missed.txt") + lines(out, "timeout.txt"):
        print(f"    not caught: {missed}")
    caught, unviable, missed, slow = (outcomes[key] for key in ("caught", "unviable", "missed", "timeout"))
    spans = [sum(phase["duration"] for phase in one["phase_results"]) for one in outcomes["outcomes"]
             if one["scenario"] != "Baseline"]
    each = sum(spans) / max(len(spans), 1)
    if missed:
        raise failed(f"{missed} mutants are neither caught nor listed as equivalent")
    return (f"{caught + slow} of {caught + slow + missed} viable mutants caught ({slow} of them because the tests never ended), "
            f"{unviable} did not compile; {each:.1f} s a mutant; equivalent ones: .cargo/mutants.toml")


def lines(out, name):
    file = out / "mutants.out" / name
    return file.read_text().splitlines() if file.exists() else []
