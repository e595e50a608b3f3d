"""What is left out at each level: cheapest to miss first.

| level | left out, with all that was before |
|---|---|
| 1 | the bodies of log records below ERROR that are sent by OTLP |
| 2 | of a span, attributes beyond 32 (8 of an event or a link), and captured headers |
| 3 | half of the new traces; what fails or is slow is kept as with any sampling ratio |
| 4 | nine tenths of them |

Sampling stands in `clarity.sampling.probability` of what is kept, as ever.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from clarity_otel.settings import Settings

NAMES = ("log bodies", "span attributes", "half of the traces", "nine tenths of the traces")
HIGHEST = len(NAMES)
_SHARES = (1.0, 1.0, 1.0, 0.5, 0.1)
_ATTRIBUTES, _OTHER_ATTRIBUTES = 32, 8


def sampled_share(level: int, settings: Settings) -> float:
    """Return the share of new traces that sampling keeps at `level`."""
    is_ratio = settings.traces_sampler.endswith("traceidratio")
    return _SHARES[level] * (settings.sampling_ratio if is_ratio else 1.0)


def to(level: int, settings: Settings) -> None:
    """Leave out what `level` says from now on, in this process."""
    from clarity_otel import _native
    from clarity_otel.engine import native

    _native.set_log_bodies(level < 1)
    native.reconfigure(_changes(level, settings))


def _changes(level: int, settings: Settings) -> dict[str, Any]:
    """Return the native configuration's keys that differ from the settings' at `level`."""
    changes: dict[str, Any] = {}
    if level >= 2:
        limits = settings.span_limits()
        for what, most in (
            ("attribute", _ATTRIBUTES),
            ("event_attribute", _OTHER_ATTRIBUTES),
            ("link_attribute", _OTHER_ATTRIBUTES),
        ):
            limit = limits[f"{what}_count"]
            changes[f"{what}_count_limit"] = most if limit is None else min(most, limit)
        changes["captured_headers"] = False
    if level >= 3:
        sampler = settings.traces_sampler.removeprefix("parentbased_")
        if sampler != "always_off":
            changes["sampler"] = "traceidratio"
            changes["sampling_rate"] = sampled_share(level, settings)
    return changes
