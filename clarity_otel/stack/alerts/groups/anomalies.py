"""Models against their own past: bands that adapt, on Prometheus alone.

docs/anomaly-detection.md explains them. The four signals are one family of series, told
apart by the label `signal`, so that what makes a band of a signal stands here once.
"""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_DURATION = metric("clarity.ml.inference.duration")
_ACCURACY = metric("clarity.ml.model.accuracy")
_BY = "job, model, version"
_INTERVAL_S = 60
_OK = '{status="ok"}'
_BUSY = f"job_model:ml_predictions:rate5m > {number(t.LEAST_PREDICTIONS_PER_S)}"

_VALUE = "model_signal:ml:value"
_EXPECTED = "model_signal:ml:expected"
_RESIDUAL = "model_signal:ml:residual"
_DEVIATION = "model_signal:ml:deviation"
_UPPER = "model_signal:ml:upper"
_LOWER = "model_signal:ml:lower"

_LEAST_VALUES = t.ANOMALY_LEAST_HISTORY_S // _INTERVAL_S
_WIDTH = number(t.ANOMALY_DEVIATIONS.limit)
_RATIO = number(t.ANOMALY_LEAST_DEVIATION_RATIO)
# The hour around this time a week ago, against the day that ended then; that day has to be a
# whole one, so there is a season after eight days.
_SEASON = (
    f"avg_over_time({_VALUE}[1h] offset 167h30m) - avg_over_time({_VALUE}[1d] offset 1w)"
    f" and present_over_time({_VALUE}[1h] offset 8d)"
)
_LEVEL = f"avg_over_time({_VALUE}[1d])"


def _varies(signals: str) -> str:
    return f'stddev_over_time({_RESIDUAL}{{signal=~"{signals}"}}[1d])'


# A model that never varies must not make an alert of nothing.
_SPREAD = " or ".join(
    (
        f"clamp_min({_varies('errors')}, {number(t.ANOMALY_LEAST_ERRORS_DEVIATION)})",
        f"clamp_min({_varies('accuracy')}, {number(t.ANOMALY_LEAST_ACCURACY_DEVIATION)})",
        _varies("latency|volume"),
    )
)
_LEAST = f'({_RATIO} * {_EXPECTED}{{signal!="accuracy"}} or 0 * {_EXPECTED}{{signal="accuracy"}})'


def _value(signal: str, expr: str) -> Recording:
    return Recording(_VALUE, expr, {"signal": signal})


def _outside(signal: str, *, above: bool = False, below: bool = False) -> str:
    of = f'{{signal="{signal}"}}'
    sides = [f"{_VALUE}{of} > {_UPPER}{of}"] if above else []
    sides += [f"{_VALUE}{of} < {_LOWER}{of}"] if below else []
    return " or ".join(sides)


_MODEL = "{{ $labels.model }} {{ $labels.version }} of {{ $labels.job }}"

GROUP = Group(
    "ml-anomalies",
    (
        _value(
            "latency",
            f"{rate(f'{_DURATION}_sum{_OK}', '5m', _BY)}"
            f" / ({rate(f'{_DURATION}_count{_OK}', '5m', _BY)} > 0) and {_BUSY}",
        ),
        _value("errors", f"job_model:ml_errors:ratio_rate5m and {_BUSY}"),
        _value("accuracy", f"max by ({_BY}) ({_ACCURACY})"),
        _value("volume", "job_model:ml_predictions:rate5m"),
        # The level of the last day, with the shape of the week before where it is known.
        Recording(_EXPECTED, f"clamp_min({_LEVEL} + ({_SEASON}), 0) or {_LEVEL}"),
        Recording(_RESIDUAL, f"{_VALUE} - {_EXPECTED}"),
        Recording(_DEVIATION, f"({_SPREAD}) > {_LEAST} or {_LEAST}"),
        # No band without six hours of values: a new model has no past, a rare one no statistics.
        Recording(
            _UPPER,
            f"{_EXPECTED} + {_WIDTH} * {_DEVIATION}"
            f" and count_over_time({_VALUE}[1d]) >= {_LEAST_VALUES}",
        ),
        Recording(
            _LOWER,
            f"clamp_min({_EXPECTED} - {_WIDTH} * {_DEVIATION}, 0)"
            f" and count_over_time({_VALUE}[1d]) >= {_LEAST_VALUES}",
        ),
        Alert(
            "MLLatencyAnomaly",
            _outside("latency", above=True),
            "warning",
            "ml",
            f"An inference of {_MODEL} takes {{{{ $value | humanizeDuration }}}} on average, "
            "more than its own past lets expect",
            t.ANOMALY_DEVIATIONS.for_s,
        ),
        Alert(
            "MLErrorRatioAnomaly",
            _outside("errors", above=True),
            "warning",
            "ml",
            f"{{{{ $value | humanizePercentage }}}} of the predictions of {_MODEL} fail, "
            "more than its own past lets expect",
            t.ANOMALY_DEVIATIONS.for_s,
        ),
        Alert(
            "MLAccuracyAnomaly",
            _outside("accuracy", below=True),
            "warning",
            "ml",
            f"The accuracy of {_MODEL} is {{{{ $value | humanizePercentage }}}}, "
            "less than its own past lets expect",
            t.ANOMALY_DEVIATIONS.for_s,
        ),
        # Few predictions are no anomaly of those who have few.
        Alert(
            "MLPredictionVolumeAnomaly",
            f"({_outside('volume', above=True, below=True)})"
            f' and {_EXPECTED}{{signal="volume"}} > {number(t.LEAST_PREDICTIONS_PER_S)}',
            "info",
            "ml",
            f'{_MODEL} makes {{{{ $value | printf "%.2f" }}}} predictions a second, '
            "not what its own past lets expect",
            t.ANOMALY_DEVIATIONS.for_s,
        ),
        # A slow decline takes the band along: so the last hour is held to days that were.
        Alert(
            "MLAccuracyDrift",
            f'100 * (avg_over_time({_VALUE}{{signal="accuracy"}}[3d] offset 1d)'
            f' - avg_over_time({_VALUE}{{signal="accuracy"}}[1h]))'
            f" > {number(100 * t.ACCURACY_DRIFT.limit)}",
            "warning",
            "ml",
            f'The accuracy of {_MODEL} is {{{{ $value | printf "%.1f" }}}} percentage points lower '
            "than in the days before",
            t.ACCURACY_DRIFT.for_s,
        ),
    ),
    interval_s=_INTERVAL_S,
)
