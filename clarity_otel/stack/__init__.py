"""What runs beside the services in production: rules, dashboards, configuration, manifests.

Data small enough to read stands in this package's modules; everything under
`observability/` and `docker-compose.observability.yml` is generated from it and from
the metrics' catalog, and committed. Nothing here is imported by an instrumented service.
"""
