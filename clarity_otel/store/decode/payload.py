"""Protobuf payloads to rows: by the extension, which needs no message of them in Python.

The twin makes the official message and the rows of that. Both refuse the same payloads and
give the same rows (tests/store/test_twins.py), but for one bound: the extension refuses a
request of more than two million values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from clarity_otel.store.columns import Batch
from clarity_otel.store.decode.spans import WHY_REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    Decode = Callable[[bytes], tuple[dict[str, Any], int]]

# By signal; empty where the extension is missing. Metrics are few and stay in Python.
NATIVE: dict[str, Decode] = {}
try:
    from clarity_otel._native import decode_logs, decode_traces
except ImportError:
    pass
else:
    NATIVE.update(traces=decode_traces, logs=decode_logs)


def decode_payload(
    signal: str,
    payload: bytes,
    message: Any,
    twin: Callable[[Any, int], tuple[Batch, int, str]],
) -> tuple[Batch, int, str]:
    """Return the rows, how many items were refused, and why.

    `message` is the official class of the request, `twin` what makes rows of it. ValueError,
    with the reason, where the payload is no such message. The GIL is free while the
    extension reads.
    """
    native = NATIVE.get(signal)
    if native is None:
        try:
            return twin(message.FromString(payload), len(payload))
        except DecodeError as error:
            raise ValueError(str(error)) from None
    rows, refused = native(payload)
    return Batch(len(payload), rows), refused, WHY_REFUSED if refused else ""
