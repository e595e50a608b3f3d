"""How fast each service uses up its error budget, for errors and for slowness."""

from __future__ import annotations

from collections.abc import Callable

from clarity_otel.stack.alerts.objectives import (
    BY_SERVICE,
    DEFAULT,
    FAST,
    LEAST_REQUESTS,
    SLOW,
    WINDOWS,
    Burn,
    Objective,
)
from clarity_otel.stack.alerts.promql import metric, rate, share
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_COUNT = metric("http.server.request.duration", "_count")
_BUCKET = metric("http.server.request.duration", "_bucket")
_SECONDS = {"1h": 3600, "6h": 21_600, "1d": 86_400, "3d": 259_200}


def _objective(share_of: Callable[[Objective], float]) -> str:
    """Return the promised share of each service; `or` prefers what stands first."""
    own = [
        f'label_replace(vector({number(share_of(objective))}), "job", "{service}", "", "")'
        for service, objective in sorted(BY_SERVICE.items())
    ]
    return " or ".join([*own, f"0 * group by (job) ({_COUNT}) + {number(share_of(DEFAULT))}"])


def _bound(seconds: float) -> str:
    """Return a matcher of the bucket: 1 and 1.0 are the same bound."""
    text = f"{seconds:g}".replace(".", "\\\\.")
    return f'le=~"{text}(\\\\.0)?"'


def _fast(window: str) -> str:
    """Return the rate of requests that were fast enough, each service by its own bound."""
    by_bound: dict[float, list[str]] = {}
    for service, objective in sorted(BY_SERVICE.items()):
        by_bound.setdefault(objective.fast_s, []).append(service)
    rates = [
        rate(f'{_BUCKET}{{{_bound(bound)},job=~"{"|".join(services)}"}}', window)
        for bound, services in by_bound.items()
    ]
    others = f',job!~"{"|".join(sorted(BY_SERVICE))}"' if BY_SERVICE else ""
    return " or ".join([*rates, rate(f"{_BUCKET}{{{_bound(DEFAULT.fast_s)}{others}}}", window)])


def _burn_rates(what: str, share_of: Callable[[str], str]) -> tuple[Recording, ...]:
    return tuple(
        Recording(
            f"job:slo_{what}:burn_rate{window}",
            f"({share_of(window)}) / (1 - job:slo_{what}:objective)",
        )
        for window in WINDOWS
    )


def _failed(window: str) -> str:
    failed = rate(f'{_COUNT}{{http_response_status_code=~"5.."}}', window)
    return share(failed, rate(_COUNT, window))


def _slow(window: str) -> str:
    whole = rate(_COUNT, window)
    return f"1 - ({_fast(window)}) / ({whole} > 0)"


def _burns(what: str, burns: tuple[Burn, ...]) -> str:
    return " or ".join(
        f"(job:slo_{what}:burn_rate{burn.long} > {number(burn.rate)}"
        f" and job:slo_{what}:burn_rate{burn.short} > {number(burn.rate)}"
        f" and job:http_requests:rate{burn.long} * {_SECONDS[burn.long]} > {LEAST_REQUESTS})"
        for burn in burns
    )


_ERRORS = (
    "{{ $labels.job }} uses up its error budget "
    '{{ $value | printf "%.1f" }} times as fast as its objective allows: too many server errors'
)
_SLOWNESS = (
    "{{ $labels.job }} uses up its latency budget "
    '{{ $value | printf "%.1f" }} times as fast as its objective allows: too many slow requests'
)

GROUP = Group(
    "slo",
    (
        *(
            Recording(f"job:http_requests:rate{window}", rate(_COUNT, window))
            for window in _SECONDS
        ),
        Recording("job:slo_errors:objective", _objective(lambda o: o.answered)),
        Recording("job:slo_latency:objective", _objective(lambda o: o.fast)),
        *_burn_rates("errors", _failed),
        *_burn_rates("latency", _slow),
        Alert("ErrorBudgetBurnFast", _burns("errors", FAST), "critical", "api", _ERRORS, 2 * 60),
        Alert("ErrorBudgetBurnSlow", _burns("errors", SLOW), "warning", "api", _ERRORS, 15 * 60),
        Alert(
            "LatencyBudgetBurnFast", _burns("latency", FAST), "critical", "api", _SLOWNESS, 2 * 60
        ),
        Alert(
            "LatencyBudgetBurnSlow", _burns("latency", SLOW), "warning", "api", _SLOWNESS, 15 * 60
        ),
    ),
    interval_s=60,
)
