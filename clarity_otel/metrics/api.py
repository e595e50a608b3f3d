"""get_metrics(): what only the app knows.

Two ways to write: the families themselves, by the attribute that docs/metrics.md names,
and verbs that write to all families that belong together. Verbs never raise.
"""

from __future__ import annotations

import threading
from typing import Any, Literal

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.catalog import BY_ATTRIBUTE
from clarity_otel.metrics.recorders import (
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    NoOpRecorder,
    Recorder,
    exemplar,
)
from clarity_otel.metrics.timing import Timing

Severity = Literal["low", "medium", "high", "critical"]
Status = Literal["ok", "error", "cancelled"]

# A day of minutes is what an actigraphy model takes at a time; a week is long.
_DATA_SIZES = ((1440, "small"), (10080, "medium"))


class Metrics:
    """The app's metrics. Thread and fork safe; one for each process (`get_metrics()`).

    Families are made when they are first used. Labels are bounded and masked: never put
    a name, an address or an id into one all the same.
    """

    ml_predictions: Recorder[CounterSeries]
    ml_inference_duration: Recorder[HistogramSeries]
    ml_active_inferences: Recorder[GaugeSeries]
    ml_queue_size: Recorder[GaugeSeries]
    ml_cache_lookups: Recorder[CounterSeries]
    ml_cache_hit_rate: Recorder[GaugeSeries]
    pat_analysis_duration: Recorder[HistogramSeries]
    model_accuracy: Recorder[GaugeSeries]
    model_health: Recorder[GaugeSeries]
    model_load_duration: Recorder[HistogramSeries]
    auth_attempts: Recorder[CounterSeries]
    auth_failures: Recorder[CounterSeries]
    account_lockouts: Recorder[CounterSeries]
    rate_limit_hits: Recorder[CounterSeries]
    suspicious_activities: Recorder[CounterSeries]
    sessions: Recorder[CounterSeries]
    active_sessions: Recorder[GaugeSeries]
    session_duration: Recorder[HistogramSeries]
    health_data_points: Recorder[CounterSeries]
    data_processing_duration: Recorder[HistogramSeries]
    insights_generated: Recorder[CounterSeries]
    insight_accuracy: Recorder[GaugeSeries]

    def __init__(self, label_limit: int) -> None:
        self._label_limit = label_limit
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        family = BY_ATTRIBUTE.get(name)
        if family is None or name not in Metrics.__annotations__:
            raise AttributeError(f"there is no metric {name!r}; docs/metrics.md lists them")
        with self._lock:
            if name not in self.__dict__:
                self.__dict__[name] = Recorder(family, self._label_limit)
            return self.__dict__[name]

    # --- machine learning ---

    def time_ml_inference(self, model: str, version: str) -> Timing:
        """Time one inference: `with`, `async with`, or a decorator of any function.

        Counts a prediction with the status ok, error (an exception left the block) or
        cancelled, and its duration. Do not call `record_prediction` for it too.
        """
        running = self.ml_active_inferences.labels(model=model)

        def ended(status: str, seconds: float) -> None:
            running.dec()
            self._prediction(model, version, status, seconds)

        return Timing(ended, running.inc)

    def record_prediction(
        self, model: str, version: str, status: Status = "ok", duration_s: float | None = None
    ) -> None:
        """Count a prediction that was timed elsewhere, or not at all."""
        with never_break_the_app("record_prediction"):
            self._prediction(model, version, status, duration_s)

    def _prediction(self, model: str, version: str, status: str, seconds: float | None) -> None:
        labels = {"model": model, "version": version, "status": status}
        self.ml_predictions.labels(**labels).inc()
        if seconds is not None:
            self.ml_inference_duration.labels(**labels).observe(seconds, exemplar())

    def time_pat_analysis(self, analysis_type: str, data_points: int | None = None) -> Timing:
        """Time a PAT analysis; its data size is small up to a day of minutes, medium to a week."""
        size = "unknown" if data_points is None else _data_size(data_points)

        def ended(status: str, seconds: float) -> None:
            self.pat_analysis_duration.labels(
                analysis_type=analysis_type, data_size=size, status=status
            ).observe(seconds, exemplar())

        return Timing(ended)

    def record_pat_analysis(
        self,
        analysis_type: str,
        duration_s: float,
        data_points: int | None = None,
        status: Status = "ok",
    ) -> None:
        """Count a PAT analysis that was timed elsewhere."""
        with never_break_the_app("record_pat_analysis"):
            size = "unknown" if data_points is None else _data_size(data_points)
            self.pat_analysis_duration.labels(
                analysis_type=analysis_type, data_size=size, status=status
            ).observe(duration_s)

    def time_model_load(self, model: str, version: str) -> Timing:
        """Time the loading of a model."""

        def ended(_: str, seconds: float) -> None:
            self.model_load_duration.labels(model=model, version=version).observe(seconds)

        return Timing(ended)

    def set_model_accuracy(self, model: str, version: str, accuracy: float) -> None:
        """Tell a model's accuracy, 0 to 1, as it was just measured."""
        with never_break_the_app("set_model_accuracy"):
            self.model_accuracy.labels(model=model, version=version).set(accuracy)

    def set_model_health(self, model: str, version: str, is_healthy: bool) -> None:
        """Tell whether a model is healthy."""
        with never_break_the_app("set_model_health"):
            self.model_health.labels(model=model, version=version).set(1 if is_healthy else 0)

    def set_queue_size(self, model: str, size: int) -> None:
        """Tell how many requests wait for a model in this process."""
        with never_break_the_app("set_queue_size"):
            self.ml_queue_size.labels(model=model).set(size)

    def cache_lookup(self, model: str, is_hit: bool) -> None:
        """Count a lookup in a model's cache of results."""
        with never_break_the_app("cache_lookup"):
            result = "hit" if is_hit else "miss"
            self.ml_cache_lookups.labels(model=model, result=result).inc()

    def set_cache_hit_rate(self, model: str, ratio: float) -> None:
        """Tell the share of lookups that a model's cache answered, 0 to 1.

        For caches that count by themselves; `cache_lookup` lets Prometheus make the rate.
        """
        with never_break_the_app("set_cache_hit_rate"):
            self.ml_cache_hit_rate.labels(model=model).set(ratio)

    # --- security ---

    def auth_attempt(self, method: str, is_success: bool, reason: str = "unknown") -> None:
        """Count an attempt to authenticate; `reason` says why it failed (bad_password…)."""
        with never_break_the_app("auth_attempt"):
            outcome = "success" if is_success else "failure"
            self.auth_attempts.labels(method=method, outcome=outcome).inc()
            if not is_success:
                self.auth_failures.labels(method=method, reason=reason).inc()

    def account_lockout(self, reason: str) -> None:
        """Count an account that was locked."""
        with never_break_the_app("account_lockout"):
            self.account_lockouts.labels(reason=reason).inc()

    def rate_limit_hit(self, limit: str) -> None:
        """Count a request that a rate limit refused; `limit` is the limit's name."""
        with never_break_the_app("rate_limit_hit"):
            self.rate_limit_hits.labels(limit=limit).inc()

    def suspicious_activity(self, activity_type: str, severity: Severity) -> None:
        """Count something suspicious; `activity_type` is a kind, not what was seen."""
        with never_break_the_app("suspicious_activity"):
            self.suspicious_activities.labels(activity_type=activity_type, severity=severity).inc()

    # --- business ---

    def active_user(self, user_id: object) -> None:
        """Note that a user is active: counted once in 5 minutes, an hour and a day.

        The id is hashed with a key of the running service's own and not kept.
        """
        with never_break_the_app("active_user"):
            _active_users().note(user_id)

    def session_started(self) -> None:
        """Count a session, and one more that is active."""
        with never_break_the_app("session_started"):
            self.sessions.series.inc()
            self.active_sessions.series.inc()

    def session_ended(self, duration_s: float | None = None) -> None:
        """One session fewer is active; any process of the service may say so."""
        with never_break_the_app("session_ended"):
            self.active_sessions.series.dec()
            if duration_s is not None:
                self.session_duration.series.observe(duration_s)

    def record_health_data_points(self, data_type: str, source: str, count: int = 1) -> None:
        """Count health data points that were taken in."""
        with never_break_the_app("record_health_data_points"):
            self.health_data_points.labels(data_type=data_type, source=source).inc(count)

    def track_data_processing(self, stage: str) -> Timing:
        """Time a stage of data processing: `with`, `async with`, or a decorator."""

        def ended(status: str, seconds: float) -> None:
            self.data_processing_duration.labels(stage=stage, status=status).observe(
                seconds, exemplar()
            )

        return Timing(ended)

    def insight_generated(self, insight_type: str, confidence_level: str = "unknown") -> None:
        """Count an insight; confidence_level is low, medium, high, very_high or unknown."""
        with never_break_the_app("insight_generated"):
            self.insights_generated.labels(
                insight_type=insight_type, confidence_level=confidence_level
            ).inc()

    def set_insight_accuracy(self, insight_type: str, accuracy: float) -> None:
        """Tell the accuracy of a type of insights, 0 to 1, as it was just measured."""
        with never_break_the_app("set_insight_accuracy"):
            self.insight_accuracy.labels(insight_type=insight_type).set(accuracy)


