"""Models that fail, are not healthy, or do not keep up."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate, share
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_PREDICTIONS = metric("clarity.ml.predictions")
_DONE = f'{_PREDICTIONS}{{status!="cancelled"}}'  # who went away says nothing of the model
_HEALTH = metric("clarity.ml.model.health")
_QUEUE = metric("clarity.ml.queue.size")
_BY = "job, model, version"
_MODEL = "{{ $labels.model }} {{ $labels.version }} of {{ $labels.job }}"

GROUP = Group(
    "ml",
    (
        Recording("job_model:ml_predictions:rate5m", rate(_DONE, "5m", _BY)),
        Recording(
            "job_model:ml_errors:ratio_rate5m",
            share(rate(f'{_PREDICTIONS}{{status="error"}}', "5m", _BY), rate(_DONE, "5m", _BY)),
        ),
        Alert(
            "MLModelFailure",
            f"job_model:ml_errors:ratio_rate5m > {number(t.ML_FAILURE_RATIO.limit)}"
            f" and job_model:ml_predictions:rate5m > {number(t.LEAST_PREDICTIONS_PER_S)}",
            "critical",
            "ml",
            f"{{{{ $value | humanizePercentage }}}} of the predictions of {_MODEL} fail",
            t.ML_FAILURE_RATIO.for_s,
        ),
        Alert(
            "MLModelUnhealthy",
            f"{_HEALTH} == {number(t.MODEL_UNHEALTHY.limit)}",
            "warning",
            "ml",
            f"{_MODEL} says that it is not healthy",
            t.MODEL_UNHEALTHY.for_s,
        ),
        Alert(
            "MLQueueGrowing",
            f"min_over_time({_QUEUE}[10m]) > {number(t.ML_QUEUE_REQUESTS.limit)}"
            f" and deriv({_QUEUE}[10m]) > 0",
            "warning",
            "ml",
            "The queue of {{ $labels.model }} of {{ $labels.job }} grows: "
            '{{ $value | printf "%.0f" }} requests or more have waited for 10 minutes',
            t.ML_QUEUE_REQUESTS.for_s,
        ),
    ),
)
