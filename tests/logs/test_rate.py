"""Rate limits: so many lines of one template, the rest counted and told of."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from clarity_otel.logs import rate
from clarity_otel.settings import load
from tests.logs.conftest import Output


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _record(message: str, *args: object, line: int = 1, level: int = logging.INFO) -> object:
    return logging.LogRecord("shop", level, "shop.py", line, message, args, None)


def _allowed(limiter: rate.RateLimiter, *records: object) -> list[bool]:
    return [limiter.allows(record) for record in records]  # type: ignore[arg-type]


def test_a_template_has_its_share_of_each_period() -> None:
    """Arguments do not make another template; another message, and a new period, do."""
    clock = Clock()
    limiter = rate.RateLimiter(2, 1.0, clock)
    same = [_record("order %d", n) for n in range(3)]
    assert _allowed(limiter, *same) == [True, True, False]
    assert _allowed(limiter, _record("other %d", 1)) == [True]
    clock.now_s += 1
    assert _allowed(limiter, *same) == [True, True, False]


def test_a_message_without_arguments_goes_by_its_place() -> None:
    """An f-string's text is new each time: its line in the code is the template."""
    limiter = rate.RateLimiter(1, 1.0, Clock())
    assert _allowed(limiter, _record("order 1"), _record("order 2"), _record("x", line=2)) == [
        True,
        False,
        True,
    ]


def test_errors_are_exempt() -> None:
    """A record of level ERROR and above is always written."""
    limiter = rate.RateLimiter(1, 1.0, Clock())
    assert all(_allowed(limiter, *[_record("x", level=logging.ERROR)] * 5))


def test_memory_is_bounded() -> None:
    """Beyond the limit of templates the oldest is forgotten."""
    limiter = rate.RateLimiter(1, 1.0, Clock())
    for number in range(2 * rate.TEMPLATES_LIMIT):
        limiter.allows(_record(f"template {number} %s", 1))  # type: ignore[arg-type]
    assert len(limiter._windows) == rate.TEMPLATES_LIMIT


def test_what_is_left_out_is_said(run_program: Callable[..., Output]) -> None:
    """At the latest at the end of the process, one line says how many there were."""
    output = run_program(
        """
import logging
logging.basicConfig(level=logging.INFO)
for number in range(10):
    logging.info("order %d", number)
logging.error("kept")
""",
        env={"CLARITY_LOG_RATE_LIMIT": "3/h"},
    )
    *written, last = output.lines()
    assert [line["message"] for line in written] == ["order 0", "order 1", "order 2", "kept"]
    assert last["message"] == "suppressed 7 lines like: order %d"
    assert last["extra"] == {"suppressed": 7}


@pytest.mark.parametrize(
    ("text", "value"), [("100/s", (100, 1.0)), ("5/M", (5, 60.0)), ("1/h", (1, 3600.0))]
)
def test_limits_have_a_unit(text: str, value: tuple[int, float]) -> None:
    """A count for each second, minute or hour."""
    assert load({"CLARITY_LOG_RATE_LIMIT": text}).log_rate_limit == value


@pytest.mark.parametrize("text", ["100", "0/s", "x/s", "1/d", "-1/s", "1/"])
def test_a_wrong_limit_is_a_sentence(text: str) -> None:
    """It names the variable, and there is no limit."""
    settings = load({"CLARITY_LOG_RATE_LIMIT": text})
    assert settings.log_rate_limit is None
    assert any("CLARITY_LOG_RATE_LIMIT" in sentence for sentence in settings.warnings)
