"""Where the spool is: a folder for each service, in the user's state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clarity_otel.engine.native import spool
from tests.backends.otlp_http_stub import OK, OtlpHttpStub, refused
from tests.backends.process import clean_environment, wait_until
from tests.processes.service import env_for
from tests.spool import files
from tests.spool.service import Service, Start

N = 40
Stub = Callable[..., OtlpHttpStub]


@pytest.mark.parametrize(
    ("environ", "chosen", "expected"),
    [
        ({"XDG_STATE_HOME": "/state"}, None, "/state/clarity-otel/spool/shop"),
        ({"XDG_STATE_HOME": "not/absolute"}, None, "/home/me/.local/state/clarity-otel/spool/shop"),
        ({"XDG_STATE_HOME": "/state"}, "/var/spool", "/var/spool/shop"),
        ({}, "~/spool", "/home/me/spool/shop"),
    ],
)
def test_the_folder_is_the_chosen_one_or_the_users(
    environ: dict[str, str], chosen: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the XDG Base Directory specification, which has relative paths ignored."""
    monkeypatch.setenv("HOME", "/home/me")
    assert spool.folder(environ, chosen, "shop") == expected


def test_services_do_not_share_a_folder_nor_leave_it() -> None:
    """Whatever a service is called, its name is one plain folder of its own."""
    names = ["shop", "a/b", "a_b", "..", ".", "", "é", "x" * 300, "x" * 301, "../shop"]
    folders = [spool.folder({}, "/s", name) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert folder is not None
        name = folder.removeprefix("/s/")
        assert name.isascii()
        assert "/" not in name
        assert not name.startswith(".")
        assert 0 < len(name) < 200


def test_a_user_without_a_home_is_told_once() -> None:
    """The process runs without a spool, and says which setting names another folder."""
    code = (
        "import os.path\n"
        "os.path.expanduser = lambda path: path\n"
        "from clarity_otel import engine\n"
        "from clarity_otel.settings import load\n"
        "engine.start(load({'OTEL_METRICS_EXPORTER': 'none'}))\n"
    )
    environ = clean_environment()
    environ.pop("XDG_STATE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("CLARITY_SPOOL_DIR") == 1, done.stderr


def _to_a_link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def _to_somebody_else(folder: Path) -> None:
    folder.chmod(0o777)
    os.chown(folder, 4242, 4242)


@pytest.mark.parametrize(
    "changed",
    [
        _to_a_link,
        pytest.param(
            _to_somebody_else,
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away"),
        ),
    ],
)
def test_a_folder_of_somebody_else_is_neither_written_nor_sent(
    changed: Callable[[Path], None], run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Another user has prepared it, with batches of theirs: one sentence, and no spool."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    env = env_for(stub.endpoint, OTEL_LOGS_EXPORTER="none")
    theirs = Service(run_process, tmp_path, env)
    theirs.load(N)
    theirs.wait_until_kept("traces", N)
    theirs.process.kill()
    changed(theirs.spool / "shop")
    before = sorted(files.requests(theirs.spool.resolve()))
    service = Service(run_process, tmp_path, env)
    service.load(N)
    wait_until(lambda: any("cannot be written" in line for line in service.said), "the sentence")
    stub.always(OK)
    service.load(N)
    stats = service.end()
    assert stats["spooled"] == stats["recovered"] == 0
    assert sorted(files.requests(theirs.spool.resolve())) == before
