"""Grafana's dashboards: the committed files, and their queries against the real programs."""
