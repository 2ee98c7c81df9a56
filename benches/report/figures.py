"""From the clients' answers to figures: rates, medians, spreads, and ratios of two peers within a round."""

import statistics

PER_CONNECTION = ("after_echo", "after_burst")


def figure(name, answer):
    """A figure of one answer, in the units of FORMATS of page.py: per second, microseconds, megabytes per second,
    bytes, seconds, a number."""
    if name == "rate":
        return many(answer) / answer["seconds"]
    if name == "cpu":
        return answer["cpu_seconds"] / many(answer) * 1e6
    if name == "megabytes":
        return many(answer) * answer["bytes"] / answer["seconds"] / 1e6
    if name in PER_CONNECTION:
        return (answer[f"{name}_bytes"] - answer["baseline_bytes"]) / answer["connections"]
    return answer[name]


def many(answer):
    """How many messages, or connections where it is about these."""
    return answer["messages"] if "messages" in answer else answer["connections"]


class Runs:
    """All the runs of a measurement."""

    def __init__(self, runs):
        self.answers = {}
        for run in runs:
            if "answer" in run:
                self.answers.setdefault((run["measure"], run["peer"]), {})[run["round"]] = run["answer"]

    def by_round(self, measure, peer, name):
        """A peer's figure in each round that has one; a client that does not tell it has none."""
        answers = self.answers.get((measure, peer), {})
        return {number: value for number, answer in answers.items() if (value := told(name, answer)) is not None}

    def values(self, measure, peer, name):
        return list(self.by_round(measure, peer, name).values())

    def paired(self, over, under, combine):
        """Two figures, each a (measure, peer, name), combined within each round that has both: what a round has in common falls out."""
        left, right = self.by_round(*over), self.by_round(*under)
        return [combine(left[number], right[number]) for number in sorted(left.keys() & right.keys())]

    def ratios(self, over, under):
        return self.paired(over, under, lambda left, right: left / right if right else float("inf"))

    def differences(self, over, under):
        return self.paired(over, under, lambda left, right: left - right)


def told(name, answer):
    try:
        return figure(name, answer)
    except (KeyError, ZeroDivisionError):
        return None


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the range, as a part of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0
