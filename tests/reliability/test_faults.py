"""Whatever fails: made is received, or dropped by a reason, and the app answers as bare."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import LOOPBACK
from tests.conftest import not_tested
from tests.reliability.accounts import Account, total
from tests.reliability.conftest import IS_LONG, Results
from tests.reliability.faults import FAULTS, Fault
from tests.reliability.scene import Bare, Scene
from tests.reliability.target import SIGNALS, Target
from tests.spool.disk import small_disk
from tests.spool.service import Start

HOST = "collector.test"
# A mount of the service's own over /etc/hosts, which names the target's host.
OWN_HOSTS = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"']


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be closed at the end."""
    with ExitStack() as closing:
        yield closing


def scene_of(
    fault: Fault, request: pytest.FixtureRequest, folder: Path, bare: Bare, stack: ExitStack
) -> Scene:
    """The fault's service, with all that it needs, under load."""
    env = {**fault.env, **(fault.long_env if IS_LONG else {})}
    options: dict[str, Any] = dict(fault.options)
    run_process: Start = request.getfixturevalue("run_process")
    certificates = collector = None
    if fault.needs == "tls":
        certificates = request.getfixturevalue("certificates")
        env["OTEL_EXPORTER_OTLP_CERTIFICATE"] = str(certificates.authority)
    target = Target(certificates)
    stack.callback(target.stop)
    endpoint = target.endpoint
    if fault.needs == "collector":
        collector = request.getfixturevalue("collector")(unbuffered=True)
        endpoint = collector.grpc_endpoint
    elif fault.needs == "hosts":
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{LOOPBACK} {HOST}\n")
        options["before"] = [*OWN_HOSTS, str(hosts)]
        if subprocess.run([*options["before"], "true"], capture_output=True).returncode:
            not_tested("no file may be mounted over /etc/hosts here", str(fault))
        endpoint = f"http://{HOST}:{target.port}"
    elif fault.needs == "small disk":
        disk, options["before"] = stack.enter_context(small_disk(folder / "small"))
        env["CLARITY_SPOOL_DIR"] = str(disk)
    for_s = fault.long_s if IS_LONG else 0.0
    scene = Scene(
        run_process, folder, bare, for_s, env, target, collector, endpoint, options, fault.ends_by
    )
    stack.callback(scene.close)
    return scene


def parameter(fault: Fault) -> Any:
    """The Collector's are marked, for those who cannot build it."""
    marks = [pytest.mark.program("collector")] if fault.needs == "collector" else []
    return pytest.param(fault, id=fault.name, marks=marks)


@pytest.mark.slow
@pytest.mark.timeout(900 if IS_LONG else 120)
@pytest.mark.parametrize("fault", [parameter(one) for one in FAULTS if IS_LONG or not one.is_long])
def test_nothing_is_lost_without_a_reason(
    fault: Fault,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    bare: Bare,
    kept: Results,
    stack: ExitStack,
) -> None:
    """By the identity of each span, log record and point; each answer is compared with bare's."""
    scene = scene_of(fault, request, tmp_path, bare, stack)
    fault.act(scene)
    row = scene.finish()
    print(row)
    of = {name: Account(**row[name]) for name in SIGNALS if name in row}
    dropped = total(of).dropped
    assert set(dropped) <= {*fault.loses, *(("export_failed",) if fault.loses else ())}
    for reason in fault.loses:
        assert dropped[reason] > 0
        assert not fault.each_loses or all(one.dropped[reason] > 0 for one in of.values())
    kept.add("faults", {"fault": fault.name, "tried": fault.tried, "for_s": scene.for_s, **row})
