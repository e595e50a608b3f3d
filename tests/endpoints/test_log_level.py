"""PUT /api/v1/observability/log-level: in all workers, for its time, or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.backends.process import wait_until
from tests.endpoints.conftest import LOG_LEVEL, Service
from tests.logs.conftest import ENGINES


def levels_of_workers(service: Service) -> dict[int, int]:
    """Return the level of shop in each worker that answered one of many requests."""
    answers = [service.ask("/level").json for _ in range(40)]
    return {answer["pid"]: answer["level"] for answer in answers}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "engine"),
    [("uvicorn --workers 3", "native"), ("gunicorn", "native"), ("gunicorn", "sdk")],
)
def test_a_change_reaches_all_workers(
    server: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Whichever worker is asked, each of the three has the level within moments."""
    service = serve(server=server, engine=engine)
    wait_until(lambda: len(levels_of_workers(service)) == 3, "an answer of each worker")
    changed = service.ask(LOG_LEVEL, "PUT", {"logger": "shop", "level": "debug", "for": "10m"})
    assert changed.status == 200, changed.body
    (row,) = changed.json["changes"]
    assert (row["logger"], row["level"]) == ("shop", "DEBUG")
    assert row["until"]
    wait_until(lambda: set(levels_of_workers(service).values()) == {10}, "the level in all workers")
    assert service.ask(LOG_LEVEL, "PUT", {"logger": "shop", "level": None}).json["changes"] == []
    wait_until(lambda: set(levels_of_workers(service).values()) == {20}, "the app's own level")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_time_ends_by_itself(engine: str, serve: Callable[..., Service]) -> None:
    """In seconds, as a number."""
    service = serve(engine=engine)

    def level() -> int:
        found: int = service.ask("/level").json["level"]
        return found

    def is_in_force() -> bool:
        # Begun anew where a busy machine let the time pass between the two requests.
        service.ask(LOG_LEVEL, "PUT", {"logger": "root", "level": "ERROR", "for": 2})
        return level() == 40

    wait_until(is_in_force, "the change")
    wait_until(lambda: level() == 20, "the end of the time")
    assert service.ask(LOG_LEVEL).json["changes"] == []


WRONG: list[tuple[Any, int, str]] = [
    (b"{", 400, "not JSON"),
    (b"", 400, "not JSON"),
    (b"[" * 10000, 400, "not JSON"),
    (b" " * 20000, 413, "larger"),
    ([], 422, "object"),
    ({}, 422, "logger and level"),
    ({"logger": "shop"}, 422, "logger and level"),
    ({"logger": "shop", "level": "debug", "more": 1}, 422, "no more"),
    ({"logger": 1, "level": "debug"}, 422, "name"),
    ({"logger": "", "level": "debug"}, 422, "name"),
    ({"logger": "a b", "level": "debug"}, 422, "name"),
    ({"logger": "x" * 201, "level": "debug"}, 422, "name"),
    ({"logger": "shop", "level": "loud"}, 422, "is not a level"),
    ({"logger": "shop", "level": True}, 422, "level"),
    ({"logger": "shop", "level": -1}, 422, "level"),
    ({"logger": "shop", "level": 1.5}, 422, "level"),
    ({"logger": "shop", "level": ["debug"]}, 422, "level"),
    ({"logger": "shop", "level": "debug", "for": "tomorrow"}, 422, "time"),
    ({"logger": "shop", "level": "debug", "for": 0}, 422, "time"),
    ({"logger": "shop", "level": "debug", "for": -5}, 422, "time"),
    ({"logger": "shop", "level": "debug", "for": float("nan")}, 422, "time"),
    ({"logger": "shop", "level": "debug", "for": float("inf")}, 422, "time"),
    ({"logger": "shop", "level": "debug", "for": "99999999999999999999h"}, 422, "century"),
    ({"logger": "shop", "level": "debug", "for": 1e20}, 422, "century"),
    ({"logger": "shop", "level": "debug", "for": {"s": 1}}, 422, "time"),
]


@pytest.mark.slow
def test_what_is_no_change_is_a_sentence(serve: Callable[..., Service]) -> None:
    """Nothing changes, and the answer says what was wrong."""
    service = serve()
    for body, status, words in WRONG:
        reply = service.ask(LOG_LEVEL, "PUT", body, {"Content-Type": "application/json"})
        assert (reply.status, words in reply.json["error"]) == (status, True), (body, reply.body)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"Content-Type": media_type}
        reply = service.ask(LOG_LEVEL, "PUT", {"logger": "shop", "level": "debug"}, headers)
        assert reply.status == 415
    reply = service.ask(LOG_LEVEL, "DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, PUT, HEAD")
    head = service.ask(LOG_LEVEL, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert service.ask(LOG_LEVEL).json["changes"] == []
    assert levels_of_workers(service).popitem()[1] == 20


@pytest.mark.slow
def test_logging_that_is_left_alone_is_not_changed(serve: Callable[..., Service]) -> None:
    """CLARITY_LOGS=off: the app's levels are its own."""
    reply = serve(CLARITY_LOGS="off").ask(LOG_LEVEL, "PUT", {"logger": "shop", "level": "debug"})
    assert reply.status == 409
    assert "CLARITY_LOGS" in reply.json["error"]
