"""Where the spool is: a folder for each service, in the user's state folder."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clarity_otel.engine.native import spool
from tests.backends.process import clean_environment


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
