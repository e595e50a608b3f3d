"""Each patch can be switched off, is taken back, and steps aside where it does not fit."""

from __future__ import annotations

import threading
from importlib import import_module, reload

import httpx
import httpx._client
import pytest

from clarity_otel import patches
from clarity_otel.patches import table_of, unknown_version
from clarity_otel.patches.summary import sentence
from clarity_otel.patches.wrapping import Replaced
from clarity_otel.settings import load
from tests.patches.conftest import Recorder

# Importing them applies each patch of the table.
LIBRARIES = (
    "aiobotocore.client",
    "aiohttp",
    "botocore.client",
    "fastapi",
    "hypercorn.app_wrappers",
    "redis.asyncio.cluster",
    "requests",
    "uvicorn",
)


def _get() -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        client.get("http://h/")


def test_what_is_taken_back_is_the_original(spans: Recorder) -> None:
    """After uninstrument each patched class has the very attribute it had before."""
    for module in LIBRARIES:
        import_module(module)
    changes = [change for replaced in patches._applied.values() for change in replaced._done]
    assert len(changes) > 20
    for owner, name, original, replacement, _ in changes:
        assert vars(owner)[name] is replacement
        assert getattr(replacement, "__name__", None) == getattr(original, "__name__", None)
    patches.uninstrument()
    for owner, name, original, _, own in changes:
        assert (vars(owner)[name] is original) if own else (name not in vars(owner))
    patches.uninstrument()
    _get()
    assert spans.all() == []


def test_instrumenting_twice_is_one_span(spans: Recorder) -> None:
    """A second instrument() changes nothing."""
    patches.instrument(load({}))
    _get()
    spans.one("CLIENT")


def test_reloaded_module_is_patched_again(spans: Recorder) -> None:
    """A call of its new class is one span; uninstrument takes that patch back too."""
    before = httpx._client.Client
    names = dict(vars(httpx._client))
    try:
        after = reload(httpx._client).Client
        assert after is not before
        transport = httpx.MockTransport(lambda request: httpx.Response(200))
        with after(transport=transport) as client:
            client.get("http://h/")
        spans.one("CLIENT")
        patches.uninstrument()
        for patched in (after, before):
            assert not hasattr(patched._send_single_request, "__wrapped__")
    finally:
        vars(httpx._client).update(names)


