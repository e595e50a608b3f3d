"""Settings that are given and have no effect in this process, by what the table says they need."""

from __future__ import annotations

from clarity_otel.settings.loading import DEFAULT
from clarity_otel.settings.variables import METRICS, NATIVE, VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_WHY = {
    NATIVE: "only the native engine reads {it}, and the sdk engine runs",
    METRICS: "CLARITY_METRICS_ENABLED=false",
}


def without_effect(settings: Settings, *, is_native: bool) -> dict[str, list[str]]:
    """Return the names of such settings by what is missing: NATIVE, METRICS.

    What is given as off, such as CLARITY_GUARD=0, asks for nothing that is not so.
    """
    missing = [
        need
        for need, is_there in ((NATIVE, is_native), (METRICS, settings.metrics_enabled))
        if not is_there
    ]
    given = [
        variable
        for variable in VARIABLES
        if settings.sources[variable.name] != DEFAULT and settings[variable.name]
    ]
    found = {need: [one.name for one in given if need in one.needs] for need in missing}
    return {need: names for need, names in found.items() if names}


def sentence(missing: str, names: list[str]) -> str:
    """Return what is said of them."""
    verb, it = ("has", "it") if len(names) == 1 else ("have", "them")
    return f"{', '.join(names)} {verb} no effect: {_WHY[missing].format(it=it)}."
