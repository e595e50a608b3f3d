"""What must have arrived: for N requests N server spans, each with all its children."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clarity_otel.bench.receiver import ReceivedSpan

# The client spans of one request to each path of the shop.
CHILDREN: Mapping[str, Mapping[str, int]] = {
    "/hello": {},
    "/redis": {"redis": 1},
    "/http": {"http": 1},
    "/ddb": {"dynamodb": 1},
    "/order": {"redis": 2, "http": 1, "dynamodb": 1},
}


def called(span: ReceivedSpan) -> str | None:
    """What a client span called: redis, dynamodb, sqs, http; None for other kinds of span."""
    if span.kind not in ("client", "producer"):
        return None
    system = str(span.attributes.get("db.system.name") or span.attributes.get("db.system") or "")
    service = str(span.attributes.get("rpc.service") or span.name).lower()
    if system == "redis":
        return "redis"
    if "dynamodb" in system or "dynamodb" in service:
        return "dynamodb"
    if "sqs" in service:
        return "sqs"
    return "http" if "http.request.method" in span.attributes else "other"


def path_of(span: ReceivedSpan) -> str:
    """The path of a server span's request."""
    return str(span.attributes.get("url.path") or span.attributes.get("http.target") or "")


@dataclass(frozen=True)
class Trace:
    """One server span and every span below it."""

    server: ReceivedSpan
    below: Sequence[ReceivedSpan]

    def missing(self) -> str:
        """What this trace lacks of its path's children, as words; "" for a whole trace."""
        wanted = Counter(CHILDREN.get(path_of(self.server), {}))
        lacking = wanted - Counter(filter(None, map(called, self.below)))
        return ", ".join(f"{count} {name}" for name, count in sorted(lacking.items()))


def traces(spans: Sequence[ReceivedSpan], service: str) -> list[Trace]:
    """A trace for every server span of `service`: children of children included."""
    by_parent: dict[tuple[str, str], list[ReceivedSpan]] = defaultdict(list)
    for span in spans:
        by_parent[span.trace_id, span.parent_id].append(span)
    found = []
    for server in spans:
        if server.kind != "server" or server.service != service:
            continue
        below: list[ReceivedSpan] = []
        level = [server]
        while level:
            level = [child for span in level for child in by_parent[span.trace_id, span.span_id]]
            below += level
        found.append(Trace(server, below))
    return found


def complaints(found: Sequence[Trace], sent: Mapping[str, int]) -> list[str]:
    """A sentence for everything that is wrong; empty when every span is there once."""
    sentences = []
    arrived = Counter(path_of(trace.server) for trace in found)
    for path, requests in sent.items():
        if arrived[path] != requests:
            sentences.append(
                f"{requests} requests to {path} gave {arrived[path]} server spans, not {requests}."
            )
    ids = Counter(span.span_id for trace in found for span in (trace.server, *trace.below))
    doubled = sum(count - 1 for count in ids.values())
    if doubled:
        sentences.append(f"{doubled} span ids came more than once.")
    lacking = Counter((path_of(trace.server), trace.missing()) for trace in found)
    for (path, missing), traces_lacking in sorted(lacking.items()):
        if missing:
            sentences.append(f"{traces_lacking} traces of {path} lack {missing} below the request.")
    return sentences
