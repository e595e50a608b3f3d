"""ML Model Performance: PAT inference, accuracy, predictions and their errors, cache, queue."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.grafana.panel import (
    HEATMAP,
    TABLE,
    TIME,
    Dashboard,
    Limit,
    Panel,
    Row,
    logs,
    stat,
)
from clarity_otel.stack.grafana.promql import buckets, increase, mean, quantile, rate, share, value
from clarity_otel.stack.thresholds import ML_FAILURE_RATIO, ML_QUEUE_REQUESTS

_PREDICTIONS = "clarity.ml.predictions"
_INFERENCE = "clarity.ml.inference.duration"
_PAT = "clarity.pat.analysis.duration"
_LOOKUPS = "clarity.ml.cache.lookups"
_FAILED = 'status="error"'
_ERRORS = Limit(ML_FAILURE_RATIO.limit)
_QUEUE = Limit(ML_QUEUE_REQUESTS.limit)
# Instances that differ: the worst is shown.
_WORST = "min"

DASHBOARD = Dashboard(
    "ml",
    "Clarity / ML Model Performance",
    "Predictions by model and version: how many, how fast, how accurate, how often they fail; PAT analyses, caches and queues.",
    (
        Row(
            "Now",
            (
                stat("Predictions", increase(_PREDICTIONS), "In the chosen range."),
                stat("Prediction rate", rate(_PREDICTIONS), "Predictions a second."),
                stat(
                    "Failed predictions",
                    share(rate(_PREDICTIONS, where=_FAILED), rate(_PREDICTIONS)),
                    "Share of predictions that failed.",
                    limit=_ERRORS,
                ),
                stat(
                    "p95 of inference",
                    quantile(0.95, _INFERENCE),
                    "95 of 100 inferences are faster.",
                ),
                stat(
                    "Lowest accuracy",
                    value("clarity.ml.model.accuracy", how=_WORST),
                    "Of the chosen models, as last measured.",
                ),
                stat(
                    "Waiting",
                    value("clarity.ml.queue.size"),
                    "Requests that wait for a model.",
                    limit=_QUEUE,
                ),
            ),
        ),
        Row(
            "Predictions",
            (
                Panel(
                    "Predictions by model",
                    (rate(_PREDICTIONS, "model", "version"),),
                    "Predictions a second.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Failed predictions by model",
                    (
                        share(
                            rate(_PREDICTIONS, "model", "version", where=_FAILED),
                            rate(_PREDICTIONS, "model", "version"),
                        ),
                    ),
                    "Share of a model's predictions. The line is MLModelFailure's.",
                    TIME,
                    12,
                    _ERRORS,
                ),
                Panel(
                    "Predictions by outcome",
                    (rate(_PREDICTIONS, "status"),),
                    "Predictions a second.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Models",
                    (
                        rate(_PREDICTIONS, "model", "version").named("Predictions"),
                        share(
                            rate(_PREDICTIONS, "model", "version", where=_FAILED),
                            rate(_PREDICTIONS, "model", "version"),
                        ).named("Failed"),
                        quantile(0.95, _INFERENCE, "model", "version").named("p95"),
                        value("clarity.ml.model.accuracy", "model", "version", how=_WORST).named(
                            "Accuracy"
                        ),
                    ),
                    "One version of a model a line.",
                    TABLE,
                    12,
                ),
            ),
        ),
        Row(
            "Inference",
            (
                Panel(
                    "p50, p95 and p99 of inference",
                    tuple(quantile(q, _INFERENCE, "model") for q in (0.5, 0.95, 0.99)),
                    "Points are single inferences: a click opens the trace in Jaeger.",
                    TIME,
                    12,
                ),
                Panel(
                    "Inferences by duration",
                    (buckets(_INFERENCE),),
                    "Inferences a second in each bucket of the histogram.",
                    HEATMAP,
                    12,
                ),
                Panel(
                    "p95 by version",
                    (quantile(0.95, _INFERENCE, "model", "version"),),
                    "A new version beside the one before.",
                    TIME,
                    12,
                ),
                Panel(
                    "Mean by outcome",
                    (mean(_INFERENCE, "model", "status"),),
                    "Failures that are fast, or slow.",
                    TIME,
                    12,
                ),
            ),
        ),
        Row(
            "PAT analysis",
            (
                Panel(
                    "Analyses by type",
                    (rate(_PAT, "analysis_type", "data_size"),),
                    "Analyses a second by type and data size.",
                    is_stacked=True,
                ),
                Panel(
                    "p95 of analyses",
                    (quantile(0.95, _PAT, "analysis_type", "data_size"),),
                    "Duration by type and data size.",
                ),
                Panel(
                    "Failed analyses",
                    (
                        share(
                            rate(_PAT, "analysis_type", where=_FAILED), rate(_PAT, "analysis_type")
                        ),
                    ),
                    "Share of analyses that failed.",
                    limit=_ERRORS,
                ),
            ),
        ),
        Row(
            "Accuracy and health",
            (
                Panel(
                    "Accuracy",
                    (value("clarity.ml.model.accuracy", "model", "version", how=_WORST),),
                    "As last measured, in the instance where it is lowest.",
                ),
                Panel(
                    "Health",
                    (value("clarity.ml.model.health", "model", "version", how=_WORST),),
                    "1 while a model is healthy in every instance.",
                    states={0: "not healthy", 1: "healthy"},
                ),
                Panel(
                    "p95 of loading a model",
                    (quantile(0.95, "clarity.ml.model.load.duration", "model", "version"),),
                    "Time that it takes to load.",
                ),
            ),
        ),
        Row(
            "Cache and queue",
            (
                Panel(
                    "Cache hits, as counted",
                    (
                        share(
                            rate(_LOOKUPS, "model", where='result="hit"'), rate(_LOOKUPS, "model")
                        ),
                    ),
                    "Share of lookups that a model's cache answered.",
                ),
                Panel(
                    "Cache hits, as reported",
                    (value("clarity.ml.cache.hit_ratio", "model", how=_WORST),),
                    "By the app itself, in the instance where it is lowest.",
                ),
                Panel(
                    "Cache lookups",
                    (rate(_LOOKUPS, "model", "result"),),
                    "Lookups a second.",
                    is_stacked=True,
                ),
                Panel(
                    "Requests that wait",
                    (value("clarity.ml.queue.size", "model"),),
                    "For a model, in all processes. The line is MLQueueGrowing's.",
                    TIME,
                    12,
                    _QUEUE,
                ),
                Panel(
                    "Inferences that run",
                    (value("clarity.ml.active_inferences", "model"),),
                    "In all processes.",
                    TIME,
                    12,
                ),
            ),
        ),
        Row(
            "Logs",
            (
                logs(
                    "Warnings and errors",
                    "| severity_number >= 13",
                    "From Loki; a line's trace_id opens its trace in Jaeger.",
                ),
            ),
        ),
    ),
)
