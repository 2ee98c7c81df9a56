#!/usr/bin/env python3
"""Makes docs/demo.svg from a real run of the demo. Needs PyPI's `rich`.

    cargo build --release -p gateway-cli && python3 docs/demo-picture.py target/release/gateway
"""
import io
import os
import pty
import re
import sys

from rich.console import Console
from rich.text import Text


def run(command):
    """The command's output as a terminal sees it, colours included."""
    chunks = []

    def read(descriptor):
        chunks.append(os.read(descriptor, 65536))
        return chunks[-1]

    os.environ["TERM"] = "xterm-256color"
    os.environ.pop("NO_COLOR", None)
    if pty.spawn(command, read) != 0:
        sys.exit("the demo failed")
    return b"".join(chunks).decode().replace("\r\n", "\n")


def excerpt(lines):
    """The beginning with the first two faults, and the summary; what is left out is marked."""
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in lines]
    third = next(n for n, line in enumerate(plain) if line.startswith("3. "))
    summary = next(n for n, line in enumerate(plain) if line.startswith("Summary"))
    return lines[:third] + ["   … faults 3 to 6 …", ""] + lines[summary:]


lines = excerpt(run([sys.argv[1], "demo", "--seed", "7"]).rstrip("\n").split("\n"))
console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
for line in lines:
    console.print(Text.from_ansi(line))
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.svg")
svg = console.export_svg(title="gateway demo")
# The reader's own monospace font: a picture fetches nothing.
svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
with open(target, "w", encoding="utf-8") as file:
    file.write(svg)
