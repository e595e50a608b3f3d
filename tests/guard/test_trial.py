"""A patch whose first calls fail inside our code is taken back, and the others stay."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clarity_otel import guard, patches
from clarity_otel.patches import Patch, trial
from clarity_otel.patches import httpx as httpx_patch
from clarity_otel.patches.wrapping import Replaced
from tests.patches.conftest import Recorder, _engine, spans  # noqa: F401 - fixtures

# Places in what patches use that are no patch's.
OF_NO_PATCH = {
    "the start of metrics": "a thread of ours",
    "metrics of the sdk engine": "the OpenTelemetry API, for all libraries",
}


class Library:
    """A class of a library, with a function and a coroutine function."""

    def call(self, number: int, meanwhile: Callable[[], None] | None = None) -> int:
        """Double."""
        if meanwhile is not None:
            meanwhile()
        return 2 * number

    async def wait(self) -> str:
        """Wait for nothing."""
        return "waited"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Failures are kept from the test, as from an app; no trial is left over."""
    monkeypatch.setattr(guard, "_raises", False)
    monkeypatch.setattr(guard, "_reported_at", {})
    monkeypatch.setattr(trial, "_trials", {})
    monkeypatch.setattr(trial, "_taken_back", {})
    return


class Patched:
    """`Library` under a patch whose hooks fail while `fails` is set."""

    def __init__(self, file: str = "httpx") -> None:
        self.cls: Any = type("Library", (Library,), dict(vars(Library)))
        self.fails = False
        self.outcomes: dict[str, str] = {}
        self.trial = trial.of(Patch("httpx", "library", file), self.outcomes)
        self.replaced = Replaced(self.trial)
        self.trial.add(Patch("httpx", "library", file), self.replaced)
        self.original = vars(self.cls)["call"]

        def look() -> None:
            with guard.never_break_the_app("httpx.enter"):
                if self.fails:
                    raise RuntimeError("broken")

        def make(original: Any) -> Any:
            def call(self: Any, number: int, *more: Any) -> Any:
                look()
                return original(self, number, *more)

            return call

        def make_async(original: Any) -> Any:
            async def wait(self: Any) -> Any:
                look()
                return await original(self)

            return wait

        self.replaced.replace(self.cls, "call", make)
        self.replaced.replace(self.cls, "wait", make_async)

    @property
    def is_in_place(self) -> bool:
        """Whether calls still pass the patch."""
        return vars(self.cls)["call"] is not self.original


