"""clarity export and import: what one has seen, another can open."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.receiver.conftest import Dashboard
from tests.store.messages import failure, logs, metrics, traces
from tests.terminal.conftest import Clarity


@pytest.fixture
def filled(dashboard: Dashboard) -> Dashboard:
    """A dashboard with something of everything."""
    dashboard.post("metrics", metrics().SerializeToString())
    dashboard.post("logs", logs().SerializeToString())
    dashboard.post("traces", failure().SerializeToString())
    dashboard.post("traces", traces(9).SerializeToString())
    dashboard.wait_for_traces(10)
    return dashboard


def questions(dashboard: Dashboard) -> list[object]:
    """Return what a dashboard answers that an import must bring along."""
    traces = dashboard.ask("/traces", limit=500)["rows"]
    services = dashboard.ask("/services")["rows"]
    return [
        traces,
        dashboard.ask(f"/traces/{traces[0]['trace_id']}"),
        dashboard.ask("/traces", attribute="url.path=/orders/3")["rows"],
        [{**row, "rate": 0} for row in services],
        [{**row, "rate": 0} for row in dashboard.ask("/map")["rows"]],
        dashboard.ask("/errors")["rows"],
        dashboard.ask("/logs")["rows"],
        dashboard.ask("/metrics")["rows"],
    ]


@pytest.mark.parametrize("name", ["bug", "bug.zip"])
@pytest.mark.parametrize("is_running", [True, False], ids=["dashboard", "file"])
def test_what_is_exported_comes_in_whole(
    filled: Dashboard,
    begin: Callable[..., Dashboard],
    clarity: Clarity,
    tmp_path: Path,
    name: str,
    is_running: bool,
) -> None:
    """Every page of the one who gets it is the same; a second import changes nothing."""
    wanted = questions(filled)
    assert all(wanted)
    if not is_running:
        filled.process.stop()
    done = clarity("export", name)
    assert done.returncode == 0, done.stderr
    other = {"CLARITY_STORE": str(tmp_path / "other.duckdb")}
    begun = begin("--store", other["CLARITY_STORE"]) if is_running else None
    for new in ("30 spans", "0 spans"):
        done = clarity("import", name, **other)
        assert done.returncode == 0, done.stderr
        assert new in done.stdout
    receiver = begun or begin("--store", other["CLARITY_STORE"])
    assert questions(receiver) == wanted


def test_others_can_open_it(filled: Dashboard, clarity: Clarity, tmp_path: Path) -> None:
    """Parquet with ids as text: no program of ours is needed."""
    clarity("export", "bug")
    file = str(tmp_path / "bug" / "spans.parquet")
    with duckdb.connect() as connection:
        spans = connection.execute("SELECT * FROM read_parquet(?) WHERE kind = 2", [file])
        names = [column[0] for column in spans.description]
        found = dict(zip(names, spans.fetchone() or (), strict=True))
    assert len(found["trace_id"]) == 32
    assert len(found["span_id"]) == 16
    assert found["service"] == "shop"


def test_one_trace_goes_alone(filled: Dashboard, clarity: Clarity, tmp_path: Path) -> None:
    """--trace takes its spans and exceptions, and no other service's secrets."""
    (failed,) = filled.ask("/traces", errors="true")["rows"]
    done = clarity("export", "one.zip", "--trace", failed["trace_id"])
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        rows = json.loads(archive.read("manifest.json"))["rows"]
    assert rows == {"spans": 3, "exceptions": 1, "logs": 0, "resources": 1}


def test_nothing_is_overwritten(filled: Dashboard, clarity: Clarity, tmp_path: Path) -> None:
    """A file that exists stays as it is."""
    (tmp_path / "bug.zip").write_text("mine")
    done = clarity("export", "bug.zip")
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert (tmp_path / "bug.zip").read_text() == "mine"


def _foreign(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": "other"}')


def _other_columns(folder: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a) TO '{folder / 'spans.parquet'}'")


def _no_parquet(folder: Path) -> None:
    (folder / "logs.parquet").write_text("text")


def _no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_foreign, "manifest.json"),
        (_other_columns, "columns"),
        (_no_parquet, "cannot be read"),
        (_no_manifest, "manifest.json"),
    ],
)
@pytest.mark.parametrize("is_running", [True, False], ids=["dashboard", "file"])
def test_what_is_not_ours_is_refused(
    filled: Dashboard,
    clarity: Clarity,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    said: str,
    is_running: bool,
) -> None:
    """In a sentence, and nothing of it is in the store."""
    assert clarity("export", "bug").returncode == 0
    if not is_running:
        filled.process.stop()
    spoil(tmp_path / "bug")
    done = clarity("import", "bug")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(clarity("traces").stdout.splitlines()) == 10


def test_an_archive_with_other_files_is_refused(
    dashboard: Dashboard, clarity: Clarity, tmp_path: Path
) -> None:
    """A name that leads out of the folder is never opened; text is no archive."""
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil", "x")
    for name in ("evil.zip", "store.duckdb"):
        done = clarity("import", name)
        assert done.returncode == 1
        assert "not imported" in done.stderr
    assert not (tmp_path.parent / "evil").exists()
