"""Settings that have no effect are known by what the table says they need."""

from __future__ import annotations

import pytest

from clarity_otel.settings import VARIABLES, load
from clarity_otel.settings.effect import sentence, without_effect
from clarity_otel.settings.variables import BY_NAME, HONOURED, METRICS, NATIVE

GIVEN = {"CLARITY_GUARD": "3", "CLARITY_SPOOL_DIR": "/spool", "CLARITY_METRICS_PORT": "9090"}


@pytest.mark.parametrize(
    ("is_native", "metrics", "missing"),
    [
        (True, "true", {}),
        (False, "true", {NATIVE: ["CLARITY_GUARD", "CLARITY_SPOOL_DIR"]}),
        (True, "false", {METRICS: ["CLARITY_GUARD", "CLARITY_METRICS_PORT"]}),
        (
            False,
            "false",
            {
                NATIVE: ["CLARITY_GUARD", "CLARITY_SPOOL_DIR"],
                METRICS: ["CLARITY_GUARD", "CLARITY_METRICS_PORT"],
            },
        ),
    ],
)
def test_what_is_given_and_needs_what_is_not_there(
    is_native: bool, metrics: str, missing: dict[str, list[str]]
) -> None:
    """Each by what is missing, and nothing where all is there."""
    settings = load({**GIVEN, "CLARITY_METRICS_ENABLED": metrics})
    assert without_effect(settings, is_native=is_native) == missing


@pytest.mark.parametrize("name", ["CLARITY_GUARD", "CLARITY_SPOOL_LIMIT", "CLARITY_KEEP_ERRORS"])
def test_what_is_off_asks_for_nothing(name: str) -> None:
    """It is so without the native engine too."""
    settings = load({name: "false" if name == "CLARITY_KEEP_ERRORS" else "0"})
    assert settings.sources[name] == "environment"
    assert without_effect(settings, is_native=False) == {}


def test_defaults_are_not_told() -> None:
    """Nobody has asked for them."""
    assert without_effect(load({"CLARITY_METRICS_ENABLED": "false"}), is_native=False) == {}


def test_the_sentence() -> None:
    """It names the settings and the reason."""
    assert sentence(NATIVE, ["A"]) == (
        "A has no effect: only the native engine reads it, and the sdk engine runs."
    )
    assert sentence(METRICS, ["A", "B"]) == "A, B have no effect: CLARITY_METRICS_ENABLED=false."


def test_only_what_is_honoured_needs_anything() -> None:
    """The needs stand in the place of the reason why a setting does not count in full."""
    assert {one.status for one in VARIABLES if one.needs} == {HONOURED}
    assert BY_NAME["CLARITY_GUARD"].support == "honoured: needs the native engine and metrics"
    assert BY_NAME["OTEL_SERVICE_NAME"].support == "honoured"