def test_the_first_calls_fail(kept: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The patch is taken back after the third fault, with one sentence; calls go on."""
    patched = Patched()
    patched.fails = True
    answers = [patched.cls().call(n) for n in range(5)]
    assert answers == [0, 2, 4, 6, 8]
    assert not patched.is_in_place
    assert patched.outcomes == {"httpx": "taken back: it failed in httpx.enter"}
    assert trial.taken_back() == {"httpx": 1}
    assert guard.internal_errors()["httpx.enter"] >= trial.FAULTS
    assert capsys.readouterr().err.count("was taken back") == 1


def test_coroutines_count_too(kept: None) -> None:
    """A fault inside a coroutine is found on the stack as well."""
    patched = Patched()
    patched.fails = True

    async def wait() -> list[str]:
        return [await patched.cls().wait() for _ in range(4)]

    assert asyncio.run(wait()) == ["waited"] * 4
    assert not patched.is_in_place


def _parameters(function: Any) -> list[Any]:
    parameters = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]


def test_a_watched_hook_has_its_own_parameters() -> None:
    """uvicorn calls an app without arguments, to learn whether it is a factory."""

    async def one(self: Any, scope: Any, receive: Any = 3) -> Any:
        return [scope, receive]

    async def two(value: Any, /, *args: Any, key: Any = 4, **kwargs: Any) -> Any:
        return [value, args, key, kwargs]

    async def three(*, key: Any) -> Any:
        return key

    watching = trial.Trial("unit", {})
    for hook in (one, two, three):
        watched = watching.watched(hook)
        assert inspect.iscoroutinefunction(watched)
        assert _parameters(watched) == _parameters(hook)
        with pytest.raises(TypeError):
            watched()
    assert asyncio.run(watching.watched(one)(0, 1)) == [1, 3]
    assert asyncio.run(watching.watched(two)(1, 2, b=5)) == [1, (2,), 4, {"b": 5}]
    assert asyncio.run(watching.watched(three)(key=6)) == 6


def test_one_fault_is_forgiven(kept: None) -> None:
    """Fewer than three are counted, and the patch stays."""
    patched = Patched()
    patched.fails = True
    for _ in range(trial.FAULTS - 1):
        patched.cls().call(1)
    patched.fails = False
    for _ in range(trial.CALLS):
        patched.cls().call(1)
    assert patched.is_in_place
    assert patched.trial.is_over


def test_nothing_is_left_of_a_trial_that_was_passed(kept: None) -> None:
    """The hook itself is in place then, and later faults take nothing away."""
    patched = Patched()
    watched = vars(patched.cls)["call"]
    for _ in range(trial.CALLS):
        assert vars(patched.cls)["call"] is watched
        patched.cls().call(1)
    hook = vars(patched.cls)["call"]
    assert hook is not watched
    assert hook.__code__ not in trial._probe_codes
    patched.fails = True
    for _ in range(10 * trial.FAULTS):
        patched.cls().call(1)
    assert vars(patched.cls)["call"] is hook
    patched.replaced.undo()
    assert not patched.is_in_place


def test_what_the_application_raises_is_no_fault(kept: None) -> None:
    """A library call that fails is the application's own affair."""
    patched = Patched()
    for _ in range(2 * trial.FAULTS):
        with pytest.raises(TypeError):
            patched.cls().call(None)
    assert patched.is_in_place


def test_the_wrapper_of_somebody_else_stays(kept: None) -> None:
    """Where another tool has wrapped ours, its wrapper is not lost."""
    patched = Patched()
    ours = vars(patched.cls)["call"]

    def theirs(self: Any, number: int) -> Any:
        return ours(self, number)

    patched.cls.call = theirs
    for _ in range(trial.CALLS):
        patched.cls().call(1)
    assert vars(patched.cls)["call"] is theirs
    assert patched.cls().call(4) == 8


def test_below_the_wrapper_of_somebody_else_it_does_nothing(kept: None) -> None:
    """What is taken back there cannot be taken out: it calls the library's own function."""
    patched = Patched()
    patched.fails = True
    call, wait = vars(patched.cls)["call"], vars(patched.cls)["wait"]

    def their_call(self: Any, number: int) -> Any:
        return call(self, number)

    async def their_wait(self: Any) -> Any:
        return await wait(self)

    patched.cls.call, patched.cls.wait = their_call, their_wait
    before = guard.internal_errors().get("httpx.enter", 0)
    for number in range(2 * trial.FAULTS):
        assert patched.cls().call(number) == 2 * number
        assert asyncio.run(patched.cls().wait()) == "waited"
    assert patched.trial.is_taken_back
    assert guard.internal_errors()["httpx.enter"] - before == trial.FAULTS


def test_every_place_in_a_patch_is_a_patch_s() -> None:
    """By its first word; what fails elsewhere takes no patch back."""
    root = Path(patches.__file__).parents[1]
    sdk = root / "engine" / "sdk"
    files = [*root.glob("patches/*.py"), *sdk.glob("patches/*.py"), *sdk.glob("measured/*.py")]
    # `around` is given the first word.
    named = re.compile(
        r'(?:never_break_the_app|keep|record_failure|around\.\w+)\((?:original, \w+, )?"([^"]+)"'
    )
    places = {
        place
        for file in (*files, sdk / "asgi.py", sdk / "answering.py")
        for place in named.findall(file.read_text(encoding="utf-8"))
    }
    assert {"fastapi.own_telemetry", "gunicorn.worker", "httpx.header", "redis"} <= places
    assert {place for place in places if not trial.is_of_a_patch(place)} == OF_NO_PATCH.keys()


def test_places_that_no_patch_is_to_be_blamed_for(kept: None) -> None:
    """A span's own method that fails below a hook takes no patch away."""
    patched = Patched()

    def fail() -> None:
        guard.record_failure("Span.set_attribute", RuntimeError())

    for _ in range(2 * trial.FAULTS):
        assert patched.cls().call(1, fail) == 2
    assert patched.is_in_place


def test_a_real_patch_among_others(
    spans: Recorder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """httpx is given back as it was; the other patches trace on; the health tells."""
    monkeypatch.setattr(guard, "_raises", False)
    monkeypatch.setattr(guard, "_reported_at", {})

    def broken(request: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(httpx_patch, "httpx_enter", broken)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        assert [client.get("http://h/").status_code for _ in range(5)] == [200] * 5
    assert not hasattr(vars(httpx.Client)["_send_single_request"], "__wrapped__")
    assert patches.outcomes["httpx"] == "taken back: it failed in httpx.enter"
    assert patches.outcomes["threading"] == "patched"
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in capsys.readouterr().err
    # A reload does not bring it back.
    patches._apply(next(p for p in patches.PATCHES if p.file == "httpx"), httpx._client)
    assert not hasattr(vars(httpx.Client)["_send_single_request"], "__wrapped__")
    assert trial.taken_back()["httpx"] >= 1
