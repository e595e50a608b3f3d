"""Load over sockets: an exact number of requests on keep-alive connections."""

from __future__ import annotations

import http.client
import select
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Response:
    """One answer; header names are in lower case, the last of several wins."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class LoadResult:
    """What came of the requests: every one is an answer or a failure."""

    responses: list[Response] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had each status."""
        return Counter(response.status for response in self.responses)


def load(
    url: str,
    n: int,
    concurrency: int = 4,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 30.0,
) -> LoadResult:
    """Sends exactly ``n`` requests, ``concurrency`` at a time, and waits for all.

    Each thread keeps its connection as long as the server does. A request that
    fails is counted and not sent again: the server may have worked on it. A bare
    uvicorn worker that gunicorn recycles resets some (``--max-requests 200``: 1 to 12
    of 1,000, on kept and on fresh connections): compare with what was answered.
    """
    target = urlsplit(url)
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    result = LoadResult()
    numbers = count()  # next() on it is atomic

    def work() -> None:
        connection = http.client.HTTPConnection(
            target.hostname or "", target.port, timeout=timeout_s
        )
        while next(numbers) < n:
            if _closed_by_server(connection):
                connection.close()
            try:
                connection.request(method, path, body, dict(headers or {}))
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                result.failures.append(error)
                continue
            received = {name.lower(): value for name, value in answer.getheaders()}
            result.responses.append(Response(answer.status, received, content))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def _closed_by_server(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has something to read: that can only be its end."""
    return connection.sock is not None and bool(select.select([connection.sock], [], [], 0)[0])
