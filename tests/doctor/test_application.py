"""The app is imported as a server would, in a process of its own, and what came of it is told."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clarity_otel.doctor import application
from clarity_otel.doctor.findings import Finding
from tests.backends.process import Process, clean_environment, wait_until

from .conftest import CLARITY
from .reports import by_id, only, text_of

Look = Callable[..., list[Finding]]
APP = "from fastapi import FastAPI\napp = FastAPI()\n"


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """``look(code, "module:app")``: what is found of an app with this code."""
    monkeypatch.chdir(tmp_path)

    def run(code: str, target: str = "shop:app", timeout_s: float = 20, **environ: str) -> object:
        (tmp_path / "shop.py").write_text(code)
        return application.check(target, clean_environment(environ), timeout_s)

    return run  # type: ignore[return-value]


def test_an_app_that_is_there(look: Look) -> None:
    """It is called what it is, and what is patched in it is listed, whatever it prints."""
    found = look(f"{APP}import redis, httpx\nprint('{{not json')\n")
    assert only(found, "app.import").level == "ok"
    assert only(found, "app.import").evidence["type"] == "fastapi.applications.FastAPI"
    patched = only(found, "app.patched").evidence["patched"]
    assert {"fastapi", "starlette", "redis", "httpx"} <= set(patched)  # type: ignore[arg-type]
    assert [one.what for one in found if one.level in ("warning", "problem")] == []


def test_a_factory(look: Look) -> None:
    """It is called, as the server would, and the option that it needs is named."""
    found = look(
        "def make():\n    from fastapi import FastAPI\n    return FastAPI()\n", "shop:make"
    )
    assert only(found, "app.import").level == "ok"
    assert "--factory" in only(found, "app.import").what
    assert "fastapi" in only(found, "app.patched").what


@pytest.mark.parametrize(
    ("code", "target", "words", "advice"),
    [
        (APP, "stop:app", "no module stop", "folder that your server is started in"),
        ("application = 1\n" + APP, "shop:ap", "shop has no ap", "--app shop:app"),
        ("app = 1\n", "shop:app", "is no ASGI app", "--app app:app"),
        ("def app(environ, start_response): ...\n", "shop:app", "WSGI", "flask"),
        ("import nowhere_at_all\n", "shop:app", "nowhere_at_all", "Install what provides"),
        ("raise RuntimeError('no password=hunter2')\n", "shop:app", "RuntimeError", "Mend"),
        ("def app(:\n", "shop:app", "SyntaxError", "Mend"),
        ("import sys; sys.exit(3)\n", "shop:app", "SystemExit", "Mend"),
        ("import os; os._exit(4)\n", "shop:app", "exit code 4", "printed last"),
    ],
    ids=["module", "attribute", "number", "wsgi", "dependency", "raises", "syntax", "exit", "dies"],
)
def test_an_app_that_cannot_be_served(
    code: str, target: str, words: str, advice: str, look: Look
) -> None:
    """Each way in which it fails is told apart, without a secret of its text."""
    found = look(code, target)
    finding = only(found, "app.import")
    assert finding.level in ("warning", "problem")
    assert words in finding.what
    assert advice in finding.advice
    assert "hunter2" not in text_of(found)


def test_the_line_that_fails_is_named(look: Look) -> None:
    """Of the app's own code, not of the libraries'."""
    found = look("\n\nimport json\n\njson.loads('{')\n")
    finding = only(found, "app.import")
    assert finding.evidence["line"] == 5
    assert str(finding.evidence["file"]).endswith("shop.py")


def test_an_error_of_the_import_stands_apart_from_its_place(look: Look) -> None:
    """Of text and place each is a whole word."""
    finding = only(look("import nowhere_at_all\n"), "app.import")
    assert "'nowhere_at_all' (" in finding.what


def test_a_library_is_listed_once(look: Look) -> None:
    """On the sdk engine contrib's instrumentor may stand beside a patch of ours."""
    found = look(f"{APP}import httpx\n", CLARITY_ENGINE="sdk")
    what = only(found, "app.patched").what
    assert what.count("httpx") == 1
    assert re.search(r"httpx [\d.]+ \(contrib\)", what)


def test_an_import_that_hangs_ends_with_its_time(look: Look) -> None:
    """The line that it waits in is named, and nothing of it is left running."""
    code = "import threading\n\nthreading.Event().wait()\n"
    found = look(code, timeout_s=6)
    finding = only(found, "app.import")
    assert finding.level == "problem"
    assert "did not end within 6 s" in finding.what
    assert str(finding.evidence["where"]).endswith('shop.py", line 3 in <module>')


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_doctor_that_is_stopped_leaves_nothing_running(
    number: int, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """Neither Ctrl-C nor a kill leaves the import of an app behind."""
    (tmp_path / "shop.py").write_text(
        "import os, threading\n"
        "open('pid', 'w').write(str(os.getpid()))\nos.rename('pid', 'is-importing')\n"
        "threading.Event().wait()\n"
    )
    process = run_process(
        [CLARITY, "doctor", "--no-send", "--app", "shop:app"], cwd=tmp_path, env={}
    )
    importing = tmp_path / "is-importing"
    wait_until(importing.exists, "the import begins")
    pid = int(importing.read_text())
    process.send(number)
    assert process.wait() != 0

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(is_gone, "the import has ended")
    if number == signal.SIGINT:
        assert process.stderr.strip() == "Stopped. Nothing is left running."


def test_an_app_that_sets_its_own_provider(look: Look) -> None:
    """It is said that Clarity OTel's stays, and how a processor of one's own is added."""
    code = f"""{APP}
from opentelemetry import trace, metrics
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider
trace.set_tracer_provider(TracerProvider())
metrics.set_meter_provider(MeterProvider())
"""
    found = look(code)
    levels = {one.level for one in by_id(found, "conflicts.provider")}
    assert levels == {"warning", "info"}
    assert any("add_span_processor" in one.advice for one in found)


def test_an_app_with_another_agent(look: Look, tmp_path: Path) -> None:
    """One that it imports is told; one that was there before us is a problem."""
    package = tmp_path / "ddtrace"
    package.mkdir()
    (package / "__init__.py").write_text("")
    found = look(f"{APP}import ddtrace\n")
    assert "ddtrace" in only(found, "conflicts.agent").what
    (package / "auto.py").write_text("")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import ddtrace.auto\n")
    found = look(f"{APP}import ddtrace\n", PYTHONPATH=f"{site}:{tmp_path}")
    assert only(found, "conflicts.stood_down").level == "problem"


@pytest.mark.parametrize("text", ["app", "app:", ":app", "app.py:app", "a b:c", "../app:app", ""])
def test_what_is_no_app(text: str) -> None:
    """A sentence says how it is written."""
    with pytest.raises(ValueError, match="is not module:attribute"):
        application.checked_target(text)


def test_a_factory_as_gunicorn_has_it() -> None:
    """Its brackets are left out."""
    assert application.checked_target(" shop.app:make() ") == "shop.app:make"
