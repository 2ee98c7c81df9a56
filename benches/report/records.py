"""The file of all raw figures, docs/performance.json: what is in it, and how a part of it is taken anew."""

import json

SAME = ("cpu", "cores", "kernel", "rustc", "node")
"""What has to be the same for figures to stand on one page."""


def load(path):
    return json.loads(path.read_text()) if path.exists() else None


def save(data, path):
    """One line a run, so that a change of one shows as one."""
    head = {name: value for name, value in data.items() if name != "runs"}
    lines = ",\n".join("  " + json.dumps(run) for run in data["runs"])
    path.write_text(json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n' + lines + "\n ]\n}\n")


def merged(old, new):
    """The new measures in the place of the old; None where they are not of one machine, and so belong on no page together."""
    if old is None:
        return new
    if any(old["machine"][name] != new["machine"][name] for name in SAME):
        return None
    kept = [run for run in old["runs"] if run["measure"] not in new["taken"]]
    return {
        **new,
        "taken": {**old["taken"], **new["taken"]},
        "versions": {**old["versions"], **new["versions"]},
        "probe": {**old["probe"], **new["probe"]},
        "runs": kept + new["runs"],
    }
