"""Alert and recording rules of Prometheus, as data: one file of `groups` is one group.

`generate` writes `observability/alert-rules.yml` and `observability/recording-rules.yml`
from them, with the limits of `stack/thresholds.py`, the objectives of `objectives.py` and
the names of the metrics' catalog. `command` is `clarity alerts`. Not imported by services.
"""
