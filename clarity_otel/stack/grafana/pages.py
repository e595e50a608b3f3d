"""All dashboards, in the order of their links."""

from __future__ import annotations

from clarity_otel.stack.grafana import api, business, ml, overview, security, system

DASHBOARDS = (
    overview.DASHBOARD,
    api.DASHBOARD,
    system.DASHBOARD,
    ml.DASHBOARD,
    security.DASHBOARD,
    business.DASHBOARD,
)
