"""Which hosts are sent the trace (CLARITY_PROPAGATION_HOSTS), for patches written in Python.

The trace is what propagators write: traceparent, tracestate, baggage, and the headers of
whatever else OTEL_PROPAGATORS names. Requests to a host that is not listed go without
them, whoever has put them there: the instrumentors of others write them without a look at
the host, and HTTP clients copy them to where a redirect leads. While the setting names
every host, as it does unset, nothing is looked at.
"""

from __future__ import annotations

from clarity_otel.correlation import header_name
from clarity_otel.correlation.hosts import EVERY, is_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from typing import Any

# Also where OTEL_PROPAGATORS leaves them out: an older instrumentor may write them.
_W3C = frozenset({"traceparent", "tracestate", "baggage"})

_hosts: tuple[str, ...] = ()
_is_restricted = False


def use_hosts(hosts: Sequence[str]) -> None:
    """Set CLARITY_PROPAGATION_HOSTS: names, `*.example.com`, or `*` for all."""
    global _hosts, _is_restricted
    _hosts = tuple(pattern.lower() for pattern in hosts)
    _is_restricted = EVERY not in _hosts


def is_restricted() -> bool:
    """Whether some hosts are not sent the trace."""
    return _is_restricted


def goes_to(host: str | None) -> bool:
    """Whether `host` (without its port) is sent the trace; an unknown one is not."""
    return not _is_restricted or (bool(host) and is_named(str(host), _hosts))


def goes_to_url(url: object) -> bool:
    """The same for an address."""
    if not _is_restricted:
        return True
    from urllib.parse import urlsplit

    try:
        return goes_to(urlsplit(str(url)).hostname)
    except ValueError:
        return False


def is_carrier(name: object) -> bool:
    """Whether a header or a message's attribute is one that propagators write."""
    return _text(name).lower() in _names()


def withhold(host: str | None, headers: MutableMapping[Any, Any]) -> None:
    """Take the trace out of a request's `headers`, in place, unless it goes to `host`."""
    if goes_to(host):
        return
    for name in [name for name in headers if is_carrier(name)]:
        del headers[name]


def without(host: str | None, headers: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return `headers`, a copy without the trace where it does not go to `host`."""
    if goes_to(host) or not any(map(is_carrier, headers)):
        return headers
    kept: MutableMapping[Any, Any] = headers.copy()  # type: ignore[attr-defined]
    withhold(host, kept)
    return kept


def _names() -> frozenset[str]:
    import sys

    module = sys.modules.get("opentelemetry.propagate")
    if module is None:
        return _W3C
    fields = {name.lower() for name in module.get_global_textmap().fields}
    # The sdk engine reads the correlation id as a propagator: CLARITY_CORRELATION_HOSTS has it.
    return _W3C | (fields - {header_name().lower(), "x-request-id"})


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
