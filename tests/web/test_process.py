"""The dashboard's process: what it leaves on the disk, and what it refuses to begin with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.process import clean_environment
from tests.receiver.conftest import Dashboard, begin
from tests.store.messages import traces

__all__ = ["begin"]


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Others can read what a program makes that does nothing about it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_all_that_it_writes_is_the_owners_alone(
    begin: Callable[..., Dashboard], tmp_path: Path
) -> None:
    """The store, its write-ahead log and where it listens: of a new one, and of the next."""
    for count in (1, 2):
        dashboard = begin()
        dashboard.post("traces", traces(1).SerializeToString())
        dashboard.wait_for_traces(count)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("store.duckdb*")}
        names = ("store.duckdb", "store.duckdb.wal", "store.duckdb.dashboard")
        assert modes == dict.fromkeys(names, 0o600)
        dashboard.process.stop()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A sentence that names the setting; the folder is the user's as before."""
    folder = tmp_path / "mine"
    folder.mkdir(0o755)
    mode = folder.stat().st_mode
    clarity = Path(sys.executable).with_name("clarity")
    done = subprocess.run(
        [clarity, "dashboard", "--no-open", "--store", folder],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"{folder} is no file. Name a file with CLARITY_STORE or --store." in done.stderr
    assert folder.stat().st_mode == mode
    assert not list(tmp_path.glob("*.broken-*"))
