"""One small service under each set of versions, on both engines: are the spans the same?

    python -m tests.compat.versions                  all sets of versions.toml
    python -m tests.compat.versions oldest           one of them
    python -m tests.compat.versions --python 3.12    on that Python alone
    python -m tests.compat.versions --write          keep the results for docs/compatibility.md

The sdk engine's spans are those of the contrib instrumentations in that set. Compared are
kinds, names, parents, states and the attributes that searches and alerts stand on (`MAIN`);
what docs/differences.md lists may differ.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tests.backends.aws_server import AwsServer
from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port
from tests.backends.redis_server import RedisServer
from tests.compat import environments, results
from tests.compat.environments import UnavailableError
from tests.compat.runs import ENGINES, SDK_NAMES, progress, senders
from tests.differential.documented import Documented, documented
from tests.differential.runs import Backend, Calls, http_call, websocket_call
from tests.differential.trees import Difference, differences, trees
from tests.packaging.workshop import ROOT

HERE = Path(__file__).parent
LIBRARIES = ("fastapi", "starlette", "uvicorn", "gunicorn", "redis", "httpx", "botocore")
SHOWN = (*LIBRARIES, "opentelemetry-api", "opentelemetry-instrumentation")
# What the service needs beside the pins.
_OTHERS = ("uvicorn[standard]", "uvicorn-worker")
MAIN = ("http.", "url.", "server.", "network.protocol.", "db.", "rpc.", "aws.", "cloud.", "error.")
_FIELDS = ("span", "name", "parent", "status")
NOT_HERE = "this Python is not on this machine"

CALLS: Calls = [
    ("item", http_call("GET", "/items/3?a=b")),
    ("blocking", http_call("GET", "/blocking/3")),
    ("included router", http_call("GET", "/users/me")),
    ("not found", http_call("GET", "/missing")),
    ("not valid", http_call("GET", "/items/three")),
    ("error", http_call("GET", "/error")),
    ("websocket", websocket_call("/ws", "hello")),
    ("redis", http_call("GET", "/redis")),
    ("redis blocking", http_call("GET", "/redis-blocking")),
    ("http", http_call("GET", "/http")),
    ("http blocking", http_call("GET", "/http-blocking")),
    ("aws", http_call("GET", "/aws")),
]
# Of these, what gunicorn serves too: its workers are forked.
_UNDER_GUNICORN = ("item", "blocking", "error")
_APP = "tests.compat.smoke_app:app"
SERVERS: dict[str, tuple[tuple[str, ...], Calls]] = {
    "uvicorn": (("uvicorn", _APP, "--port", "{port}"), CALLS),
    "gunicorn": (
        (
            *("gunicorn", _APP, "--bind", "127.0.0.1:{port}", "--workers", "2"),
            *("--worker-class", "uvicorn_worker.UvicornWorker"),
        ),
        [call for call in CALLS if call[0] in _UNDER_GUNICORN],
    ),
}


@dataclass(frozen=True)
class VersionSet:
    """A row of versions.toml."""

    name: str
    pythons: tuple[str, ...]
    pins: tuple[str, ...] = ()
    locked: bool = False


@dataclass
class Outcome:
    """What a set has shown on a Python; `problem` where it could not be tried."""

    name: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)
    spans: dict[str, int] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def is_same(self) -> bool:
        """Whether the engines gave the same spans."""
        return not self.problem and not self.unlisted


def _table() -> dict[str, dict[str, object]]:
    return tomllib.loads((HERE / "versions.toml").read_text(encoding="utf-8"))


def sets() -> dict[str, VersionSet]:
    """The sets of versions.toml by name."""
    return {
        name: VersionSet(
            name,
            tuple(row["pythons"]),  # type: ignore[arg-type]
            tuple(row.get("pins", ())),  # type: ignore[arg-type]
            bool(row.get("locked", False)),
        )
        for name, row in _table().items()
        if name != "difference"
    }


def allowed(name: str) -> list[Documented]:
    """The rows of docs/differences.md, and those of versions.toml that concern a set."""
    found = documented()
    for row in _table().get("difference", ()):  # type: ignore[attr-defined]
        if fnmatchcase(name, row["set"]):
            found.append(Documented(**{key: row[key] for key in row if key != "set"}))
    return found


class Surroundings:
    """The real servers that the service calls, for all sets."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        redis = RedisServer(folder / "redis")
        self._stack.callback(redis.stop)
        aws = AwsServer(folder / "aws")
        self._stack.callback(aws.stop)
        backend = Backend()
        self._stack.callback(backend.stop)
        self.environ = {"REDIS_PORT": str(redis.port), "BACKEND": backend.url, **aws.env}

    def stop(self) -> None:
        """End them."""
        self._stack.close()


