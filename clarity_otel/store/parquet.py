"""The store's data as Parquet files, out and in: what `clarity export` writes.

A folder with one file for each kind of row and `manifest.json`; or the same in one .zip. Ids
are hex text and times nanoseconds since 1970, as the API shows them. Summaries are not in it:
they are made anew from the spans that come in. What is exported was masked when it was stored.
"""

from __future__ import annotations

import errno
import json
import shutil
import uuid
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from clarity_otel.store import metric_steps
from clarity_otel.store.sql import sql
from clarity_otel.store.writer import ROLLUPS

if TYPE_CHECKING:
    from clarity_otel.store.query import Range

FORMAT = "clarity-otel export"
VERSION = 1
MANIFEST = "manifest.json"
# table -> its column of time; resources have none, and are those that the others name.
TABLES = {
    "spans": "start_ns",
    "exceptions": "time_ns",
    "logs": "time_ns",
    "metric_points": "time_ns",
    "resources": "",
}
_OF_TRACES = ("spans", "exceptions", "logs")
_OF_RESOURCES = ("spans", "logs", "metric_points")
# table -> its columns of JSON: what an empty one stands for, and what each of them is. Whoever
# asks reads them as that: a row that is something else would end every answer that meets it.
_OBJECT = "json_type({0}) = 'OBJECT'"
_OBJECTS = "json_type({0}) = 'ARRAY' AND list_has_all(['OBJECT'], json_type({0}, '$[*]'))"
_EXEMPLARS = (
    f"{_OBJECTS} AND len(json_type({{0}}, '$[*].value')) = json_array_length({{0}})"
    " AND len(json_type({0}, '$[*].trace_id')) = json_array_length({0})"
    " AND len(json_type({0}, '$[*].time_ns')) = json_array_length({0})"
    " AND list_has_all(['VARCHAR'], json_type({0}, '$[*].trace_id'))"
    " AND list_has_all(['UBIGINT', 'BIGINT'], json_type({0}, '$[*].time_ns'))"
)
_JSON = {
    "spans": {
        "attributes": ("", _OBJECT),
        "events": ("[]", _OBJECTS),
        "links": ("[]", _OBJECTS),
    },
    "logs": {"attributes": ("", _OBJECT)},
    "metric_points": {
        "attributes": ("", _OBJECT),
        "detail": ("{}", _OBJECT),
        "exemplars": ("[]", _EXEMPLARS),
    },
    "resources": {"attributes": ("", _OBJECT)},
}
# DuckDB reads JSON that Python does not: numbers of more than 4,300 digits, and what is nested
# deeper than Python's stack. Neither is shorter than this.
_SHORT_BYTES = 1000
_AT_ONCE = 1000
_NUMBERS_AS_HEX = ("span_id", "parent_id", "resource_id", "group_id")
_COMPRESSED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for one that is none, or damaged.
_NO_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(RuntimeError, NotImplementedError, ValueError),
)
_UNPACKED_LIMIT_BYTES = 16 * 1024**3


class NotOursError(Exception):
    """What is to be imported is none of our exports; its message is a sentence's second half."""


def write(
    connection: duckdb.DuckDBPyConnection, folder: Path, within: Range, trace_id: str = ""
) -> dict[str, int]:
    """Write what is in a range, or one trace, into an empty folder; return rows by table.

    ValueError where the id is none. The connection is used by this thread alone meanwhile.
    """
    where = {
        table: f"{column} >= {within.start_ns} AND {column} < {within.end_ns}"
        for table, column in TABLES.items()
        if column
    }
    if trace_id:
        try:
            key = str(uuid.UUID(hex=trace_id))
        except ValueError:
            raise ValueError("a trace id is 32 hex digits") from None
        where = dict.fromkeys(_OF_TRACES, f"trace_id = '{key}'::UUID")
    rows = {table: _copy(connection, table, folder, where[table]) for table in where}
    ids = " UNION ".join(
        f"SELECT resource_id FROM {table} WHERE {where[table]}"
        for table in _OF_RESOURCES
        if table in where
    )
    rows["resources"] = _copy(connection, "resources", folder, f"resource_id IN ({ids})")
    manifest = {"format": FORMAT, "version": VERSION, "masked": True, "rows": rows}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return rows


def _copy(connection: duckdb.DuckDBPyConnection, table: str, folder: Path, where: str) -> int:
    target = str(folder / f"{table}.parquet").replace("'", "''")
    order = f"ORDER BY {TABLES[table]}" if TABLES[table] else ""
    done = connection.execute(
        f"COPY (SELECT {_outward(connection, table)} FROM {table} WHERE {where} {order}) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
    ).fetchone()
    return int(done[0]) if done else 0


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [(name, kind) for name, kind, *_ in rows]


