"""Production's engines behind the dashboard's questions.

`engine` asks any of them over HTTP, bounded; `prometheus` answers rate, errors and duration,
`prometheus_metrics` metrics, `jaeger` traces, `loki` logs; `exceptions` groups what the last
two hold; `compose` is `Query` over those that are given. Nothing is stored here.
"""
