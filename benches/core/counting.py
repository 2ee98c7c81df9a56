"""Builds bench-core, and counts what a round of each of its cases takes."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

BENCHES = pathlib.Path(__file__).resolve().parents[1]
DOORS = "*counted_*"
ROUNDS = 64
# The C library picks its memcpy by the processor: here it takes the plain one everywhere. Names of glibc since 2.33.
NEWER = ["AVX", "AVX2", "AVX512F", "AVX512VL", "AVX512BW", "AVX_Fast_Unaligned_Load", "ERMS", "FSRM", "SSSE3", "Fast_Unaligned_Copy"]
PLAIN = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in NEWER)}
TIMED, REPEATS = 200_000, 5


class Skipped(Exception):
    """What is needed to count cannot be had here, or counts something else."""


class Failed(Exception):
    """Something did not go as it should."""


def toolchain():
    told = output(["rustc", "-vV"], cwd=BENCHES)
    return {"rustc": told.splitlines()[0], "target": re.search(r"^host: (.*)$", told, re.M)[1]}


def install_valgrind():
    if shutil.which("valgrind"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Skipped("no valgrind, and no right to install it")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "valgrind"]):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not shutil.which("valgrind"):
        raise Skipped("no valgrind, and it cannot be installed")


def check_allocations():
    """Needs no pin and no valgrind: a steady connection allocates nothing with any compiler."""
    output(["cargo", "test", "--locked", "-p", "bench-core", "--test", "allocations"], cwd=BENCHES)


def build(benches=BENCHES):
    """Builds the program, and says where it is."""
    command = ["cargo", "build", "--locked", "--release", "-p", "bench-core", "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, cwd=benches, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise Failed("bench-core does not build")
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    return next(message["executable"] for message in messages
                if message.get("executable") and message["target"]["name"] == "bench-core")


def take(program, nanoseconds=False):
    """The counts and the sizes, as counts.json has them."""
    taken = {"counts": {}, "sizes": {}}
    for line in output([program, "--list"]).splitlines():
        kind, name, goal, size = line.split("\t")
        entry = {"goal": int(goal)} if goal else {}
        if kind == "size":
            taken["sizes"][name] = entry | {"bytes": int(size)}
        else:
            taken["counts"][name] = entry | {"instructions": instructions(program, name)}
            if nanoseconds:
                taken["counts"][name]["ns"] = min(float(output([program, "--ns", name, str(TIMED)])) for _ in range(REPEATS))
    return taken


def instructions(program, case):
    """Of a round: what the first rounds have besides, setting up and growing, is not in the difference."""
    few, many = (summary(profile(program, case, rounds)) for rounds in (ROUNDS, 2 * ROUNDS))
    if few == 0 or many <= few:
        raise Failed(f"{case}: callgrind counts nothing behind the doors {DOORS}")
    a_round = (many - few) / ROUNDS
    return int(a_round) if a_round.is_integer() else round(a_round, 1)


def profile(program, case, rounds):
    """What callgrind writes of so many rounds."""
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder) / "callgrind.out"
        output(["valgrind", "--tool=callgrind", "--error-exitcode=1", f"--callgrind-out-file={written}", f"--toggle-collect={DOORS}",
                str(program), case, str(rounds)], env={**os.environ, **PLAIN})
        return written.read_text()


def summary(profile):
    return int(re.search(r"^summary: (\d+)", profile, re.M)[1])


def output(command, **options):
    run = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {run.returncode}\n{run.stderr[-1500:]}")
    return run.stdout
