"""Every mutant of the core and of the codec is caught by its own tests, or listed in .cargo/mutants.toml and
.cargo/mutants-codec.toml with the reason why it is equivalent.

The outcomes are recorded for each source file, in docs/mutants.json. A step tests only the files that have changed since.
It records each group of files as soon as that group is done, so a step that is stopped goes on where it was."""

import json
import os
import re
import shutil
import subprocess

# Mutants that make the tests run without end, and why. Only a timeout detects such a test, so each is listed here by name.
ENDLESS = {
    "replace == with != in Backoff::capped": "a base that never grows is multiplied u32::MAX times",
    "delete ! in <impl Visitor<'de> for Target<'_, L>>::visit_seq": "the end of a list is not seen, and places are counted up to usize::MAX",
    "replace * with + in Backoff::capped": "a base that hardly grows is multiplied u32::MAX times",
    "replace * with / in aws_mean": "the cells go down, and never reach their end",
    "replace < with == in Sums::add": "a cell is cut at its own end again and again",
    "replace < with <= in Sums::add": "a cell is cut at its own end again and again",
    "replace + with * in OpenSchedule::reserve": "the open that has no token is looked at again and again",
    "replace Waiting::is_due -> bool with false": "an attempt that is due never begins, and the tests tick again and again",
    "replace <= with > in Waiting::is_due": "an attempt that is due never begins, and the tests tick again and again",
    "replace Waiting::attempt_if_due -> Next with Default::default()": "an attempt that is due never begins, and the tests tick again",
    "replace Input<'a>::advance with ()": "the same bytes are read again and again",
    "replace == with != in Run::is_over": "a run that is over is read on",
    "replace > with == in Reader::read_payload": "a payload's end is not seen, or an incomplete one is read again",
    "replace > with < in Reader::read_payload": "a payload that has not come is read again and again",
    "replace > with >= in Reader::read_payload": "a payload's end is not seen",
}

CAUGHT, MISSED, TIMED_OUT = 0, 2, 3  # exit statuses of cargo-mutants with a complete list of outcomes

# What is mutated, by whose tests: the configurations of cargo-mutants.
EXAMINED = {"core": "mutants.toml", "codec": "mutants-codec.toml"}

GROUP = 125  # mutants. A step that is stopped loses its unfinished group. Each group compiles the dependencies again.


def prove(root, work, quick, shell, needs, failed):
    needs("cargo-mutants")
    known = Known(root, quick)
    uncaught = []
    for name, config in EXAMINED.items():
        config = root / ".cargo" / config
        for group in [None] if quick else known.groups(config):
            out = work / "mutants" / name
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            shard = ["--shard", "0/40"] if quick else []
            settings = out / config.name
            settings.write_text(of_files(group, config.read_text()))
            shell(["cargo", "mutants", "--config", str(settings), "--output", str(out), "--jobs", "2", "--timeout", "60",
                   "--no-shuffle", *shard], label=f"{name:5} ", statuses=(CAUGHT, MISSED, TIMED_OUT),
                  CARGO_INCREMENTAL="1",  # each mutant is a small change: three times as fast
                  RUST_BACKTRACE="0", PROPTEST_MAX_SHRINK_ITERS="0",  # nobody reads why a mutant's test fails
                  PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "24"))
            uncaught += known.learn(judge(out / "mutants.out", failed))
    for mutant in uncaught:
        print(f"    not caught: {mutant}")
    if uncaught:
        raise failed(f"{len(uncaught)} mutants are neither caught nor listed with a reason")
    return known.figure()


def of_files(files, config):
    """The configuration, for these files instead of all."""
    if not files:
        return config
    config, found = re.subn(r"^examine_globs = .*$", f"examine_globs = {json.dumps(files)}", config, flags=re.M)
    assert found == 1, "the configuration has no examine_globs"
    return config


def judge(out, failed):
    """What became of each mutant, by file."""
    outcomes = json.loads((out / "outcomes.json").read_text())
    if not outcomes.get("end_time"):
        raise failed("cargo-mutants did not end")
    files = {}
    for tried in outcomes["outcomes"]:
        if tried["scenario"] != "Baseline":
            mutant = tried["scenario"]["Mutant"]
            files.setdefault(mutant["file"], {})[mutant["name"]] = tried["summary"]
    return files


class Known:
    """The outcomes of the files that have not changed since their mutants were tried."""

    def __init__(self, root, quick):
        self.root, self.quick = root, quick
        self.record = root / "docs" / "mutants.json"
        self.files = json.loads(self.record.read_text()) if self.record.exists() and not quick else {}
        self.blobs = {}  # of all files with mutants, when the step began

    def blob(self, file):
        return subprocess.run(["git", "hash-object", file], cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()

    def groups(self, config):
        """The files that are to be tried, in groups."""
        listed = subprocess.run(["cargo", "mutants", "--config", str(config), "--list", "--json"], cwd=self.root, capture_output=True,
                                text=True, check=True)
        mutants = {}
        for mutant in json.loads(listed.stdout):
            mutants[mutant["file"]] = mutants.get(mutant["file"], 0) + 1
        self.blobs |= {file: self.blob(file) for file in mutants}
        group, size = [], 0
        for file, count in mutants.items():
            known = self.files.get(file)
            if known and known["blob"] == self.blobs[file] and known["mutants"] == count:
                continue
            group, size = [*group, file], size + count
            if size >= GROUP:
                yield group
                group, size = [], 0
        if group:
            yield group

    def learn(self, files):
        """Records the files without an uncaught mutant. Returns the mutants that are uncaught."""
        uncaught = []
        for file, outcomes in files.items():
            endless = [name for name, outcome in outcomes.items() if outcome == "Timeout" and any(known in name for known in ENDLESS)]
            open_ = [name for name, outcome in outcomes.items() if outcome in ("MissedMutant", "Timeout") and name not in endless]
            uncaught += open_
            if not open_:
                words = list(outcomes.values())
                self.files[file] = {"blob": self.blobs.get(file), "mutants": len(words), "caught": words.count("CaughtMutant"),
                                    "unviable": words.count("Unviable"), "endless": len(endless)}
        if not self.quick:
            self.record.write_text(json.dumps(dict(sorted(self.files.items())), indent=1) + "\n")
        return uncaught

    def figure(self):
        files = self.files if self.quick else {file: self.files[file] for file in sorted(self.blobs)}

        def count(what):
            return sum(file[what] for file in files.values())
        endless = f", the other {count('endless')} never end and are listed in tools/prove/mutants.py" if count("endless") else ""
        reasons = sum(len(re.findall(r'^ +["\'].*["\'], # .', (self.root / ".cargo" / config).read_text(), re.M))
                      for config in EXAMINED.values())
        return (f"{count('caught'):,} of {count('caught') + count('endless'):,} that compile are caught{endless}; {count('unviable')} "
                f"do not compile; {reasons} rules, each with a reason, exclude equivalent mutants; {len(files)} files")