class NoOpMetrics(Metrics):
    """All of it, doing nothing: while metrics are off."""

    def __init__(self) -> None:
        self._timing = Timing(lambda status, seconds: None)
        nothing = NoOpRecorder()
        self.__dict__.update(dict.fromkeys(Metrics.__annotations__, nothing))

    def time_ml_inference(self, model: str, version: str) -> Timing:
        """Run the block."""
        return self._timing

    def active_user(self, user_id: object) -> None:
        """Nothing."""


_lock = threading.Lock()
_metrics: Metrics | None = None
_users: Any = None


def get_metrics() -> Metrics:
    """Return the app's metrics, the same object at each call. Thread-safe; never raises.

    Off (CLARITY_METRICS_ENABLED=false, CLARITY_DISABLED or OTEL_SDK_DISABLED true) it is
    an object that does nothing. Without clarity-instrument or setup_observability it
    counts all the same, in this process.
    """
    global _metrics
    if _metrics is None:
        with _lock:
            if _metrics is None:
                _metrics = _make()
    return _metrics


def _make() -> Metrics:
    with never_break_the_app("get_metrics"):
        from clarity_otel.metrics import lifecycle

        if lifecycle.begin():
            return Metrics(lifecycle.settings().metrics_label_limit)
    return NoOpMetrics()


def _active_users() -> Any:
    global _users
    if _users is None:
        with _lock:
            if _users is None:
                from clarity_otel.metrics import lifecycle

                _users = lifecycle.active_users()
    return _users


def _data_size(data_points: int) -> str:
    return next((name for limit, name in _DATA_SIZES if data_points <= limit), "large")
