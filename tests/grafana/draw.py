"""Draws docs/pictures/grafana-*.png: each dashboard, of its queries' real answers.

Grafana itself does not run here. This draws what it would ask for, at the places where it
would stand: python -m tests.grafana.draw [SECONDS of load, 90 without].
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from PIL import Image

from tests.backends.aws_server import AwsServer
from tests.backends.build import build
from tests.backends.redis_server import RedisServer
from tests.grafana.files import DASHBOARDS, panels, target_of
from tests.grafana.running import Running, running
from tests.metrics.test_every_family import fill

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LIMIT_BYTES = 150_000
# A cell of the grid, in inches at 80 dots: 24 columns make 1,152 dots.
CELL_WIDTH, CELL_HEIGHT, DOTS = 0.6, 0.3, 80
MAX_SERIES, MAX_LINES = 10, 6
UNITS = {"reqps": " req/s", "cps": " /s", "ops": " ops/s", "binBps": "B/s", "bytes": "B"}
COLOURS = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]

Series = list[dict[str, Any]]


def text_of(value: float, unit: str) -> str:
    """A value as Grafana writes it, nearly."""
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "s":
        for size, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} s"
    if unit in ("bytes", "binBps"):
        power = 0
        while abs(value) >= 1024 and power < 4:
            value, power = value / 1024, power + 1
        return f"{value:.3g} {('', 'Ki', 'Mi', 'Gi', 'Ti')[power]}{UNITS[unit]}"
    if value >= 1000:
        return f"{value / 1000:.3g} K{UNITS.get(unit, '')}"
    return f"{value:.3g}{UNITS.get(unit, '')}"


def points(series: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Times and values of a series, be it of a moment or of a range."""
    rows = series["values"] if "values" in series else [series["value"]]
    return [float(at) for at, _ in rows], [float(value) for _, value in rows]


def name_of(metric: dict[str, str], legend: str) -> str:
    """The legend with its labels filled in."""
    name = re.sub(r"{{(\w+)}}", lambda found: metric.get(found[1], ""), legend).strip()
    # matplotlib leaves out names that begin with an underscore, such as __other__.
    return f" {name}" if name.startswith("_") else name or "none"


def draw_timeseries(ax: Axes, panel: dict[str, Any], answers: Sequence[Series]) -> None:
    """Lines, or areas on top of each other; the limit dashed."""
    defaults = panel["fieldConfig"]["defaults"]
    unit, custom = defaults["unit"], defaults.get("custom", {})
    lines = [
        (name_of(one["metric"], target["legendFormat"]), *points(one))
        for target, series in zip(panel["targets"], answers, strict=True)
        for one in series
    ]
    shown = sorted(lines, key=lambda line: -max((v for v in line[2] if v == v), default=0))
    shown = shown[:MAX_SERIES]
    if custom.get("stacking", {}).get("mode") == "normal" and shown:
        times = sorted({at for _, found, _ in shown for at in found})
        rows = [[dict(zip(t, v, strict=True)).get(at, 0) for at in times] for _, t, v in shown]
        rows = [[value if value == value else 0 for value in row] for row in rows]
        ax.stackplot(times, rows, labels=[line[0] for line in shown], alpha=0.6, colors=COLOURS)
    else:
        for (name, times, values), colour in zip(shown, COLOURS, strict=False):
            ax.plot(times, values, label=name, linewidth=1, color=colour)
        drawn = [value for _, _, values in shown for value in values if value == value]
        highest = max(drawn, default=0)
        ax.set_ylim(min([0, *drawn]), highest * 1.08 if highest > 0 else 1)
    top = ax.get_ylim()[1]
    limits = [step["value"] for step in defaults["thresholds"]["steps"] if step["value"]]
    for limit in limits if custom.get("thresholdsStyle") else []:
        if limit <= top * 3:
            ax.axhline(limit, color="tab:red", linestyle="--", linewidth=0.8)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, unit)))
    ax.tick_params(labelsize=5.5, length=2)
    ax.set_xticks([])
    ax.grid(visible=True, axis="y", linewidth=0.3)
    if shown:
        columns = 1 if max(len(line[0]) for line in shown) > 40 else 3
        ax.legend(
            fontsize=5, ncol=columns, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.02)
        )


def draw_stat(ax: Axes, panel: dict[str, Any], answers: Sequence[Series]) -> None:
    """The last value of each series, large; red beyond its limit."""
    defaults = panel["fieldConfig"]["defaults"]
    last = [points(one)[1][-1] for one in answers[0]][:1]
    steps = defaults["thresholds"]["steps"]
    has_limit = len(steps) > 1
    for value in last:
        value = round(value) if defaults.get("decimals") == 0 else value  # noqa: PLW2901
        colour = [s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1]
        ax.text(
            0.5,
            0.45,
            text_of(value, defaults["unit"]),
            ha="center",
            va="center",
            fontsize=15,
            color=f"tab:{colour}" if has_limit else "black",
        )
    ax.axis("off")


def draw_table(ax: Axes, panel: dict[str, Any], answers: Sequence[Series]) -> None:
    """A line for each set of labels, a column for each query."""
    columns = list(panel["transformations"][1]["options"]["renameByName"].values())
    units = {
        o["matcher"]["options"]: o["properties"][0]["value"]
        for o in panel["fieldConfig"]["overrides"]
    }
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    labels = sorted({label for series in answers for one in series for label in one["metric"]})
    for column, series in zip(columns, answers, strict=True):
        for one in series:
            key = tuple(one["metric"].get(label, "") for label in labels)
            rows.setdefault(key, {})[column] = text_of(points(one)[1][-1], units[column])
    cells = [[*key, *(row.get(c, "") for c in columns)] for key, row in sorted(rows.items())]
    ax.axis("off")
    drawn = ax.table(
        cellText=cells[:12] or [[""] * (len(labels) + len(columns))],
        colLabels=[*labels, *columns],
        loc="upper center",
        cellLoc="left",
        edges="horizontal",
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6)


