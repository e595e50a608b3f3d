"""`clarity demo`: two small services under load, with the dashboard, out of an installed wheel.

`shop` calls `stock`; both know nothing of telemetry. `visitors` is who uses them, `command`
starts it all. They need no more packages than the dashboard does. The larger example, with
Redis and AWS, is in the repository (`make demo`).
"""