@pytest.mark.parametrize("names", ["httpx", "redis,httpx", "*"])
def test_disabled_instrumentations(spans: Recorder, names: str) -> None:
    """A name, or * for all, switches a patch off."""
    patches.uninstrument()
    patches.instrument(load({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": names}))
    _get()
    assert spans.all() == []
    assert hasattr(threading.Thread.start, "__wrapped__") == (names != "*")


def test_unknown_version_steps_aside(
    spans: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version that the patch is not for is left alone, with one sentence."""
    patches.uninstrument()
    monkeypatch.setattr(httpx, "__version__", "7.1")
    patches.instrument(load({}))
    _get()
    assert spans.all() == []
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if "httpx" in line]
    reason = "version 7.1 is not one that is known (from 0.23, below 1.0)"
    assert line == f"clarity-otel: httpx is not traced: {reason}."


@pytest.mark.parametrize(
    ("library", "below", "what"),
    [
        ("fastapi", "1.0", "not traced"),
        ("starlette", "2.0", "not traced"),
        ("redis", "9.0", "left to its contrib instrumentor"),
        ("httpx", "1.0", "left to its contrib instrumentor"),
        ("botocore", "2.0", "left to its contrib instrumentor"),
        ("aiobotocore", "4.0", "left to its contrib instrumentor"),
    ],
)
def test_the_sdk_engine_leaves_a_newer_major_alone(
    library: str,
    below: str,
    what: str,
    spans: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the native engine's sentence; spans that are its contrib instrumentor's stay."""
    patches.uninstrument()
    rows = tuple(row for row in table_of("sdk") if row.name == row.library == library)
    for row in rows:
        import_module(row.module)
    monkeypatch.setattr(import_module(library), "__version__", "99.0")
    patches.instrument(load({}), rows)
    assert patches._applied == {}
    reason = f"version 99.0 is not one that is known (below {below})"
    assert f"clarity-otel: {library} is {what}: {reason}.\n" in capsys.readouterr().err
    monkeypatch.undo()
    patches.uninstrument()
    patches.instrument(load({}), rows)
    assert {file for _, file in patches._applied} == {row.file for row in rows}


def test_the_sdk_engine_leaves_old_versions_to_contrib() -> None:
    """Its packages say which ones they know, and know older ones than the native engine."""
    own = [row for row in table_of("sdk") if row.file.startswith("clarity_otel.engine.sdk")]
    assert {row.library for row in own} >= {"fastapi", "starlette", "redis", "httpx", "botocore"}
    assert [row.library for row in own if unknown_version(row, "0.1")] == []


@pytest.mark.parametrize("version", ["9", "9.0b1", "9rc1", "9.dev0", "10.0.0+local", "4", "4.6"])
def test_short_versions_and_pre_releases_are_read(version: str) -> None:
    """Another major version steps aside with its sentence, however it is written."""
    redis = next(patch for patch in patches.PATCHES if patch.library == "redis")
    assert patches.unknown_version(redis, version) == (
        f"version {version} is not one that is known (from 5.0, below 9.0)"
    )


@pytest.mark.parametrize("version", ["5", "5.0.0b1", "8rc2", "8.1+local", "v8.2", "", "unknown"])
def test_versions_that_are_known_and_those_that_tell_nothing(version: str) -> None:
    """What is in the range, or has no number, is patched."""
    redis = next(patch for patch in patches.PATCHES if patch.library == "redis")
    assert patches.unknown_version(redis, version) == ""


def test_missing_attribute_steps_aside(
    spans: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library without a part that is patched is left alone as a whole, with one sentence."""
    patches.uninstrument()
    monkeypatch.delattr(httpx._client.AsyncClient, "_send_single_request")
    patches.instrument(load({}))
    _get()
    assert spans.all() == []
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "httpx" in line]
    assert "httpx is not traced" in said
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in said


def test_another_tools_wrapper_stays() -> None:
    """What somebody has put around our patch is not lost when ours is taken back."""

    class Library:
        def call(self) -> str:
            return "original"

    replaced = Replaced()
    replaced.replace(Library, "call", lambda original: lambda self: f"ours({original(self)})")
    ours = Library.call
    Library.call = lambda self: f"theirs({ours(self)})"  # type: ignore[method-assign]
    replaced.undo()
    assert Library().call() == "theirs(ours(original))"


def test_summary_says_what_is_traced_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence: libraries with versions; others with the reason."""
    versions = {"fastapi": "0.165.0", "redis": "99.0", "httpx": "0.28.1"}
    monkeypatch.setattr("clarity_otel.patches.summary.versions_of", lambda libraries: versions)
    said = sentence(load({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx"}))
    traced, not_traced, not_installed = said.split("; ")
    assert traced == "traced when imported: fastapi 0.165.0"
    assert "httpx (switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)" in not_traced
    assert "redis (version 99.0 is not one that is known (from 5.0, below 9.0))" in not_traced
    assert not_installed.startswith("not installed: ")
    assert not_installed.endswith(".")
    assert "botocore" in not_installed


def test_the_sdk_engines_summary_is_of_its_own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What contrib traces without us is traced, with the reason why without us."""
    versions = {"fastapi": "1.2", "redis": "99.0", "httpx": "0.20.0"}
    monkeypatch.setattr("clarity_otel.patches.summary.versions_of", lambda libraries: versions)
    traced, not_traced, _ = sentence(load({}), "sdk").split("; ")
    alone = "by its contrib instrumentor alone: version 99.0 is not one that is known (below 9.0)"
    assert traced == f"traced when imported: redis 99.0 ({alone}), httpx 0.20.0"
    assert not_traced == "not traced: fastapi (version 1.2 is not one that is known (below 1.0))"
