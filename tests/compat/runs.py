"""One run of a suite: bare, or under clarity-instrument with one of the engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import clean_environment
from tests.compat.services import Places, service
from tests.compat.suites import Prepared

PLUGIN = Path(__file__).parent / "plugin"
BARE = "bare"
# Each engine, and what its spans call their SDK.
SDK_NAMES = {"native": "clarity_otel", "sdk": "opentelemetry"}
ENGINES = tuple(SDK_NAMES)
# Process groups of the suites that run at this moment.
_running: set[int] = set()


@dataclass
class Run:
    """What a run has shown; `end` is pytest's exit code, or what happened instead."""

    outcomes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    spans: int = 0
    # What called itself the SDK in them: tells the engines apart.
    senders: frozenset[object] = frozenset()
    duration_s: float = 0.0
    end: int | str = 0
    tail: str = ""

    def unfinished(self) -> list[str]:
        """The tests that began and have not ended: they have taken the process with them."""
        return [test for test, outcome in self.outcomes.items() if outcome == "started"]

    def passed(self) -> set[str]:
        """The tests that passed."""
        return {test for test, outcome in self.outcomes.items() if outcome == "passed"}


def run(
    prepared: Prepared,
    engine: str,
    arguments: Sequence[str],
    *,
    sends: bool = True,
    extra: Mapping[str, str] | None = None,
    deadline_s: float = 5400.0,
) -> Run:
    """Run the suite's tests once; `engine` is bare, native or sdk.

    An instrumented run sends all its signals to a server in this process that takes
    everything; with `sends` false, it exports nothing. `extra` are variables beyond that.
    An internal error of Clarity OTel is raised into the suite instead of being kept from
    it, so that it fails a test.
    """
    with (
        tempfile.TemporaryDirectory(prefix="clarity-compat-") as scratch,
        service(prepared.suite.service, Path(scratch), prepared.folder) as places,
        _sink() as sink,
    ):
        record = Path(scratch) / "outcomes.jsonl"
        record.touch()
        command = [str(prepared.environment / "bin" / "pytest")]
        command += ["-p", "compat_outcomes", "-q", "--continue-on-collection-errors"]
        command += [_placed(argument, places) for argument in arguments]
        if engine != BARE:
            command.insert(0, str(prepared.environment / "bin" / "clarity-instrument"))
        environ = _environ(prepared, engine, record, sink.endpoint if sends else None)
        for name, value in prepared.suite.environ.items():
            environ[name] = _placed(value, places)
        environ |= extra or {}
        started = time.monotonic()
        said = Path(scratch) / "said.txt"
        result = Run()
        result.end = _to_its_end(command, environ, prepared.folder, said, deadline_s)
        result.duration_s = time.monotonic() - started
        result.tail = said.read_text(errors="replace")[-6000:]
        spans = sink.spans()
        result.spans = len(spans)
        result.senders = senders(spans)
        _read(record, result)
        return result


def _placed(argument: str, places: Places) -> str:
    # Not str.format: a test's id may hold braces.
    for name, value in places.items():
        argument = argument.replace("{" + name + "}", str(value))
    return argument


def senders(spans: Sequence[Span]) -> frozenset[object]:
    """The names of the SDKs that made the spans: the native engine's is clarity_otel."""
    return frozenset(span.resource.get("telemetry.sdk.name") for span in spans)


def _environ(prepared: Prepared, engine: str, record: Path, endpoint: str | None) -> dict[str, str]:
    kept = {
        name: value
        for name, value in clean_environment().items()
        if not name.startswith(("PYTEST_", "VIRTUAL_ENV", "PYTHONPATH", "PIP_", "UV_"))
    }
    binaries = prepared.environment / "bin"
    environ = {
        **kept,
        "PATH": os.pathsep.join([str(binaries), kept["PATH"]]),
        "PYTHONPATH": str(PLUGIN),
        "COMPAT_OUTCOMES": str(record),
    }
    if engine != BARE:
        environ |= {"CLARITY_ENGINE": engine, "CLARITY_RAISE_INTERNAL_ERRORS": "true"}
        if endpoint is None:
            environ |= {
                f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")
            }
        else:
            environ |= {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            }
    return environ


def _to_its_end(
    command: Sequence[str], environ: dict[str, str], cwd: Path, said: Path, deadline_s: float
) -> int | str:
    """The exit code, or that the deadline has passed; nothing is left running."""
    with said.open("wb") as output:
        child = subprocess.Popen(
            command,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _running.add(child.pid)
    try:
        return child.wait(deadline_s)
    except subprocess.TimeoutExpired:
        return f"a hang of more than {deadline_s:g} s"
    finally:
        _running.discard(child.pid)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def end_with_what_runs(signal_number: int, _: object) -> NoReturn:
    """A signal's handler: the suites that run end with this process."""
    for pid in _running:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    sys.exit(128 + signal_number)


def _read(record: Path, result: Run) -> None:
    for line in record.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        # One that has only started has taken the whole process with it.
        result.outcomes[entry["test"]] = entry["outcome"]
        if entry["text"]:
            result.texts[entry["test"]] = entry["text"]


@contextmanager
def _sink() -> Iterator[OtlpHttpStub]:
    stub = OtlpHttpStub()
    try:
        yield stub
    finally:
        stub.stop()


def progress(text: str) -> None:
    """Say what goes on: a suite takes minutes."""
    print(text, file=sys.stderr, flush=True)
