"""Where the terminal's answers come from: the dashboard that runs, or the store's file.

Both answer the questions of `web.questions`, with the same parameters and the same rows. The file
is opened read-only, and only while no dashboard has it.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from clarity_otel.store.place import default_store
from clarity_otel.web import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clarity_otel.web.running import Running

Parameters = dict[str, Any]
_TIMEOUT_S = 60
_CHUNK_BYTES = 1024 * 1024


class SourceError(Exception):
    """There is no answer; its message is a sentence."""


class Source(Protocol):
    """Answers questions of the API."""

    def ask(self, path: str, given: Parameters) -> Any:
        """Return the answer of /api`path`. SourceError."""
        ...


def store_of(option: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the store that is asked: the option, CLARITY_STORE, or the default one."""
    chosen = option or environ.get("CLARITY_STORE", "").strip() or default_store(environ)
    return str(Path(chosen).absolute())


def dashboard_of(store: str) -> Running | None:
    """Return the dashboard that runs on a store. SourceError."""
    try:
        return running.find(store)
    except (running.StateError, OSError) as error:
        raise SourceError(f"{error}") from None


def source_of(store: str) -> Source:
    """Return who answers for a store. SourceError where nobody does."""
    there = dashboard_of(store)
    if there is not None:
        return Dashboard(there)
    if not Path(store).is_file():
        raise SourceError(
            f"no dashboard runs on the store {store}, and there is no such file; start your app "
            "with clarity-instrument --dashboard, or choose another with --store"
        )
    return File(store)


def pages(source: Source, path: str, given: Parameters, limit: int) -> Iterator[Any]:
    """Yield up to `limit` rows of a list, page by page, each trace once.

    A trace of which two spans fit may stand on two pages.
    """
    cursor, left = "", limit
    traces: set[str] = set()
    while left > 0:
        page = source.ask(path, given | {"cursor": cursor, "limit": min(left, 500)})
        for row in page["rows"]:
            if path == "/traces":
                if row["trace_id"] in traces:
                    continue
                traces.add(row["trace_id"])
            yield row
            left -= 1
        cursor = page["next"]
        if not cursor:
            return


class Dashboard:
    """Asks a dashboard that runs."""

    def __init__(self, there: Running) -> None:
        self._there = there
        # The variables of proxies do not count for this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, given: Parameters) -> Any:
        """See `Source`."""
        query = urlencode({key: value for key, value in given.items() if value}, doseq=True)
        with self.open(f"{quote(path)}?{query}") as answer:
            return json.load(answer)

    def open(self, path: str, body: Any = None, size_bytes: int = 0) -> Any:
        """Return an answer to be read; `body` is a file that is posted."""
        headers = {"authorization": f"Bearer {self._there.token}"}
        if body is not None:
            headers |= {"content-type": "application/zip", "content-length": str(size_bytes)}
        request = urllib.request.Request(f"{self._there.address}/api{path}", body, headers)
        try:
            return self._opener.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            raise SourceError(_reason(error)) from None
        except OSError as error:
            raise SourceError(
                f"the dashboard at {self._there.address} does not answer ({error})"
            ) from None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode(errors="replace")
    try:
        return str(json.loads(text)["error"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return f"the dashboard answered {error.code}: {text.strip()[:200].rstrip('.')}"


class File:
    """Reads the store's file."""

    def __init__(self, store: str) -> None:
        try:
            import duckdb
        except ModuleNotFoundError as error:
            raise SourceError(
                f"reading {store} needs more packages: pip install 'clarity-otel[dashboard]' "
                f"({error})"
            ) from None
        from clarity_otel.store.duckdb_query import DuckDbQuery

        self._store = store
        try:
            self._query = DuckDbQuery(duckdb.connect(store, read_only=True))
        except duckdb.Error as error:
            what = str(error).splitlines()[0][:200].rstrip(".")
            raise SourceError(f"the store {store} cannot be read ({what})") from None

    def ask(self, path: str, given: Parameters) -> Any:
        """See `Source`."""
        import duckdb
        from starlette.requests import Request

        from clarity_otel.web.questions import QUESTIONS

        words = {key: value for key, value in given.items() if value}
        scope: dict[str, Any] = {
            "type": "http",
            "headers": [],
            "query_string": urlencode(words, doseq=True).encode(),
            "path_params": {},
        }
        if path.startswith("/traces/"):
            scope["path_params"] = {"trace_id": path.rpartition("/")[2]}
            path = "/traces/{trace_id}"
        question = next(question for question in QUESTIONS if question.path == path)
        try:
            answer = question.answer(self._query, Request(scope))
        except ValueError as error:
            raise SourceError(f"{error}") from None
        except duckdb.Error as error:
            what = str(error).splitlines()[0][:200].rstrip(".")
            raise SourceError(f"the store {self._store} does not answer ({what})") from None
        if answer is None:
            raise SourceError("There is no such trace")
        return answer
