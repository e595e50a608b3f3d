from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clarity_otel.store.answers import search
from clarity_otel.store.columns import Batch
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store
from clarity_otel.store.retention import Limits
from clarity_otel.store.writer import Writer
from tests.backends.process import wait_until
from tests.store.decoding import either_decoder

__all__ = ["either_decoder"]


class Store:
    """A store in a file of its own, its writer running."""

    def __init__(self, path: Path, **options: int) -> None:
        self.path = path
        self.connection = open_store(path)
        self.writer = Writer(self.connection, limits=Limits(), **options)
        self.query = DuckDbQuery(self.connection)

    def take(self, decoded: tuple[Batch, int, str]) -> None:
        """Offer a batch and wait until it is in."""
        batch = decoded[0]
        wanted = self.writer.counts["stored"] + batch.count()
        assert self.writer.offer(batch)
        wait_until(lambda: self.writer.counts["stored"] >= wanted, "the batch in the store")

    def close(self) -> None:
        self.writer.close()
        self.connection.close()


@pytest.fixture(autouse=True)
def _patient_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a second ends no search; tests of its end set their own."""
    monkeypatch.setattr(search, "SEARCH_LIMIT_S", 600.0)


@pytest.fixture
def open_at(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open a store; the same file again for the same name."""
    opened: list[Store] = []

    def begin(name: str = "store.duckdb", **options: int) -> Store:
        opened.append(Store(tmp_path / name, **options))
        return opened[-1]

    yield begin
    for store in opened:
        store.close()


@pytest.fixture
def store(open_at: Callable[..., Store]) -> Store:
    """A new one."""
    return open_at()
