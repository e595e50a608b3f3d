"""Business: users, sessions, health data, how it is processed, insights and their accuracy."""

from __future__ import annotations

from clarity_otel.stack.grafana.panel import TABLE, TIME, Dashboard, Panel, Row, stat
from clarity_otel.stack.grafana.promql import increase, mean, quantile, rate, share, value

_POINTS = "clarity.health_data.points"
_PROCESSING = "clarity.data_processing.duration"
_INSIGHTS = "clarity.insights.generated"
_ACCURACY = "clarity.insights.accuracy"
_SURE = 'confidence_level=~"high|very_high"'
# A user may be active on several instances, so that a sum would count some twice: the
# instance that saw most is a number that is true, and a lower bound of all.
_MOST = "max"

DASHBOARD = Dashboard(
    "business",
    "Clarity / Business",
    "Users and sessions, health data and its processing, insights and their accuracy.",
    (
        Row(
            "Now",
            (
                stat(
                    "Active users, 24 h",
                    value("clarity.active_users", where='window="24h"', how=_MOST),
                    "Different users, estimated to a few percent, of the instance that saw most.",
                ),
                stat(
                    "Sessions that are open",
                    value("clarity.sessions.active"),
                    "Begun and not ended.",
                ),
                stat("Sessions begun", increase("clarity.sessions"), "In the chosen range."),
                stat("Health data points", increase(_POINTS), "Taken in within the chosen range."),
                stat("Insights", increase(_INSIGHTS), "Generated in the chosen range."),
                stat(
                    "Lowest accuracy of insights",
                    value(_ACCURACY, how="min"),
                    "Of any type, as last measured.",
                ),
            ),
        ),
        Row(
            "Users and sessions",
            (
                Panel(
                    "Active users by window",
                    (value("clarity.active_users", "job", "window", how=_MOST),),
                    "Different users within 5 minutes, an hour, a day.",
                ),
                Panel(
                    "Sessions that are open",
                    (value("clarity.sessions.active", "job"),),
                    "Begun and not ended.",
                ),
                Panel("Sessions begun", (rate("clarity.sessions", "job"),), "A second."),
                Panel(
                    "Duration of sessions",
                    (
                        quantile(0.5, "clarity.session.duration"),
                        quantile(0.95, "clarity.session.duration"),
                    ),
                    "Of sessions that ended.",
                    TIME,
                    12,
                ),
                Panel(
                    "Mean duration of sessions",
                    (mean("clarity.session.duration", "job"),),
                    "Of sessions that ended.",
                    TIME,
                    12,
                ),
            ),
        ),
        Row(
            "Health data",
            (
                Panel(
                    "Data points by type",
                    (rate(_POINTS, "data_type"),),
                    "Taken in a second.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Data points by source",
                    (rate(_POINTS, "source"),),
                    "Taken in a second: a source that falls silent is seen here.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Processing by stage",
                    (rate(_PROCESSING, "stage", "status"),),
                    "Runs a second of each stage, by outcome.",
                    is_stacked=True,
                ),
                Panel(
                    "p95 of processing by stage",
                    (quantile(0.95, _PROCESSING, "stage"),),
                    "95 of 100 runs of a stage are faster.",
                ),
                Panel(
                    "Failed processing by stage",
                    (
                        share(
                            rate(_PROCESSING, "stage", where='status="error"'),
                            rate(_PROCESSING, "stage"),
                        ),
                    ),
                    "Share of a stage's runs.",
                ),
            ),
        ),
        Row(
            "Insights",
            (
                Panel(
                    "Insights by type",
                    (rate(_INSIGHTS, "insight_type"),),
                    "Generated a second.",
                    is_stacked=True,
                ),
                Panel(
                    "Insights by confidence",
                    (rate(_INSIGHTS, "confidence_level"),),
                    "Generated a second.",
                    is_stacked=True,
                ),
                Panel(
                    "Accuracy by type",
                    (value(_ACCURACY, "insight_type", how="min"),),
                    "As last measured, in the instance where it is lowest.",
                ),
                Panel(
                    "Types of insights",
                    (
                        increase(_INSIGHTS, "insight_type").named("Insights"),
                        share(
                            increase(_INSIGHTS, "insight_type", where=_SURE),
                            increase(_INSIGHTS, "insight_type"),
                        ).named("Of high confidence"),
                        value(_ACCURACY, "insight_type", how="min").named("Accuracy"),
                    ),
                    "In the chosen range.",
                    TABLE,
                    24,
                ),
            ),
        ),
    ),
)
