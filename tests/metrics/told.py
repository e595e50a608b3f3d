"""What only an app knows, told by every method of get_metrics()."""

from __future__ import annotations

from clarity_otel.metrics import get_metrics


def tell_all() -> None:
    """Each once: a third of the predictions fail, half of the attempts to log in."""
    metrics = get_metrics()
    with metrics.time_ml_inference("PAT", "v1"):
        metrics.set_queue_size("PAT", 2)
    metrics.record_prediction("PAT", "v1", "error", 0.2)
    metrics.record_prediction("sleep-stages", "v3", "ok", 0.04)
    with metrics.time_pat_analysis("sleep", 1440):
        pass
    metrics.record_pat_analysis("sleep", 0.5)
    with metrics.time_model_load("PAT", "v1"):
        pass
    metrics.set_model_accuracy("PAT", "v1", 0.9)
    metrics.set_model_health("PAT", "v1", is_healthy=True)
    metrics.cache_lookup("PAT", is_hit=True)
    metrics.set_cache_hit_rate("PAT", 0.5)
    metrics.auth_attempt("password", is_success=True)
    metrics.auth_attempt("token", is_success=False, reason="expired")
    metrics.account_lockout("too_many_attempts")
    metrics.rate_limit_hit("login")
    metrics.suspicious_activity("scan", "high")
    metrics.active_user("user-1")
    metrics.session_started()
    metrics.session_started()
    metrics.session_ended(60)
    metrics.record_health_data_points("steps", "watch", 100)
    with metrics.track_data_processing("parse"):
        pass
    metrics.insight_generated("sleep", "high")
    metrics.set_insight_accuracy("sleep", 0.8)
