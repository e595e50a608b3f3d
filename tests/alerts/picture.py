"""Draws docs/anomaly-detection.png: what the anomaly rules make of ten days of a model.

python -m tests.alerts.picture

The days are generated (a daily rhythm, noise, four events), all else is real: promtool puts
them into a TSDB and evaluates our recording rules over them, minute by minute, and
Prometheus answers the values, the bands and the alerts' expressions. Prometheus cannot be
asked what its `for` would have made of the past, so that is applied here: an alert fires
when its expression has held for so long.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

from clarity_otel.stack.alerts.groups import anomalies, ml
from clarity_otel.stack.alerts.rule import Alert, Recording
from tests.alerts.parts import ROOT
from tests.backends.build import build
from tests.backends.prometheus import Prometheus

mpl.use("Agg")
import matplotlib.pyplot as plt

PICTURE = ROOT / "docs" / "anomaly-detection.png"
START_S = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())
DAYS = 10
MINUTES = DAYS * 1440
END_S = START_S + MINUTES * 60
SHOWN_DAYS = 2
# What happens on the last day: from and to, in minutes of it.
SLOW, FEW, FAILING, WORSE = (240, 285), (600, 640), (900, 940), (1140, 1220)
SIGNALS = (
    ("latency", "mean inference, ms", 1000.0, "MLLatencyAnomaly"),
    ("volume", "predictions a second", 1.0, "MLPredictionVolumeAnomaly"),
    ("errors", "failed, %", 100.0, "MLErrorRatioAnomaly"),
    ("accuracy", "accuracy, %", 100.0, "MLAccuracyAnomaly"),
)
_OK = '{job="insights",model="PAT",version="v1",status="ok"}'
_ERROR = _OK.replace('"ok"', '"error"')


def within(minute: int, event: tuple[int, int]) -> bool:
    """Whether a minute is in an event of the last day."""
    return event[0] <= minute - (MINUTES - 1440) < event[1]


def exposition() -> Iterator[str]:
    """The ten days as OpenMetrics, one series after the other."""
    chance = random.Random(7)
    series: dict[str, list[float]] = {}
    good = bad = seconds = 0.0
    for minute in range(MINUTES):
        day = math.sin((minute / 1440 - 0.3) * 2 * math.pi)
        rate = max(0.3, 2 + 1.5 * day + chance.gauss(0, 0.12))
        rate *= 0.1 if within(minute, FEW) else 1
        failed = max(0.0, chance.gauss(0.006, 0.003)) + (0.05 if within(minute, FAILING) else 0)
        duration_s = 0.08 + 0.025 * day + chance.gauss(0, 0.004)
        duration_s *= 1.7 if within(minute, SLOW) else 1
        accuracy = 0.91 + 0.003 * day + chance.gauss(0, 0.004)
        accuracy -= 0.07 if within(minute, WORSE) else 0
        good += rate * 60 * (1 - failed)
        bad += rate * 60 * failed
        seconds += rate * 60 * (1 - failed) * duration_s
        for name, value in (
            (f"clarity_ml_predictions_total{_OK}", good),
            (f"clarity_ml_predictions_total{_ERROR}", bad),
            (f"clarity_ml_inference_duration_seconds_count{_OK}", good),
            (f"clarity_ml_inference_duration_seconds_sum{_OK}", seconds),
            ('clarity_ml_model_accuracy_ratio{job="insights",model="PAT",version="v1"}', accuracy),
        ):
            series.setdefault(name, []).append(value)
    for name, values in series.items():
        for minute, value in enumerate(values):
            yield f"{name} {value:.6f} {START_S + minute * 60}\n"
    yield "# EOF\n"


def levels() -> list[list[Recording]]:
    """The recording rules, those that read none of each other together."""
    found: list[list[Recording]] = [list(ml.GROUP.recordings)]
    for rule in anomalies.GROUP.recordings:
        if rule.name != found[-1][-1].name and rule.name != "model_signal:ml:lower":
            found.append([])
        found[-1].append(rule)
    return found


class Past:
    """A Prometheus whose data are ten days, to which rules are applied level by level."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, 0
        self._promtool, self._binary = build("promtool"), build("prometheus")
        text = folder / "days.txt"
        text.write_text("".join(exposition()))
        self._tool("create-blocks-from", "openmetrics", text, folder / "data")
        self._start()

    def _tool(self, *arguments: str | Path) -> None:
        subprocess.run([self._promtool, "tsdb", *arguments], check=True, stdout=subprocess.DEVNULL)

    def _start(self) -> None:
        flags = ("--storage.tsdb.retention.time=50y",)
        self._prometheus = Prometheus(self._folder, binary=self._binary, flags=flags)

    def apply(self, rules: list[Recording]) -> None:
        """Evaluate rules over all of the past; Prometheus begins anew and has their series."""
        self._runs += 1
        group = {"name": "g", "interval": "1m", "rules": [rule.rendered() for rule in rules]}
        file = self._folder / f"rules-{self._runs}.yml"
        file.write_text(json.dumps({"groups": [group]}))
        times = (f"--start={START_S}", f"--end={END_S - 60}", "--eval-interval=60s")
        folder = f"--output-dir={self._folder / 'data'}"
        where = f"--url={self._prometheus.endpoint}"
        self._tool("create-blocks-from", "rules", *times, where, folder, file)
        self._prometheus.kill()
        self._start()

    def values(self, expr: str) -> dict[int, float]:
        """An expression's value by time, in the days that are shown; empty without one."""
        start_s = END_S - SHOWN_DAYS * 86_400
        asked = {"query": expr, "start": start_s, "end": END_S - 60, "step": 60}
        url = f"{self._prometheus.endpoint}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            rows = json.load(answer)["data"]["result"]
        return {int(t): float(value) for row in rows for t, value in row["values"]}

    def close(self) -> None:
        self._prometheus.kill()


