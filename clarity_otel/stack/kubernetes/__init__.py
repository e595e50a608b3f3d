"""The Kubernetes manifests below `observability/k8s`: small data in, objects out.

`programs` is the table of what runs, `edges` who talks to whom; `objects` makes the
workloads, `network` the policies, `configs` the ConfigMaps' files (the same that Compose
mounts), `operator` the objects of the Prometheus operator, `example` an instrumented app,
`tree` says which file holds what. `python -m clarity_otel.stack.kubernetes` writes all.
It needs PyYAML, which the checkout's environment has and an installed wheel does not ask for.
"""
