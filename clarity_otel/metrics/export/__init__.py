"""Metrics by OTLP: what this process has measured, sent at an interval.

The data flow is: `cells` (this process's numbers of the catalog and of prometheus_client)
and `metrics.opentelemetry` (those of the OpenTelemetry API) become the tuples of `points`,
`deltas` makes differences of sums where those are preferred, and `exporter` hands all to
the `targets`: the native pipeline, or exporters written in Python.
"""