def draw_heatmap(ax: Axes, panel: dict[str, Any], answers: Sequence[Series]) -> None:
    """Measurements a second in each bucket; the buckets of the answer are cumulative."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    by_bound = sorted((float(one["metric"]["le"]), *points(one)) for one in answers[0])
    times = sorted({at for _, found, _ in by_bound for at in found})
    grid, below = [], [0.0] * len(times)
    for _, found, values in by_bound:
        known = dict(zip(found, values, strict=True))
        row = [known.get(at, 0.0) for at in times]
        grid.append([now - before for now, before in zip(row, below, strict=True)])
        below = row
    ax.imshow(grid, aspect="auto", origin="lower", cmap="Blues", interpolation="nearest")
    names = [text_of(bound, unit) if bound < float("inf") else "+Inf" for bound, *_ in by_bound]
    ax.set_yticks(range(len(names)), names, fontsize=5)
    ax.set_xticks([])


def draw_logs(ax: Axes, panel: dict[str, Any], answers: Sequence[Series]) -> None:
    """The newest lines, with their severity and trace."""
    lines = sorted(
        (
            (at, one["stream"].get("severity_text", ""), one["stream"].get("trace_id", ""), line)
            for one in answers[0]
            for at, line in one["values"]
        ),
        reverse=True,
    )
    for number, (_, severity, trace_id, line) in enumerate(lines[:MAX_LINES]):
        text = f"{severity:8} {trace_id[:16]:16}  {line.splitlines()[0][:110]}"
        ax.text(
            0.01, 0.9 - number * 0.15, text.replace("$", r"\$"), family="monospace", fontsize=6.5
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.axis("off")


DRAW = {
    "timeseries": draw_timeseries,
    "stat": draw_stat,
    "table": draw_table,
    "heatmap": draw_heatmap,
    "logs": draw_logs,
}


def ask(name: str, stack: Running) -> dict[int, list[Series]]:
    """The answers to each panel's queries, by its id."""
    return {
        panel["id"]: [stack.ask(target_of(name, panel, target)) for target in panel["targets"]]
        for panel in panels(name)
    }


def draw(name: str, answers_of: dict[int, list[Series]]) -> bytes:
    """One dashboard as PNG: each panel at its place."""
    page = DASHBOARDS[name]
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in page["panels"])
    width, height = 24 * CELL_WIDTH, (rows + 1.5) * CELL_HEIGHT
    figure = plt.figure(figsize=(width, height), dpi=DOTS)
    figure.text(0.01, 1 - 0.8 * CELL_HEIGHT / height, page["title"], fontsize=14, weight="bold")

    def box(place: dict[str, int], *margins: float) -> tuple[float, float, float, float]:
        left, top, right, bottom = (m for m in margins)
        x, w = place["x"] * CELL_WIDTH + left, place["w"] * CELL_WIDTH - left - right
        y = (place["y"] + 1.5) * CELL_HEIGHT + top
        h = place["h"] * CELL_HEIGHT - top - bottom
        return x / width, 1 - (y + h) / height, w / width, h / height

    for panel in page["panels"]:
        place = panel["gridPos"]
        if panel["type"] == "row":
            x, y, _, _ = box(place, 0.1, 0.05, 0.1, 0.05)
            figure.text(x, y, f"▾ {panel['title']}", fontsize=10, color="tab:blue")
            continue
        is_chart = panel["type"] in ("timeseries", "heatmap")
        under = 0.75 if panel["type"] == "timeseries" else 0.1
        axes = figure.add_axes(
            box(place, 0.75 if is_chart else 0.15, 0.32, 0.15, under if is_chart else 0.1)
        )
        axes.set_title(panel["title"], fontsize=8, loc="left", pad=3)
        answers = answers_of[panel["id"]]
        if any(answers):
            DRAW[panel["type"]](axes, panel, answers)
        else:
            axes.axis("off")
            axes.text(0.5, 0.5, "No data on this machine", ha="center", fontsize=7, color="gray")
    png = io.BytesIO()
    figure.savefig(png, format="png")
    plt.close(figure)
    return _small(png)


def _small(png: io.BytesIO) -> bytes:
    """As few colours as keep it below the limit."""
    picture = Image.open(png).convert("RGB")
    for colours in (128, 64, 32, 16):
        out = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        if out.tell() <= LIMIT_BYTES:
            break
    return out.getvalue()


def main(arguments: list[str]) -> int:
    """Let the example work for a while, then draw all dashboards."""
    seconds = int(arguments[0]) if arguments else 90
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis, aws = RedisServer(folder / "redis"), AwsServer(folder / "aws")
        try:
            os.environ.update(aws.env)
            fill(aws)
            with running(folder, redis, aws, build("loki"), build("jaeger")) as stack:
                while stack.now_s() - stack.begun_s < seconds:
                    stack.load()
                # All at once: without requests there is nothing to see.
                answers = {dashboard: ask(dashboard, stack) for dashboard in DASHBOARDS}
                for dashboard in DASHBOARDS:
                    picture = draw(dashboard, answers[dashboard])
                    (PICTURES / f"grafana-{dashboard}.png").write_bytes(picture)
                    print(f"grafana-{dashboard}.png: {len(picture) / 1000:.0f} kB")
        finally:
            aws.stop()
            redis.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
