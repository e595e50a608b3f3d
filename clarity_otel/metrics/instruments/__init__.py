"""The OpenTelemetry metrics API, behind both doors.

The data flow is: `deferred` gives out meters and instruments without the SDK, which the
first measurement (or observable) brings in the background; `sdk` makes its MeterProvider
and readers; `reading` masks and bounds what they collect and turns it into the tuples of
`metrics.export.points`; `shown` writes it to the shared cells for /metrics. Metrics with a
name of the catalog join the catalog's family.
"""
