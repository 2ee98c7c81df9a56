"""What the figures were taken on."""

import os
import pathlib
import re
import resource
import subprocess

PORTS = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def described():
    cpu = re.search(r"^model name\s*: (.*)$", text("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", text("/proc/meminfo"), re.M)
    family = re.search(r"^cpu family\s*: (.*)$", text("/proc/cpuinfo"), re.M)
    model = re.search(r"^model\s*: (.*)$", text("/proc/cpuinfo"), re.M)
    numbers = f", family {family[1]}, model {model[1]}" if family and model else ""
    return {
        "cpu": (cpu[1] + numbers) if cpu else "unknown",
        "virtual": "hypervisor" in text("/proc/cpuinfo"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "kernel": os.uname().release,
        "rustc": output("rustc", "--version"),
        "node": output("node", "--version"),
        "open_files": descriptors(),
        "ports": text(PORTS).split(),
    }


def name(machine):
    """What its figures are filed under."""
    return re.sub(r"[^a-z0-9]+", "-", machine["cpu"].lower()).strip("-")


def descriptors():
    """How many files a process may have open: the hard limit, to which the limit is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def text(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
