"""The faults, each with what is done. All run under load; docs/reliability.md shows them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.backends.otlp_http_stub import (
    DROP,
    GARBAGE,
    HANG,
    NOT_HTTP,
    OK,
    SLOW,
    HttpAnswer,
    refused,
)
from tests.backends.process import wait_until
from tests.backends.tls import make_certificates
from tests.reliability.scene import DEFAULTS, Scene, ended
from tests.reliability.target import SIGNALS
from tests.spool import files
from tests.spool.service import gunicorn

Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Fault:
    """What fails, what is tried, and how. ``long_s``: how long it lasts in the long form.

    ``is_long``: not in the short form, where a test of tests/spool does much the same.
    """

    name: str
    tried: str
    act: Act
    needs: str = ""  # collector, tls, hosts or small disk
    long_s: float = 10.0
    env: Mapping[str, str] = field(default_factory=dict)
    long_env: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    ends_by: int = signal.SIGINT
    is_long: bool = False
    loses: tuple[str, ...] = ()  # reasons, by which something must have been dropped
    each_loses: bool = False  # something of each signal

    def __str__(self) -> str:
        return self.name


def answers(answer: HttpAnswer, *, is_kept: bool = True) -> Act:
    """The target answers so, and then as it should."""

    def act(scene: Scene) -> None:
        scene.target.always(answer)
        scene.hold(is_kept=is_kept)
        scene.target.always(OK)

    return act


def collector_stopped(scene: Scene) -> None:
    """By SIGTERM, and started again."""
    assert scene.collector is not None
    scene.collector.stop()
    scene.hold()
    scene.collector.start()


def collector_killed(scene: Scene) -> None:
    """With requests that it has not answered: it is frozen before."""
    assert scene.collector is not None
    scene.collector.freeze()
    scene.load.wait_for(30)
    scene.collector.kill()
    scene.hold()
    scene.collector.start()


def collector_frozen(scene: Scene) -> None:
    """It finds all that came meanwhile in its sockets."""
    assert scene.collector is not None
    scene.collector.freeze()
    scene.hold()
    scene.collector.thaw()


def never_accepts(scene: Scene) -> None:
    """Packets that ask for a connection are dropped."""
    with scene.target.gone_into_a_black_hole():
        scene.hold()


def name_gone(scene: Scene) -> None:
    """The host's name is taken out of the service's own hosts file, and put in again."""
    hosts = scene.folder / "hosts"
    names = hosts.read_text()
    hosts.write_text("127.0.0.1 localhost\n")
    with scene.target.gone():  # else the connection that is there goes on
        pass
    scene.hold()
    hosts.write_text(names)


def certificate_of_nobody(scene: Scene) -> None:
    """The target shows a certificate that an unknown authority has signed."""
    with scene.target.with_certificates(make_certificates(scene.folder / "others")):
        scene.hold()


def app_killed(scene: Scene) -> None:
    """The target is down; the next process sends what the killed one has on disk."""
    scene.target.always(refused(503))
    scene.hold()
    scene.kill()
    scene.restart()
    scene.load.wait_for(30)
    scene.target.always(OK)


def worker_killed(scene: Scene) -> None:
    """The one that sends again, while it does."""

    def all_answer() -> bool:
        return len({request.pid for request in list(scene.load.answered)}) == 8

    wait_until(all_answer, "answers of all workers", 60)
    scene.target.always(refused(503))
    scene.hold()

    def many_write() -> bool:
        return len(files.writers(scene.spool)) >= 4

    wait_until(many_write, "segments of half of the workers")
    sender = wait_until(lambda: files.sender(scene.spool), "a sender")
    scene.load.expect_cuts()
    os.kill(sender, signal.SIGKILL)
    scene.was_killed(sender)
    scene.load.wait_for(30)
    scene.load.go_on()
    scene.target.always(OK)


def disk_full(scene: Scene) -> None:
    """The disk has 64 KiB."""
    scene.target.always(refused(503))
    scene.hold()
    _until_said(scene, "The spool is off for now")
    scene.target.always(OK)


def limit_reached(scene: Scene) -> None:
    """CLARITY_SPOOL_LIMIT is 60,000 bytes."""
    scene.target.always(refused(503))
    scene.hold()
    _until_said(scene, "has reached CLARITY_SPOOL_LIMIT")
    scene.target.always(OK)


def _until_said(scene: Scene, sentence: str) -> None:
    def is_said() -> bool:
        return any(sentence in line for line in scene.service.said)

    wait_until(is_said, sentence, 60)


def spool_corrupt(scene: Scene) -> None:
    """A byte of a request, and rubbish at the end of a file, while the service is stopped."""
    scene.target.always(refused(503))
    scene.hold()
    scene.load.expect_cuts()
    ended(scene.service)
    for name in SIGNALS:
        path = next(p for p in files.segments(scene.spool) if p.name.endswith(f"-{name}.spool"))
        data = bytearray(path.read_bytes())
        data[200] ^= 1  # within the first frame's request
        path.write_bytes(data + b"CSP1 torn")
    scene.restart()
    scene.target.always(OK)


_METRICS = {
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_METRIC_EXPORT_INTERVAL": "300",
    # The end's bound, as a service has it: the last collection has half of it, and 150 ms are
    # too few for one that is the first of a process on a busy machine (dropped: shutdown).
    "OTEL_BSP_EXPORT_TIMEOUT": "5000",
}
_GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **_METRICS}

FAULTS = [
    Fault(
        "Collector stopped",
        "SIGTERM, started again after {for_s}",
        collector_stopped,
        "collector",
        300,
        _GRPC,
        {**DEFAULTS, "OTEL_METRIC_EXPORT_INTERVAL": "5000"},
    ),
    Fault(
        "Collector killed in mid-request",
        "kill -9 with requests that it has not answered, started again after {for_s}",
        collector_killed,
        "collector",
        env=_GRPC,
    ),
    Fault(
        "Collector frozen",
        "SIGSTOP: it accepts, and never answers; SIGCONT after {for_s}",
        collector_frozen,
        "collector",
        env=_GRPC,
    ),
    Fault("503", "every request, for {for_s}", answers(refused(503)), is_long=True),
    Fault(
        "429 with Retry-After",
        "every request, `Retry-After: 1`, for {for_s}",
        answers(refused(429, retry_after="1")),
    ),
    Fault(
        "Garbage for an answer",
        "200 with a body that is no OTLP, for {for_s}: it counts as taken",
        answers(GARBAGE, is_kept=False),
        is_long=True,
    ),
    Fault("Not HTTP", "another protocol's greeting, for {for_s}", answers(NOT_HTTP)),
    Fault("Broken off", "the request is read and the connection closed, {for_s}", answers(DROP)),
    Fault("Black hole", "requests are read and never answered, {for_s}", answers(HANG)),
    Fault("Black hole without a connection", "SYN packets are dropped, {for_s}", never_accepts),
    Fault("Slow", "each answer at 1 byte a second, for {for_s}", answers(SLOW)),
    Fault("DNS gone", "the target's name is not found, for {for_s}", name_gone, "hosts"),
    Fault(
        "TLS broken",
        "a certificate of an unknown authority, for {for_s}",
        certificate_of_nobody,
        "tls",
    ),
    Fault(
        "App killed with a spool",
        "kill -9 under load after {for_s} of 503, started again",
        app_killed,
        env=_METRICS,
    ),
    Fault(
        "One of 8 workers killed",
        "gunicorn; after {for_s} of 503, kill -9 of the one that sends again",
        worker_killed,
        env=_METRICS,
        options={"server": gunicorn, "options": ("--workers", "8")},
        ends_by=signal.SIGTERM,  # by SIGINT its bare workers take 30 s
    ),
    Fault(
        "Disk full",
        "a disk of 64 KiB, 503 for {for_s}",
        disk_full,
        "small disk",
        # No other file grows: the limit may be on each of them.
        env={"CLARITY_METRICS_ENABLED": "false"},
        is_long=True,
        loses=("spool_failed",),
    ),
    Fault(
        "Spool corrupt",
        "a byte changed and rubbish at the end, in a file of each signal, between two runs",
        spool_corrupt,
        env=_METRICS,
        loses=("spool_corrupt",),
        each_loses=True,
    ),
    Fault(
        "Limit reached",
        "`CLARITY_SPOOL_LIMIT=60000`, 503 for {for_s}",
        limit_reached,
        env={"CLARITY_SPOOL_LIMIT": "60000", **_METRICS},
        is_long=True,
        loses=("spool_limit",),
    ),
]
