"""What counts.json holds, what differs from it, and how it is told."""

import json

from counting import Skipped

TOLERANCE = 0.02  # of an instruction count, above and below; a size has none


def same_toolchain(pinned, taken):
    """Another compiler makes other instructions: nothing is to be told from a difference."""
    for what in ("rustc", "target"):
        if pinned[what] != taken[what]:
            raise Skipped(f"the pins' {what} is {pinned[what]!r}, here it is {taken[what]!r}")


def differences(pinned, taken):
    """A line for each count that is not what is pinned, and each that is only in one of the two."""
    lines = []
    for section, unit, tolerance in (("counts", "instructions", TOLERANCE), ("sizes", "bytes", 0)):
        was, now = pinned[section], taken[section]
        for name in dict.fromkeys([*was, *now]):
            pin, count = (figures.get(name, {}).get(unit) for figures in (was, now))
            if pin is None:
                lines.append(f"{name}: not pinned, {count:,} {unit} now")
            elif count is None:
                lines.append(f"{name}: pinned at {pin:,} {unit}, not counted now")
            elif abs(count - pin) > tolerance * pin:
                lines.append(f"{name}: pinned at {pin:,} {unit}, {count:,} now ({(count - pin) / pin:+.1%})")
    if lines:
        lines.append("where that is meant: benches/core/run --pin")
    return lines


def written(taken):
    return json.dumps(taken, indent=2) + "\n"


def table(taken):
    """Of all that is counted, as Markdown."""
    timed = any("ns" in entry for entry in taken["counts"].values())
    rows = [["case", "instructions", "goal", *(["ns"] if timed else [])]]
    for name, entry in taken["counts"].items():
        timing = [f"{entry['ns']:,.1f}"] if timed else []
        rows.append([name, f"{entry['instructions']:,}", goal(entry, "instructions"), *timing])
    sizes = [["size of", "bytes", "goal"]]
    sizes += [[name, f"{entry['bytes']:,}", goal(entry, "bytes")] for name, entry in taken["sizes"].items()]
    return f"{taken['rustc']}, {taken['target']}\n\n{markdown(rows)}\n\n{markdown(sizes)}"


def goal(entry, unit):
    if "goal" not in entry:
        return ""
    return f"at most {entry['goal']:,}: {'met' if entry[unit] <= entry['goal'] else 'NOT MET'}"


def markdown(rows):
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
