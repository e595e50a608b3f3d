"""The limit of our own cost: steps up and down by the mean over a window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clarity_otel.cost.steps import Steps
from clarity_otel.settings import load

native = pytest.importorskip(
    "clarity_otel.engine.native", reason="not tested: steps of the native engine"
)

from clarity_otel import _native, diagnostics  # noqa: E402
from clarity_otel.cost import limit, reduce  # noqa: E402
from clarity_otel.cost.limit import CostLimit  # noqa: E402

LIMIT, WINDOW_S = 0.05, 30.0


def run(steps: Steps, ratio: float, seconds: int, start_s: int = 0) -> list[int]:
    """The level after each second in which so much of the CPU time was ours."""
    levels = []
    for second in range(start_s, start_s + seconds):
        steps.look(float(second), ratio, 1.0)
        levels.append(steps.level)
    return levels


def test_a_step_takes_a_whole_window() -> None:
    """Nothing happens before, and each further step waits for its own."""
    levels = run(Steps(LIMIT, WINDOW_S, 4), 0.06, 155)
    assert [levels.index(level) for level in (1, 2, 3, 4)] == [30, 61, 92, 123]
    assert levels[-1] == 4


def test_a_peak_is_no_reason() -> None:
    """What counts is the mean over the window."""
    steps = Steps(LIMIT, WINDOW_S, 4)
    for second in range(120):
        steps.look(float(second), 0.4 if second % 20 == 0 else 0.01, 1.0)
    assert steps.level == 0


def test_between_half_of_it_and_the_limit_nothing_changes() -> None:
    """So that it does not go up and down all the time."""
    steps = Steps(LIMIT, WINDOW_S, 4)
    run(steps, 0.06, 31)
    assert steps.level == 1
    assert set(run(steps, 0.03, 300, 31)) == {1}
    assert set(run(steps, 0.049, 300, 331)) == {1}


def test_it_comes_back_one_step_at_a_time() -> None:
    """Below half of the limit, again over a window each."""
    steps = Steps(LIMIT, WINDOW_S, 4)
    run(steps, 0.06, 155)
    levels = run(steps, 0.024, 155, 155)
    assert levels[-1] == 0
    assert sorted(set(levels), reverse=True) == [4, 3, 2, 1, 0]


def test_seconds_with_more_work_weigh_more() -> None:
    """The ratio is that of the sums."""
    steps = Steps(LIMIT, WINDOW_S, 4)
    steps.look(0.0, 0.01, 0.1)
    steps.look(1.0, 0.01, 0.9)
    assert steps.ratio == pytest.approx(0.02)


class Meter:
    """A meter that reads what the test says."""

    def __init__(self) -> None:
        self.sampled_share = 1.0
        self.cost_s = 0.0
        self.began_anew = 0

    def read(self) -> tuple[float, float]:
        """Of one second of CPU time."""
        return self.cost_s, 1.0

    def begin_anew(self) -> None:
        """Count it."""
        self.began_anew += 1


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the native module is told, in order."""
    told: list[Any] = []
    monkeypatch.setattr(_native, "set_log_bodies", told.append)
    monkeypatch.setattr(native, "reconfigure", told.append)
    monkeypatch.setattr(diagnostics, "_lowest", 0)
    return told


def looked(
    cost_limit: CostLimit, meter: Meter, clock: list[float], cost_s: float, seconds: int
) -> None:
    """So many looks, a second apart."""
    meter.cost_s = cost_s
    for _ in range(seconds):
        clock[0] += 1
        cost_limit.try_it()


def test_what_is_left_out_and_said(
    configured: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the documented order, with one warning that names the setting."""
    settings = load({"CLARITY_GUARD": "5", "CLARITY_GUARD_WINDOW_S": "10"})
    meter, clock = Meter(), [0.0]
    cost_limit = CostLimit(settings, meter, lambda: clock[0])  # type: ignore[arg-type]
    looked(cost_limit, meter, clock, 0.2, 60)
    assert cost_limit.level == reduce.HIGHEST
    attributes = {
        "attribute_count_limit": 32,
        "event_attribute_count_limit": 8,
        "link_attribute_count_limit": 8,
        "captured_headers": False,
    }
    half = {**attributes, "sampler": "traceidratio", "sampling_rate": 0.5}
    tenth = {**half, "sampling_rate": 0.1}
    assert configured == [False, {}, False, attributes, False, half, False, tenth]
    assert meter.sampled_share == 0.1
    looked(cost_limit, meter, clock, 0.0, 60)
    assert cost_limit.level == 0
    assert configured[-2:] == [True, {}]
    assert meter.sampled_share == 1.0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "CLARITY_GUARD=5" in said[0]
    assert "log bodies, span attributes" in said[0]
    assert "complete again" in said[1]


def test_limits_of_the_user_are_never_raised(configured: list[Any]) -> None:
    """A ratio is multiplied, a smaller limit stays, and who traces nothing goes on so."""
    given = {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.2",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "10",
    }
    changes = reduce._changes(4, load(given))
    assert changes["sampling_rate"] == pytest.approx(0.02)
    assert changes["attribute_count_limit"] == 10
    off = reduce._changes(4, load({"OTEL_TRACES_SAMPLER": "always_off"}))
    assert "sampler" not in off


def test_a_forked_child_measures_from_its_beginning(configured: list[Any]) -> None:
    """Its engine has inherited the level, and so has it."""
    settings = load({"CLARITY_GUARD_WINDOW_S": "10"})
    meter, clock = Meter(), [0.0]
    cost_limit = CostLimit(settings, meter, lambda: clock[0])  # type: ignore[arg-type]
    looked(cost_limit, meter, clock, 0.2, 11)
    assert cost_limit.level == 1
    looked(cost_limit, meter, clock, 0.2, 9)
    cost_limit.after_fork_in_child()
    assert (cost_limit.level, meter.began_anew) == (1, 1)
    looked(cost_limit, meter, clock, 0.2, 10)
    assert cost_limit.level == 1
    looked(cost_limit, meter, clock, 0.2, 1)
    assert cost_limit.level == 2


@pytest.mark.parametrize("value", ["0", "off", "0.0", "OFF"])
def test_nothing_is_measured_when_it_is_off(value: str) -> None:
    """No meter is made."""
    settings = load({"CLARITY_GUARD": value})
    assert settings.guard == 0
    assert not limit.is_wanted(settings)


@pytest.mark.parametrize("value", ["-1", "101", "much", "nan"])
def test_a_limit_that_is_none(value: str) -> None:
    """A sentence, and the default."""
    settings = load({"CLARITY_GUARD": value})
    assert settings.guard == 5.0
    assert any("CLARITY_GUARD" in sentence for sentence in settings.warnings)