def firing(held: dict[int, float], alert: Alert) -> list[int]:
    """The times at which the alert has held for as long as it has to."""
    times, since = [], 0
    for at in sorted(held):
        since = since if at - 60 in held else at
        if at - since >= alert.for_s:
            times.append(at)
    return times


def draw(past: Past) -> dict[str, int]:
    """Draw the four signals; return how many minutes each alert fires."""
    alerts = {alert.name: alert for alert in anomalies.GROUP.alerts}
    figure, axes = plt.subplots(4, 1, figsize=(11, 10), sharex=True, layout="constrained")
    minutes = {}
    for axis, (signal, label, factor, name) in zip(axes, SIGNALS, strict=True):
        of = f'{{signal="{signal}"}}'

        def hours_and(values: dict[int, float], scale: float) -> tuple[list[float], list[float]]:
            times = sorted(values)
            hours = [(at - END_S) / 3600 + 24 for at in times]
            return hours, [values[at] * scale for at in times]

        upper = past.values(f"model_signal:ml:upper{of}")
        hours, tops = hours_and(upper, factor)
        _, bottoms = hours_and(past.values(f"model_signal:ml:lower{of}"), factor)
        axis.fill_between(hours, bottoms, tops, color="#9ecae1", alpha=0.5, label="band")
        expected = hours_and(past.values(f"model_signal:ml:expected{of}"), factor)
        axis.plot(*expected, color="#3182bd", linewidth=1, linestyle="--", label="expected")
        value = hours_and(past.values(f"model_signal:ml:value{of}"), factor)
        axis.plot(*value, color="#222222", linewidth=0.8, label="value")
        times = firing(past.values(alerts[name].expr), alerts[name])
        minutes[name] = len(times)
        for at in times:
            hour = (at - END_S) / 3600 + 24
            axis.axvspan(hour, hour + 1 / 60, color="#de2d26", alpha=0.35, linewidth=0)
        axis.set_ylabel(label)
        axis.set_title(f"{name}: fires for {len(times)} minutes", loc="left", fontsize=9)
    axes[0].legend(loc="upper left", ncols=3, fontsize=8)
    axes[-1].set_xlabel("hours of the last day; red: the alert fires")
    figure.savefig(PICTURE, dpi=90)
    return minutes


def main() -> int:
    """Write the picture and say what fired."""
    with tempfile.TemporaryDirectory() as folder:
        past = Past(Path(folder))
        try:
            for rules in levels():
                past.apply(rules)
            for name, minutes in draw(past).items():
                print(f"{name}: fires for {minutes} of {SHOWN_DAYS * 1440} minutes")
        finally:
            past.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