def _outward(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    words = []
    for name, _kind in _columns(connection, table):
        if name == "trace_id":
            words.append("replace(trace_id::VARCHAR, '-', '') AS trace_id")
        elif name in _NUMBERS_AS_HEX:
            words.append(f"printf('%016x', {name}) AS {name}")
        else:
            words.append(name)
    return ", ".join(words)


def _inward(columns: list[tuple[str, str]]) -> str:
    words = []
    for name, kind in columns:
        if name == "trace_id":
            words.append("trace_id::UUID AS trace_id")
        elif name in _NUMBERS_AS_HEX:
            words.append(f"('0x' || {name})::UBIGINT AS {name}")
        else:
            words.append(f"{name}::{kind} AS {name}")
    return ", ".join(words)


def read(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, int]:
    """Put an export into the store, all of it or nothing; return the rows that are new, by table.

    Rows that the store has already are left out, so that a second import changes nothing; rows
    that are alike within the export all come in.
    NotOursError.
    """
    tables = _checked(connection, folder)
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN")
        rows = {table: _insert(cursor, table, folder) for table in tables}
        cursor.execute("COMMIT")
    except duckdb.Error as error:
        raise NotOursError(f"its rows cannot be read ({_first_line(error)})") from None
    finally:
        cursor.close()
    return rows


def _checked(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """Return the tables that an export holds. NotOursError."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise NotOursError(f"it has no {MANIFEST} that `clarity export` wrote") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NotOursError(f"its {MANIFEST} is not one that `clarity export` wrote")
    if manifest.get("version") != VERSION or manifest.get("masked") is not True:
        raise NotOursError("another version of Clarity OTel wrote it; import it with that one")
    tables = [table for table in TABLES if (folder / f"{table}.parquet").is_file()]
    for table in tables:
        try:
            found = _columns(connection, _file(folder, table))
        except duckdb.Error as error:
            raise NotOursError(f"{table}.parquet cannot be read ({_first_line(error)})") from None
        wanted = _columns(connection, f"(SELECT {_outward(connection, table)} FROM {table})")
        if found != wanted:
            raise NotOursError(
                f"{table}.parquet has other columns than this version of Clarity OTel writes"
            )
    return tables


def _file(folder: Path, table: str) -> str:
    path = str(folder / f"{table}.parquet").replace("'", "''")
    return f"read_parquet('{path}')"


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, folder: Path) -> int:
    given = f"SELECT {_inward(_columns(cursor, table))} FROM {_file(folder, table)}"
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE given AS {given}")
    for column, (empty, rule) in _JSON.get(table, {}).items():
        _check_json(cursor, table, column, empty, rule)
    if table == "resources":
        done = cursor.execute("INSERT OR IGNORE INTO resources BY NAME FROM given").fetchone()
        return int(done[0]) if done else 0
    new = _not_yet_in(table)
    if table == "spans":
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE new_spans AS {new}")
        new = "SELECT * FROM new_spans"
    done = cursor.execute(f"INSERT INTO {table} BY NAME {new}").fetchone()
    if table == "spans":
        for rollup in ROLLUPS:
            cursor.execute(sql(rollup))
    if table == "metric_points":
        metric_steps.note_due(cursor, "given")
    return int(done[0]) if done else 0


def _not_yet_in(table: str) -> str:
    """Return the query of given rows that a table has not: also those that are there twice.

    Whole rows are compared by their hash, within one nanosecond: four times as fast as column
    by column.
    """
    column = TABLES[table]
    bounds = f"(SELECT min({column}) FROM given) AND (SELECT max({column}) FROM given)"
    there = f"SELECT {column}, hash({table}) AS hash FROM {table} WHERE {column} BETWEEN {bounds}"
    return (
        f"SELECT given.* FROM given ANTI JOIN ({there}) AS there "
        f"ON there.{column} = given.{column} AND there.hash = hash(given)"
    )


def _check_json(
    cursor: duckdb.DuckDBPyConnection, table: str, column: str, empty: str, rule: str
) -> None:
    """NotOursError where a column of `given` is not the JSON that we write."""
    is_right = rule.format(f"CASE {column} WHEN '' THEN '{empty}' ELSE {column} END")
    wrong = f"SELECT 1 FROM given WHERE coalesce(NOT TRY({is_right}), true) LIMIT 1"
    if cursor.execute(wrong).fetchone() or not _is_read_by_python(cursor, column):
        raise NotOursError(f"{table}.parquet has {column} that are not the JSON of such rows")


def _is_read_by_python(cursor: duckdb.DuckDBPyConnection, column: str) -> bool:
    cursor.execute(f"SELECT DISTINCT {column} FROM given WHERE strlen({column}) > {_SHORT_BYTES}")
    while rows := cursor.fetchmany(_AT_ONCE):
        for (text,) in rows:
            try:
                json.loads(text)
            except (ValueError, RecursionError):
                return False
    return True


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:200].rstrip(".")


def pack(folder: Path, target: Path) -> None:
    """Put an export into one .zip; Parquet is packed already."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def unpack(source: Path, folder: Path) -> None:
    """Unpack what `pack` wrote, and no other file, into a folder. NotOursError."""
    names = {MANIFEST, *(f"{table}.parquet" for table in TABLES)}
    try:
        with zipfile.ZipFile(source) as archive:
            infos = archive.infolist()
            if {info.filename for info in infos} - names or len(infos) > len(names):
                raise NotOursError("it holds other files than `clarity export` writes")
            if any(info.compress_type not in _COMPRESSED for info in infos):
                raise NotOursError("it is compressed in another way than .zip usually is")
            if sum(info.file_size for info in infos) > _UNPACKED_LIMIT_BYTES:
                raise NotOursError("it is larger than a store may be")
            for info in infos:
                # By hand: what is read is bounded by the size that is said.
                with archive.open(info) as packed, (folder / info.filename).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except (*_NO_ARCHIVE, OSError) as error:
        # A damaged archive may lead before its own begin; all else of the disk is the disk's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise NotOursError("it is neither a folder nor a whole .zip of `clarity export`") from None


def oldest_ns(folder: Path) -> int:
    """Return the time of the oldest row of an export; 0 for one without any."""
    oldest: list[Any] = []
    with duckdb.connect() as connection:
        for table, column in TABLES.items():
            if column and (folder / f"{table}.parquet").is_file():
                row = connection.execute(
                    f"SELECT min({column}) FROM {_file(folder, table)}"
                ).fetchone()
                oldest += [row[0]] if row and row[0] is not None else []
    return min(oldest, default=0)
