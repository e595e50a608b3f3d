"""What masking costs: a plain line, a line of a service's log, headers; beside logfire.

    pytest benchmarks/test_masking.py --benchmark-group-by=group

Budgets: a plain line of 120 bytes 2 us, a dict of 20 headers 10 us. The Python twin
stands beside the native masker; logfire's scrubber where it is installed (it masks a
span's attributes by key words alone).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clarity_otel.masking import twin

PLAIN = (
    "the nightly job has finished without any problem and all results were written to the "
    "store in the usual place, as ever."
)
ACCESS = (
    "GET /api/v1/orders/1234 took 17 ms for user 42, status=200, cache: hit, next run at "
    "2026-02-11T08:14:02 on worker-3, ok"
)
SECRET = "login failed for ann@example.com, password=hunter2 from shop, card 4111 1111 1111 1111"
HEADERS = {
    "host": "shop.example.com",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
    "accept": "text/html,application/json;q=0.9,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-US,en;q=0.5",
    "connection": "keep-alive",
    "content-type": "application/json",
    "content-length": "143",
    "origin": "https://shop.example.com",
    "referer": "https://shop.example.com/cart",
    "x-request-id": "6f1c2b9e-4f0a-4c57-9a3e-2d1b7c8e9f00",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "https",
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "dnt": "1",
    "sec-fetch-mode": "cors",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "authorization": "Bearer mF_9.B5f-4.1JqM",
    "cookie": "sid=31d4d96e407aad42; theme=dark",
}
CASES: dict[str, object] = {
    "plain line": PLAIN,
    "access line": ACCESS,
    "line with secrets": SECRET,
    "20 headers": HEADERS,
}


def native(value: object) -> Callable[[], object]:
    """The native masker."""
    from clarity_otel import _native

    return lambda: _native.mask_value(None, value)


def python_twin(value: object) -> Callable[[], object]:
    """The twin in Python."""
    return lambda: twin.mask_value(None, value)


def logfire(value: object) -> Callable[[], object]:
    """logfire's scrubber, which walks a span's attributes."""
    scrubbing = pytest.importorskip("logfire._internal.scrubbing")
    scrubber = scrubbing.Scrubber([])
    return lambda: scrubber.scrub_value(("attributes",), value)


@pytest.mark.parametrize("masker", [native, python_twin, logfire], ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", CASES)
def test_cost_of_masking(
    case: str, masker: Callable[[object], Callable[[], object]], benchmark: Any
) -> None:
    """One value under one masker."""
    benchmark.group = case
    benchmark(masker(CASES[case]))
