"""clarity export and import: what one has seen, another can open."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import httpx
import pytest

from clarity_otel.store import parquet
from clarity_otel.store.file import open_store
from tests.receiver.conftest import TOKEN, Dashboard
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


@pytest.fixture
def exported(dashboard: Dashboard, clarity: Clarity, tmp_path: Path) -> Path:
    """An export with ten traces, two metrics and six log records, five of them alike."""
    records = logs("again")
    of_scope = records.resource_logs[0].scope_logs[0]
    of_scope.log_records.extend([of_scope.log_records[0]] * 4)
    for told in (records, logs()):
        dashboard.post("logs", told.SerializeToString())
    dashboard.post("metrics", metrics().SerializeToString())
    dashboard.post("traces", traces(10).SerializeToString())
    dashboard.wait_for_traces(10)
    assert clarity("export", "bug").returncode == 0
    return tmp_path / "bug"


def questions(dashboard: Dashboard) -> list[object]:
    """Return what a dashboard answers that an import must bring along."""
    traces = dashboard.all_rows("/traces", limit=500)
    services = dashboard.ask("/services")["rows"]
    return [
        traces,
        dashboard.ask(f"/traces/{traces[0]['trace_id']}"),
        dashboard.all_rows("/traces", attribute="url.path=/orders/3"),
        [{**row, "rate": 0} for row in services],
        [{**row, "rate": 0} for row in dashboard.ask("/map")["rows"]],
        dashboard.ask("/errors")["rows"],
        dashboard.all_rows("/logs"),
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


def _instead(folder: Path, table: str, **columns: str) -> None:
    """Put values into all rows of a table of an export."""
    file, other = folder / f"{table}.parquet", folder / "other"
    values = ", ".join(f"'{value}' AS {column}" for column, value in columns.items())
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE ({values}) FROM read_parquet('{file}')"
        connection.execute(f"COPY ({rows}) TO '{other}' (FORMAT parquet)")
    other.rename(file)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("logs", "attributes", "no JSON"),
        ("logs", "attributes", ""),
        ("logs", "attributes", "[]"),
        ("logs", "attributes", '{"a":' + "1" * 5000 + "}"),
        ("logs", "attributes", '{"a":' + "[" * 5000 + "]" * 5000 + "}"),
        ("spans", "attributes", "{broken"),
        ("spans", "events", "{}"),
        ("spans", "links", "[1]"),
        ("metric_points", "attributes", "null"),
        ("metric_points", "detail", "x"),
        ("metric_points", "exemplars", "x"),
        ("metric_points", "exemplars", '[{"time_ns":1,"value":1}]'),
        ("metric_points", "exemplars", '[{"time_ns":[],"value":1,"trace_id":""}]'),
        ("resources", "attributes", "'' OR 1"),
    ],
    ids=lambda value: value[:30],
)
def test_rows_that_would_break_answers_are_refused(
    exported: Path, tmp_path: Path, table: str, column: str, value: str
) -> None:
    """JSON that is none, or another than we write: in a sentence, and nothing is kept."""
    _instead(exported, table, **{column: value.replace("'", "''")})
    with open_store(tmp_path / "other.duckdb") as connection:
        with pytest.raises(parquet.NotOursError, match=f"{table}.*{column}.*JSON"):
            parquet.read(connection, exported)
        for name in parquet.TABLES:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_rows_that_are_alike_all_come_in(exported: Path, tmp_path: Path) -> None:
    """As of a loop that logs the same within a nanosecond; a second import changes nothing."""
    with open_store(tmp_path / "other.duckdb") as connection:
        for logs, spans in ((6, 30), (0, 0)):
            rows = parquet.read(connection, exported)
            assert (rows["logs"], rows["spans"]) == (logs, spans)
        connection.execute("DELETE FROM logs WHERE body = 'hello'")
        assert parquet.read(connection, exported)["logs"] == 1


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_damaged_archive_is_refused(
    exported: Path, dashboard: Dashboard, clarity: Clarity, tmp_path: Path, how: int
) -> None:
    """However it was packed: a sentence of the command's, and a 400 of the dashboard's."""
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(damaged, "w", how) as archive:
        for file in exported.iterdir():
            archive.write(file, file.name)
    content = bytearray(damaged.read_bytes())
    at = content.find(b"logs.parquet") + len("logs.parquet")
    content[at : at + 40] = b"\xff" * 40
    damaged.write_bytes(content)
    done = clarity("import", "damaged.zip")
    assert done.returncode == 1
    assert "damaged.zip is not imported, because it is" in done.stderr
    assert "Traceback" not in done.stderr
    token = {"authorization": f"Bearer {TOKEN}"}
    address = f"{dashboard.address}/api/import"
    answer = httpx.post(address, content=bytes(content), headers=token, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("it is")


def test_a_trace_that_is_none_is_said(dashboard: Dashboard, clarity: Clarity) -> None:
    """What would mean something in an address is part of the id."""
    for wanted in ("foo bar&start=0", "&trace_id=" + "0" * 32):
        done = clarity("export", "one.zip", "--trace", wanted)
        assert done.returncode == 1
        assert done.stderr == "clarity export: a trace id is 32 hex digits.\n"


def test_a_folder_is_no_store_to_import_into(
    exported: Path, clarity: Clarity, tmp_path: Path
) -> None:
    """A sentence, and the folder is the user's as before."""
    folder = tmp_path / "mine"
    folder.mkdir(0o755)
    mode = folder.stat().st_mode
    done = clarity("import", exported, "--store", folder)
    assert done.returncode == 1
    assert f"The store {folder} is no file" in done.stderr
    assert folder.stat().st_mode == mode


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
