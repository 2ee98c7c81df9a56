"""The files of all raw figures, one for each machine in docs/performance/: what is in one, and how a part of it is taken anew."""

import json

SAME = ("cpu", "cores", "kernel", "rustc", "node")
"""What has to be the same for figures to stand in one file."""


def load(path):
    return json.loads(path.read_text()) if path.exists() else None


def load_all(folder):
    """Those of every machine, the newest first; of two with figures of one day, that whose oldest are newer."""
    def age(data):
        dates = [each["date"] for each in data["taken"].values()]
        return max(dates), min(dates)
    return sorted(map(load, sorted(folder.glob("*.json"))), key=age, reverse=True)


def save(data, path):
    """One line a run, so that a change of one shows as one."""
    head = {name: value for name, value in data.items() if name != "runs"}
    lines = ",\n".join("  " + json.dumps(run) for run in data["runs"])
    path.write_text(json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n' + lines + "\n ]\n}\n")


def merged(old, new):
    """The new measures in the place of the old; None where they are not of one machine, and so belong in no file together."""
    if old is None or any(old["machine"][name] != new["machine"][name] for name in SAME):
        return None
    kept = [run for run in old["runs"] if run["measure"] not in new["taken"]]
    return {
        **new,
        "taken": {**old["taken"], **new["taken"]},
        "versions": {**old["versions"], **new["versions"]},
        "probe": {**old["probe"], **{measure: rates for measure, rates in new["probe"].items() if measure in new["taken"]}},
        "runs": kept + new["runs"],
    }
