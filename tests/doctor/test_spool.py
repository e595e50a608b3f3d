"""The spool is well where an exporter could write it, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clarity_otel.doctor import spool
from clarity_otel.doctor.findings import Finding
from clarity_otel.settings import load

from .reports import only

pytest.importorskip("clarity_otel._native", reason="not tested: the spool is the native engine's")

NONE = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


def found(folder: Path | str, app: str = "", **environ: str) -> list[Finding]:
    """What is said of a spool in this folder."""
    whole = {"CLARITY_SPOOL_DIR": str(folder), "CLARITY_SPOOL_LIMIT": "1000", **environ}
    return spool.check(load(whole), whole, app)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without room, where this process may make one."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("not tested: no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    """Also one that is not there yet: nothing of the trial stays behind."""
    for folder in (tmp_path, tmp_path / "not" / "there"):
        assert only(found(folder, OTEL_SERVICE_NAME="shop"), "target.spool").level == "ok"
    (tmp_path / "shop").mkdir()
    assert only(found(tmp_path, OTEL_SERVICE_NAME="shop"), "target.spool").level == "ok"
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "shop"]


def _link(own: Path) -> None:
    own.with_name("elsewhere").mkdir()
    own.symlink_to(own.with_name("elsewhere"))


def _dangling(own: Path) -> None:
    own.symlink_to(own.with_name("nowhere"))


def _somebody_elses(own: Path) -> None:
    own.mkdir(mode=0o777)
    os.chown(own, 4242, 4242)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_link, "is a link"),
        (_dangling, "is a link"),
        (Path.touch, "is no folder"),
        pytest.param(
            _somebody_elses,
            "belongs to another user",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away"),
        ),
    ],
)
def test_what_the_exporter_refuses_of_a_services_folder_is_a_warning(
    prepare: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    """Whether a setting names the service, or the app does; other services' are passed over."""
    prepare(tmp_path / "shop")
    for finding in (
        only(found(tmp_path, OTEL_SERVICE_NAME="shop"), "target.spool"),
        only(found(tmp_path, OTEL_RESOURCE_ATTRIBUTES="service.name=shop"), "target.spool"),
        only(found(tmp_path, "shop.main:app"), "target.spool"),
    ):
        assert finding.level == "warning"
        assert words in finding.what
        assert "CLARITY_SPOOL_DIR" in finding.advice
    assert only(found(tmp_path, "stock:app"), "target.spool").level == "ok"


def test_a_place_where_nothing_can_be_made_is_a_warning(tmp_path: Path) -> None:
    """Below /proc, and below a file."""
    (tmp_path / "file").touch()
    for folder in ("/proc/x", tmp_path / "file" / "spool"):
        assert only(found(folder), "target.spool").level == "warning"


def test_a_disk_without_room_is_a_warning(full: Path) -> None:
    """It would take the folder, and no batch."""
    finding = only(found(full), "target.spool")
    assert finding.level == "warning"
    assert "no space left" in finding.what
    assert list(full.iterdir()) == []


def test_less_room_than_the_limit_is_told(tmp_path: Path) -> None:
    """With what there is."""
    finding = only(found(tmp_path, CLARITY_SPOOL_LIMIT=str(2**62)), "target.spool")
    assert finding.level == "info"
    assert "MiB are free" in finding.what


def test_without_an_exporter_there_is_nothing_to_keep(tmp_path: Path) -> None:
    """Nothing is said of it."""
    assert found(tmp_path, **NONE) == []
