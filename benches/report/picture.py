"""The picture docs/performance.svg: a row for each client, a column of bars for each measure.

    picture.py FIGURES.json performance.svg
"""

import dataclasses
import json
import math
import pathlib
import sys

import figures
import plan

ROWS = ("gateway-tokio", "gateway-tokio-spawn", "gateway-std", "tokio-tungstenite", "tokio-tungstenite-batched",
        "tokio-tungstenite-small", "tungstenite", "fastwebsockets", "tokio-websockets", "yawc", "sockudo-ws", "ezsockets", "stream-tungstenite",
        "nautilus-network", "ws", "reconnecting-websocket", "partysocket")
LABELS = {"tokio-tungstenite-batched": "… batched flushes",
          "tokio-tungstenite-small": "… with a small buffer", "ws": "ws (Node)",
          "reconnecting-websocket": "reconnecting-websocket (Node)", "partysocket": "partysocket (Node)"}
BASE = "tokio-tungstenite"
OURS, THEIRS, INK, FAINT, LINES, PAPER = "#1f6feb", "#a8b3c1", "#1f2328", "#6e7781", "#e4e8ec", "#ffffff"
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "gateway",  # the same figures make the same file
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK,
}


@dataclasses.dataclass(frozen=True)
class Column:
    title: str
    note: str
    values: dict
    """Of each row that has one."""
    written: object
    """Writes a value."""
    powers: bool = False
    """Whether the scale is one of powers of ten."""


def columns(runs):
    def ratios(measure):
        return {peer: figures.median(values) for peer in ROWS
                if (values := runs.ratios((measure, peer, "rate"), (measure, BASE, "rate")))}
    memory = {peer: figures.median(values) for peer in ROWS if (values := runs.values("memory", peer, "after_echo"))}
    return (
        Column("Echoes in a plain loop", f"rate, against {BASE}", ratios("pipelined"), lambda value: f"{value:.1f}x"),
        Column("Flood", f"rate, against {BASE}", ratios("flood"), lambda value: f"{value:.2f}x"),
        Column("Memory of a connection", "bytes, log scale; less is better", memory, lambda value: f"{value:,.0f} B", powers=True),
    )


def drawn(data, path):
    """Writes the picture; ImportError where there is no matplotlib."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot

    shown = columns(figures.Runs(data["runs"]))
    rows = [peer for peer in ROWS if any(peer in column.values for column in shown)]
    with pyplot.rc_context(SETTINGS):
        height = 0.3 * len(rows) + 0.9
        figure, axes = pyplot.subplots(1, len(shown), sharey=True, figsize=(11, height), facecolor=PAPER)
        for axis, column in zip(axes, shown):
            bars(axis, rows, column)
        for label, peer in zip(axes[0].get_yticklabels(), rows):
            label.set(color=OURS if plan.is_ours(peer) else INK, fontweight="bold" if plan.is_ours(peer) else "normal")
        figure.subplots_adjust(left=0.225, right=0.975, top=1 - 0.58 / height, bottom=0.24 / height, wspace=0.1)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def bars(axis, rows, column):
    known = column.values.values()
    start = 10 ** math.floor(math.log10(max(min(known, default=1), 1))) / 2 if column.powers else 0.0
    greatest = max(known, default=1.0)
    lengths = [column.values.get(peer, start) - start for peer in rows]
    axis.barh(range(len(rows)), lengths, left=start, height=0.66, color=[OURS if plan.is_ours(peer) else THEIRS for peer in rows])
    for place, peer in enumerate(rows):
        told = column.written(column.values[peer]) if peer in column.values else "–"
        axis.annotate(told, (column.values.get(peer, start), place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9,
                      color=INK if peer in column.values else FAINT)
    axis.set_title(column.title, loc="left", fontsize=11, fontweight="bold", pad=17)
    axis.annotate(column.note, (0, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points", fontsize=9, color=FAINT)
    axis.set_yticks(range(len(rows)), [LABELS.get(peer, peer) for peer in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.spines["left"].set_color(THEIRS)
    axis.tick_params(which="both", bottom=False, left=False, labelbottom=column.powers, pad=2)
    if column.powers:
        powers_of_ten(axis, start, greatest)
    else:
        axis.set_xlim(0, greatest * 1.3)


def powers_of_ten(axis, start, greatest):
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xlim(start, start * (greatest / start) ** 1.5)
    decades = [10**power for power in range(1, 10) if start <= 10**power <= greatest]
    axis.set_xticks(decades, [f"{decade:,}" for decade in decades], color=FAINT, fontsize=8)
    axis.grid(axis="x", color=LINES, linewidth=0.8)
    axis.set_axisbelow(True)


if __name__ == "__main__":
    drawn(json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2])
