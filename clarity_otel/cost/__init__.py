"""What Clarity OTel itself costs a running service, and what it does when that is too much.

`measure` tells the cost, `steps` decides by it, `reduce` leaves parts of the telemetry out,
and `limit` joins them, once a second on the metrics' thread (`CLARITY_GUARD`; the native
engine). See docs/reliability.md, "When it costs too much".
"""
