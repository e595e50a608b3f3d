"""All checks, in their order; what takes long runs at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clarity_otel import masking
from clarity_otel.doctor import (
    agents,
    application,
    backends,
    child,
    clock,
    config_file,
    contradictions,
    cost,
    engine,
    names,
    patches,
    roundtrip,
    spool,
    targets,
    values,
    versions,
)
from clarity_otel.doctor.findings import Finding, info, plain, problem
from clarity_otel.doctor.peers import peers_of
from clarity_otel.settings import load

if TYPE_CHECKING:
    from clarity_otel.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What the user asks for. `backends` are addresses by jaeger, prometheus and loki."""

    app: str = ""
    app_timeout_s: float = 30.0
    timeout_s: float = 5.0
    wait_s: float = 15.0
    sends: bool = True
    backends: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was found, when, and how long it took."""

    started: datetime
    duration_s: float
    findings: list[Finding]


def examine(
    wanted: Wanted,
    environ: Mapping[str, str],
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Run all checks. ValueError, a sentence, for what the user asked wrongly.

    Nothing of it changes this process but the masker, which gets the user's rules. A check
    that fails by itself is a finding too.
    """
    started, begun_s = datetime.now(UTC), time.monotonic()
    settings = load(environ)
    # Switched off it still stands on its own rules: a report may be passed on.
    refused = _masking(settings) if settings.masking else ()
    asked_of_file: list[Finding] = []
    if settings.config_file and not settings.is_disabled:
        progress("asking whether OTEL_CONFIG_FILE is used")
        asked_of_file = _safely("target", lambda: config_file.check(settings, environ))
        if any(finding.evidence.get("is_used") is False for finding in asked_of_file):
            # As the service does: the variables count.
            settings = settings.without_config_file()
    peers = [] if settings.is_disabled else peers_of(settings, environ)
    asked = backends.backends_of(settings, wanted.backends, peers)
    found: list[Finding] = []
    with ThreadPoolExecutor(2) as pool, _ended_children():
        progress("asking the targets")
        reaching = pool.submit(targets.reach, settings, environ, wanted.timeout_s)
        importing = pool.submit(
            _safely, "app", lambda: _application(wanted, environ, settings.is_disabled)
        )
        for name, check in (
            ("versions", versions.check),
            ("engine", lambda: engine.check(settings)),
            ("patches", lambda: patches.check(settings)),
        ):
            found += _safely(name, check)
        if wanted.app:
            progress(f"importing {wanted.app}")
        found += importing.result()
        found += asked_of_file
        for name, check in (
            ("conflicts", lambda: agents.check(environ)),
            ("settings", lambda: values.check(settings, environ, refused)),
            ("settings", lambda: contradictions.check(settings, environ)),
            ("settings", lambda: names.check(environ)),
        ):
            found += _safely(name, check)
        reached: list[targets.Reached] = []

        def reach() -> Iterator[Finding]:
            reached.extend(reaching.result())
            for one in reached:
                yield from one.findings

        found += _safely("target", reach)
    found += _safely("target", lambda: spool.check(settings, environ, wanted.app))
    if wanted.sends:
        progress("sending a trace, a metric and a log record")
        found += _safely(
            "roundtrip",
            lambda: roundtrip.check(settings, environ, reached, asked, wanted.wait_s),
        )
        progress("measuring a span")
        found += _safely("cost", lambda: cost.check(settings, environ))
    else:
        found.append(
            info("roundtrip.left_out", "Nothing was sent for a trial, or measured (--no-send).")
        )
    found += _safely("clock", lambda: clock.check(reached, asked))
    return Report(started, time.monotonic() - begun_s, found)


def _masking(settings: Settings) -> tuple[str, ...]:
    """Set the masker up; return a sentence for each rule that it does not take."""
    try:
        return masking.configure(settings)
    except Exception as failure:
        # Of all that is given only the file can be in another encoding.
        is_file = isinstance(failure, UnicodeDecodeError)
        what = "CLARITY_MASK_FILE" if is_file else "The settings of the masker"
        return (f"{what} cannot be read: {failure}.",)


@contextmanager
def _ended_children() -> Iterator[None]:
    """Where the user stops the doctor, what it has started is not waited for."""
    try:
        yield
    except BaseException:
        child.end_all()
        raise


def _application(wanted: Wanted, environ: Mapping[str, str], is_disabled: bool) -> list[Finding]:
    if wanted.app:
        return application.check(wanted.app, environ, wanted.app_timeout_s, is_disabled=is_disabled)
    return [
        info(
            "app.not_given",
            "Your app was not looked at.",
            {},
            "Name it as your server does: clarity doctor --app app:app",
        )
    ]


def _safely(name: str, check: Callable[[], list[Finding] | Iterator[Finding]]) -> list[Finding]:
    """Return what a check finds; its own failure is a finding."""
    try:
        return list(check())
    except Exception as failure:
        why = plain(f"{type(failure).__name__}: {failure}", 300)
        return [
            problem(
                "doctor.failed",
                f"The check of {name} failed by itself: {why}.",
                "Report this with the output of clarity doctor --json.",
                {"check": name},
            )
        ]
