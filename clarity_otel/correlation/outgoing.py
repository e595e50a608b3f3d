"""Which outgoing requests carry the correlation id, for patches written in Python.

The native client spans follow the same rules in Rust.
"""

from __future__ import annotations

from clarity_otel.correlation import correlation_id, header_name
from clarity_otel.correlation.hosts import EVERY, is_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

# AWS Signature Version 4: the header says which headers were signed; one more may be
# refused by a proxy and helps nobody at AWS. What is signed in advance says so in its query.
_AWS_SIGNED = "AWS4-"
_AWS_PRESIGNED = ("X-Amz-Signature=", "AWSAccessKeyId=")
# Of a request: the id that we wrote into it. It may be sent again, in another request's context.
_WRITTEN = "_clarity_correlation_id"

_hosts: tuple[str, ...] = (EVERY,)


def use_hosts(hosts: Sequence[str]) -> None:
    """Set CLARITY_CORRELATION_HOSTS: names, `*.example.com`, or `*` for all."""
    global _hosts
    _hosts = tuple(pattern.lower() for pattern in hosts)


def is_wanted_by(host: str) -> bool:
    """Whether requests to `host` (without its port) carry the id."""
    return is_named(host, _hosts)


def write(
    host: str | None,
    headers: MutableMapping[str, str],
    *,
    query: str = "",
    request: object = None,
) -> None:
    """Add the header to a request's `headers`, where it belongs there.

    Not outside of a request, where the application has set the header by itself, or
    where the request is already signed for AWS, in a header or in its `query`. A header of
    ours that a redirect has brought to a host that is not asked for is taken out again, and
    so is that of an earlier sending of `request`, an object that the application may keep.
    `headers` are changed in place and may be case-sensitive.
    """
    value = correlation_id()
    written = getattr(request, _WRITTEN, None)
    if value is None and written is None:
        return
    name = header_name()
    wanted = name.lower()
    given = None
    is_signed = query != "" and any(pair.startswith(_AWS_PRESIGNED) for pair in query.split("&"))
    for key, content in headers.items():
        lower = _text(key).lower()
        if lower == wanted:
            given = key, _text(content)
        elif lower == "authorization" and _text(content).startswith(_AWS_SIGNED):
            is_signed = True
    if given is not None and written is not None and given[1] == written:
        del headers[given[0]]
        given = None
    if is_signed or value is None:
        return
    is_wanted = is_wanted_by(host or "")
    if given is None and is_wanted:
        headers[name] = value
        if request is not None:
            setattr(request, _WRITTEN, value)
    elif given is not None and given[1] == value and not is_wanted:
        del headers[given[0]]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
