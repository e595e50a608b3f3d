"""Metrics by OTLP, and the OpenTelemetry metrics API behind both doors."""
