"""A request is looked for in frames of the app's own objects, and nothing of theirs is run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from clarity_otel.logs import ids
from tests.logs.conftest import ENGINES, Output

IDS = ("1" * 32, "2" * 16, "order-1")
SCOPE = {ids.SPAN_KEY: IDS}


class Found:
    """Looks for the request from a method, as servers log."""

    def found(self) -> Any:
        return ids.of_request(None, sys._getframe())


class Kept(Found):
    """As uvicorn keeps it."""

    def __init__(self) -> None:
        self.scope = SCOPE


class Slotted(Found):
    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope = SCOPE


class WithDefault(Kept):
    scope: Any = None


class OfTheClass(Found):
    scope: Any = SCOPE


class Delegating(Kept):
    def __getattr__(self, name: str) -> Any:
        raise AssertionError("asked")

    def __getattribute__(self, name: str) -> Any:
        if name == "scope":
            raise AssertionError("asked")
        return super().__getattribute__(name)


@pytest.mark.parametrize("kind", [Kept, Slotted, WithDefault, OfTheClass, Delegating])
def test_a_scope_that_an_object_keeps_is_found(kind: type[Found]) -> None:
    """In the object, a slot, or its class; without asking what the class has of its own."""
    assert kind().found() == IDS


class Asked(Found):
    """One that notes who asks."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []


class Property(Asked):
    @property
    def scope(self) -> Any:
        self.asked.append("scope")
        return SCOPE


class Descriptor(Asked):
    class Lazy:
        """Makes a scope when it is asked for."""

        def __get__(self, thing: Any, owner: Any = None) -> Any:
            thing.asked.append("scope")
            return SCOPE

    scope = Lazy()


class Missing(Asked):
    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return SCOPE


@pytest.mark.parametrize("kind", [Property, Descriptor, Missing])
def test_a_scope_that_would_be_made_is_left_alone(kind: type[Asked]) -> None:
    """A property of the app's is not run for a log line."""
    thing = kind()
    assert thing.found() is None
    assert thing.asked == []


def test_locals_of_an_own_kind_are_left_alone() -> None:
    """What a metaclass or `exec` keeps its names in is the app's code too."""

    class Names(dict[str, Any]):
        def get(self, *given: Any) -> Any:
            raise AssertionError("asked")

    names = Names(ids=ids, sys=sys)
    exec("found = ids.of_request(None, sys._getframe())", {}, names)
    assert names["found"] is None


CALLS = {
    "logging": "import logging; logging.basicConfig(); log = logging.getLogger('shop').exception",
    "loguru": "import loguru; log = loguru.logger.exception",
    "structlog": """
import structlog
log = structlog.wrap_logger(structlog.PrintLogger(), processors=[
    structlog.processors.KeyValueRenderer()]).error""",
}
PROGRAM = """
class Order:
    asked = 0

    @property
    def scope(self):
        Order.asked += 1
        raise RuntimeError("not in a request")

    def place(self):
        try:
            raise ValueError("none left")
        except ValueError:
            log("failed")

Order().place()
assert Order.asked == 0
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("library", CALLS)
def test_an_object_whose_scope_raises_logs_as_ever(
    library: str, engine: str, run_program: Callable[..., Output]
) -> None:
    """Its call goes well, is one line, and its property is not run."""
    output = run_program(CALLS[library] + PROGRAM, engine=engine)
    assert output.returncode == 0, output.stderr
    assert output.messages("stdout" if library == "structlog" else "stderr") == ["failed"]
