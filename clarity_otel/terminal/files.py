"""clarity export and clarity import: a part of the store that others can open.

While a dashboard runs it does the work, because it alone has the file open.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from clarity_otel.terminal import times
from clarity_otel.terminal.source import Dashboard, SourceError, dashboard_of, store_of
from clarity_otel.terminal.traces import Store
from clarity_otel.web import running

_EXTRA = "it needs more packages: pip install 'clarity-otel[dashboard]'"
_ONLY_ZIP = ".zip"


def export(
    file: Annotated[Path, typer.Argument(help="A new folder, or one file that ends in .zip.")],
    trace: Annotated[str, typer.Option(help="This trace alone, with its logs.")] = "",
    since: Annotated[str, typer.Option(help="15m, 2h, 7d ago, or a time.")] = "1h",
    until: Annotated[str, typer.Option(help="The same; unset, now.")] = "",
    store: Store = None,
) -> None:
    """Write spans, logs, exceptions and metrics as Parquet: masked, as they are stored."""
    try:
        if file.exists():
            raise ValueError(f"{file} exists already; name a file or folder that does not")
        start_s, end_s = times.time_s(since), times.time_s(until) if until else time.time()
        rows = _export(store_of(store), file, trace.strip().lower(), start_s, end_s)
    except (SourceError, ValueError, OSError, _parquet().NotOursError) as error:
        typer.echo(f"clarity export: {error}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{file}: {_told(rows)}")
    if not any(rows.values()):
        typer.echo("It is empty; --since looks further back.", err=True)


def _export(store: str, target: Path, trace: str, start_s: float, end_s: float) -> dict[str, int]:
    parquet = _parquet()
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.absolute().parent, prefix=".clarity-export-") as name:
        folder = Path(name) / "files"
        folder.mkdir()
        packed = Path(name) / "packed.zip"
        there = dashboard_of(store)
        if there is not None:
            asked = urlencode({"trace_id": trace, "start": start_s, "end": end_s})
            with Dashboard(there).open(f"/export?{asked}") as answer, packed.open("wb") as file:
                shutil.copyfileobj(answer, file)
            parquet.unpack(packed, folder)
        else:
            _write(store, folder, trace, start_s, end_s)
        rows: dict[str, int] = json.loads((folder / parquet.MANIFEST).read_text())["rows"]
        if target.suffix == _ONLY_ZIP:
            parquet.pack(folder, packed)
            packed.rename(target)
        else:
            folder.rename(target)
    return rows


def _write(store: str, folder: Path, trace: str, start_s: float, end_s: float) -> None:
    import duckdb

    from clarity_otel.store.query import Range

    if not Path(store).is_file():
        raise SourceError(f"no dashboard runs on the store {store}, and there is no such file")
    try:
        with duckdb.connect(store, read_only=True) as connection:
            _parquet().write(connection, folder, Range(int(start_s * 1e9), int(end_s * 1e9)), trace)
    except duckdb.Error as error:
        raise SourceError(
            f"the store {store} cannot be read ({str(error).splitlines()[0][:200].rstrip('.')})"
        ) from None


def import_(
    file: Annotated[Path, typer.Argument(help="What `clarity export` wrote.")],
    store: Store = None,
) -> None:
    """Put an export into the store; rows that it has already are left out."""
    parquet = _parquet()
    place = store_of(store)
    try:
        with TemporaryDirectory(prefix="clarity-import-") as name:
            folder, packed = file, file
            if not file.exists():
                raise ValueError(f"there is no {file}")
            if not file.is_dir():
                folder = Path(name) / "files"
                folder.mkdir()
                parquet.unpack(file, folder)
            there = dashboard_of(place)
            if there is None:
                rows = _read(place, folder)
            else:
                if file.is_dir():
                    packed = Path(name) / "packed.zip"
                    parquet.pack(folder, packed)
                with packed.open("rb") as body:
                    size = packed.stat().st_size
                    with Dashboard(there).open("/import", body, size) as answer:
                        rows = json.load(answer)["rows"]
            oldest_ns = parquet.oldest_ns(folder)
    except parquet.NotOursError as error:
        typer.echo(f"clarity import: {file} is not imported, because {error}.", err=True)
        raise typer.Exit(1) from None
    except (SourceError, ValueError, OSError) as error:
        typer.echo(f"clarity import: {error}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{place}: {_told(rows)}, new")
    _warn_of_age(oldest_ns)


def _read(place: str, folder: Path) -> Any:
    from clarity_otel.store.file import (
        StoreInUseError,
        StoreNotOwnError,
        open_store,
        own_files_alone,
    )

    own_files_alone()
    try:
        claim = running.claim(place)
        if claim is None:
            raise SourceError(f"a dashboard begins on the store {place}; try again")
        try:
            connection = open_store(Path(place))
        except (StoreInUseError, StoreNotOwnError) as error:
            raise SourceError(f"{error}") from None
        try:
            return _parquet().read(connection, folder)
        finally:
            connection.close()
            os.close(claim.descriptor)
    except running.StateError as error:
        raise SourceError(f"{error}") from None


def _warn_of_age(oldest_ns: int) -> None:
    from clarity_otel.settings import load

    days = load(os.environ).store_days
    age_days = (time.time() - oldest_ns / 1e9) / 86_400 if oldest_ns else 0
    if age_days > days:
        typer.echo(
            f"Its oldest rows are {age_days:.0f} days old, and a dashboard deletes what is older "
            f"than {days}: set CLARITY_STORE_DAYS before you look at it.",
            err=True,
        )


def _told(rows: dict[str, int]) -> str:
    return ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in rows.items())


def _parquet() -> Any:
    try:
        from clarity_otel.store import parquet
    except ModuleNotFoundError as error:
        typer.echo(f"clarity: {_EXTRA} ({error}).", err=True)
        raise typer.Exit(1) from None
    return parquet
