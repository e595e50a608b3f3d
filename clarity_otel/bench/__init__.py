"""Measure what instrumentation costs: paired runs, CPU per request, intervals.

`load` sends an exact number of requests, `cpu` reads what they cost the server,
`servers` starts what is measured, `paired` alternates bare and instrumented
slices, `statistics` turns pairs into a median with its interval. `turns` and
`worker` do the same without sockets. `command` is `clarity bench`.

Nothing here is imported by an instrumented app.
"""

from __future__ import annotations


class MeasurementError(RuntimeError):
    """A measurement cannot be made or went wrong; the message is a sentence for the user."""
