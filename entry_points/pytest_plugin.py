"""The pytest fixture `clarity_overhead`: what tracing costs, in a test of your own.

    def test_tracing_is_cheap(clarity_overhead):
        cost = clarity_overhead("myapp.main:app", "/hello")
        assert cost.ratio.low < 1.1

pytest imports this module in every run: nothing is loaded before the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clarity_otel.bench.statistics import Comparison

PAIRS = 40


@pytest.fixture
def clarity_overhead(request: pytest.FixtureRequest) -> Callable[..., Comparison]:
    """`measure(app, path="/", pairs=40, env=None)`: CPU of a request, traced beside bare.

    Two processes on one core make requests to `app` ("module:app") in turn, one
    bare, one under `clarity-instrument`; no server and no socket is involved, so
    bare is less, and a ratio more, than a deployed service would show. Returns a
    Comparison: `bare_us`, `added_us` and `ratio`, the last two as a median
    (`value`) with a 95% interval (`low`, `high`). For a check that does not
    flake, compare an end of the interval with a bound that leaves room.

    With pytest-benchmark installed the traced blocks appear in its table, and the
    figures in its `extra_info`; call it once per test then. Raises MeasurementError
    with a sentence when the app does not start or answers with an error.
    """

    def measure(
        app: str, path: str = "/", pairs: int = PAIRS, env: Mapping[str, str] | None = None
    ) -> Comparison:
        from clarity_otel.bench.servers import Standins, Variant, exporting_to, script
        from clarity_otel.bench.turns import TurnTaking, costs

        with Standins(["sink"]) as standins:
            traced = exporting_to(standins.ports["sink"])
            variants = [
                Variant("bare"),
                Variant("clarity", script("clarity-instrument"), traced),
            ]
            here = {"PYTHONPATH": str(request.config.rootpath), **(env or {})}
            with TurnTaking(
                "clarity_otel.bench.asgi:requests", f"{app} {path}", variants, here
            ) as taking:
                benchmark = _benchmark(request)
                if benchmark is not None:
                    benchmark.pedantic(
                        taking.take, args=(1,), setup=lambda: taking.take(0), rounds=pairs
                    )
                while len(taking.turns["clarity"]) < pairs:
                    taking.take_all()
        comparison = costs(taking.turns)["clarity"].process
        if benchmark is not None:
            benchmark.extra_info["bare_us"] = comparison.bare_us
            benchmark.extra_info["added_us"] = comparison.added_us.as_dict()
            benchmark.extra_info["ratio"] = comparison.ratio.as_dict()
        return comparison

    return measure


def _benchmark(request: pytest.FixtureRequest) -> Any:
    """pytest-benchmark's fixture, or None where it is not installed."""
    if not request.config.pluginmanager.hasplugin("benchmark"):
        return None
    return request.getfixturevalue("benchmark")
