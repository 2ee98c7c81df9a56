"""Every mutant of the core and of the codec is caught by its own tests, or listed in .cargo/mutants.toml and
.cargo/mutants-codec.toml with the reason why it is equivalent."""

import json
import os
import re
import shutil

# Mutants that make the tests run without end, and why. Only a timeout detects such a test, so each is listed here by name.
ENDLESS = {
    "replace == with != in Backoff::capped": "a base that never grows is multiplied u32::MAX times",
    "delete ! in <impl Visitor<'de> for Target<'_, L>>::visit_seq": "the end of a list is not seen, and places are counted up to usize::MAX",
    "replace * with + in Backoff::capped": "a base that hardly grows is multiplied u32::MAX times",
    "replace Input<'a>::advance with ()": "the same bytes are read again and again",
    "replace == with != in Run::is_over": "a run that is over is read on",
    "replace > with == in Reader::read_payload": "a payload's end is not seen, or an incomplete one is read again",
    "replace > with < in Reader::read_payload": "a payload that has not come is read again and again",
    "replace > with >= in Reader::read_payload": "a payload's end is not seen",
}

CAUGHT, MISSED, TIMED_OUT = 0, 2, 3  # exit statuses of cargo-mutants with a complete list of outcomes

# What is mutated, by whose tests: the configurations of cargo-mutants.
EXAMINED = {"core": "mutants.toml", "codec": "mutants-codec.toml"}

# The core's scenarios catch most of its mutants, and one binary builds in a third of the time that all take. So they come first,
# and only what they do not catch meets all tests.
FIRST = {"core": ("--test", "alone")}


def prove(root, work, quick, shell, needs, failed):
    needs("cargo-mutants")
    figures = []
    for name, config in EXAMINED.items():
        out = work / "mutants" / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        shard = ["--shard", "0/40"] if quick else []
        passes = []
        for config in configs(root / ".cargo" / config, out, FIRST.get(name)):
            shell(["cargo", "mutants", "--config", str(config), "--output", str(out), "--jobs", "2", "--timeout", "40",
                   "--no-shuffle", "--iterate", *shard], label=f"{name:5} ", statuses=(CAUGHT, MISSED, TIMED_OUT),
                  PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "24"))
            passes.append(out / f"pass{len(passes)}")
            shutil.copytree(out / "mutants.out", passes[-1])
        figures.append(f"{name}: {judge(config, passes, quick, failed)}")
    return "; ".join(figures)


def configs(config, out, first):
    """The configuration of each pass."""
    if first:
        text, found = re.subn(r"^additional_cargo_test_args = .*$", f"additional_cargo_args = {json.dumps(first)}", config.read_text(), flags=re.M)
        assert found == 1, f"{config} does not say which tests run"
        (out / "first.toml").write_text(text)
        yield out / "first.toml"
    yield config


def outcomes(run):
    return json.loads((run / "outcomes.json").read_text())


def judge(config, passes, quick, failed):
    """The figure of the finished passes. The last one tried what those before it did not catch."""
    last = passes[-1]
    told = [outcomes(run) for run in passes]
    caught, unviable = (sum(one[key] for one in told) for key in ("caught", "unviable"))
    missed, slow = (told[-1][key] for key in ("missed", "timeout"))
    total = len(json.loads((passes[0] / "mutants.json").read_text()))
    if not quick and (caught + unviable + missed + slow != total or not all(one.get("end_time") for one in told) or not caught):
        raise failed(f"not every mutant was tried: {caught + unviable + missed + slow} of {total}")
    uncaught = lines(last, "missed.txt") + [name for name in lines(last, "timeout.txt") if not any(known in name for known in ENDLESS)]
    for name in uncaught:
        print(f"    not caught: {name}")
    if uncaught:
        raise failed(f"{len(uncaught)} mutants are neither caught nor listed with a reason")
    spans = [sum(phase["duration"] for phase in tried["phase_results"]) for one in told for tried in one["outcomes"]
             if tried["scenario"] != "Baseline"]
    equivalent = len(re.findall(r'^ +["\'].*["\'], # .', config.read_text(), re.M))
    endless = f", the other {slow} never end and are listed in tools/prove/mutants.py" if slow else ""
    return (f"{caught} of {caught + slow} that compile are caught{endless}; {unviable} do not compile; "
            f"{equivalent} rules, each with a reason, exclude equivalent mutants; {sum(spans) / total:.1f} s a mutant, two at a time")


def lines(run, name):
    file = run / name
    return file.read_text().splitlines() if file.exists() else []