def try_set(chosen: VersionSet, python: str, surroundings: Surroundings) -> Outcome:
    """Run the service under a set's versions with both engines, and compare.

    `python` is an interpreter. Raises UnavailableError where the set cannot be installed.
    """
    outcome = Outcome(chosen.name, environments.version_of_python(python))
    held = environments.locked() if chosen.locked else []
    environment = environments.environment(
        f"{chosen.name.replace(' ', '-')}-{outcome.python}",
        python,
        [*LIBRARIES, *_OTHERS, *chosen.pins],
        held,
    )
    every = environments.installed(environment)
    outcome.versions = {name: every[name] for name in SHOWN}
    rows = allowed(chosen.name)
    for server, (command, calls) in SERVERS.items():
        cases = [case for case, _ in calls]
        port = free_port()
        spans = {
            engine: _serve(environment, command, engine, port, calls, surroundings.environ)
            for engine in ENGINES
        }
        for engine, name in SDK_NAMES.items():
            if senders(spans[engine]) != {name}:
                raise UnavailableError(
                    f"the {engine} engine did not run on Python {outcome.python}: is its "
                    "extension built (make test-matrix does it)?"
                )
        native, sdk = (trees(spans[engine], cases) for engine in ENGINES)
        for engine in ENGINES:
            outcome.spans[engine] = outcome.spans.get(engine, 0) + len(spans[engine])
        for case in cases:
            if not native[case]:
                outcome.unlisted.append(f"{server} {case}: no span on the native engine")
            # Its name in docs/differences.md is that of the differential tests.
            subject = case if case.split()[0] in ("redis", "aws") else f"fastapi {case}"
            outcome.unlisted += [
                f"{server}: {found}"
                for found in differences(subject, native[case], sdk[case])
                if _counts(found) and not any(row.covers(found) for row in rows)
            ]
    return outcome


def _counts(found: Difference) -> bool:
    return found.field in _FIELDS or found.field.removeprefix("attributes.").startswith(MAIN)


def _serve(
    environment: Path,
    command: tuple[str, ...],
    engine: str,
    port: int,
    calls: Calls,
    environ: Mapping[str, str],
) -> list[Span]:
    stub = OtlpHttpStub()
    binaries = environment / "bin"
    launched = [
        binaries / "clarity-instrument",
        binaries / command[0],
        *(word.format(port=port) for word in command[1:]),
    ]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="clarity-versions-") as folder,
            Process(
                launched,
                Path(folder),
                env={
                    **environ,
                    "CLARITY_ENGINE": engine,
                    "CLARITY_RAISE_INTERNAL_ERRORS": "true",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    "OTEL_SERVICE_NAME": "smoke",
                    "PYTHONPATH": str(ROOT),
                },
                cwd=ROOT,
                ready_port=port,
                timeout_s=240,
            ) as process,
        ):
            _wait_for_an_answer(port)
            for case, call in calls:
                try:
                    call(port, case)
                except OSError as error:
                    raise AssertionError(f"{case}: {error!r}\n{process.output}") from error
            process.stop(signal.SIGTERM)
        return stub.spans()
    finally:
        stub.stop()


def _wait_for_an_answer(port: int) -> None:
    # gunicorn listens long before a worker serves. The request belongs to no case.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def pythons() -> dict[str, str]:
    """The interpreters found here, by their version; "" is this one."""
    found = subprocess.run([ROOT / "tools" / "setup.sh", "pythons"], capture_output=True, text=True)
    rows = (line.split(" ", 1) for line in found.stdout.splitlines())
    return {"": sys.executable, **dict(rows)}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat.versions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("set", nargs="*", help="a set of versions.toml")
    parser.add_argument("--python", action="append", help="such as 3.12 (may be repeated)")
    parser.add_argument("--write", action="store_true", help="keep the results for the page")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends all it began
    known, here = sets(), pythons()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="clarity-versions-") as folder:
        surroundings = Surroundings(Path(folder))
        try:
            for name in options.set or known:
                tried = _try_everywhere(known[name], here, surroundings, options.python)
                if options.write:
                    results.keep_versions(tried)  # at once: a set takes minutes
                outcomes += tried
        finally:
            surroundings.stop()
    for outcome in outcomes:
        print(_sentence(outcome))
    return 0 if all(outcome.is_same or outcome.problem == NOT_HERE for outcome in outcomes) else 1


def _try_everywhere(
    chosen: VersionSet,
    here: Mapping[str, str],
    surroundings: Surroundings,
    only: Sequence[str] | None,
) -> list[Outcome]:
    own = "{}.{}".format(*sys.version_info)
    found = []
    for version in dict.fromkeys(version or own for version in chosen.pythons):
        if only and version not in only:
            continue
        progress(f"==> {chosen.name} on Python {version}")
        python = here.get(version) if version != own else sys.executable
        if python is None:
            found.append(Outcome(chosen.name, version, problem=NOT_HERE))
            continue
        try:
            found.append(try_set(chosen, python, surroundings))
        except UnavailableError as reason:
            found.append(Outcome(chosen.name, version, problem=str(reason)))
    return found


def _sentence(outcome: Outcome) -> str:
    where = f"{outcome.name} on Python {outcome.python}"
    if outcome.problem:
        return f"{where}: not tried: {outcome.problem}"
    libraries = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
    if outcome.is_same:
        spans = " and ".join(f"{count} ({engine})" for engine, count in outcome.spans.items())
        return f"{where}: the same spans, {spans}: {libraries}"
    return "\n  ".join([f"{where}: {libraries}", *outcome.unlisted])


if __name__ == "__main__":
    sys.exit(main())
