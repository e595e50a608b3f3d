"""Grafana's dashboards and data sources: `python -m clarity_otel.stack.grafana.generate`.

A dashboard is data, one file each: rows of panels, panels of queries. Queries are made from
the metrics' catalog (`promql.py`), which gives their names, labels and units; `build.py`
alone knows grafana-foundation-sdk, which only a development environment has.
"""
