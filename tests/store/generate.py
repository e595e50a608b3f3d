"""Many realistic spans and metric points, made by DuckDB itself.

Spans are traces of five spans in two services.

Each trace is a server span with two Redis commands and one HTTP call, and the called
service's own server span: 20 routes, durations with a long tail, 1% errors, and the
attributes of the HTTP conventions. In order of time, as they would arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel.store import metric_steps
from clarity_otel.store.sql import sql
from clarity_otel.store.writer import ROLLUPS

if TYPE_CHECKING:
    import duckdb

SPANS_A_TRACE = 5
_CHUNK_TRACES = 100_000
_CHUNK_STEPS = 60

_SPANS = """
CREATE OR REPLACE TEMP TABLE new_spans AS
WITH traces AS (
  SELECT i, uuid() AS trace_id, hash(i * 7 + 1) | 1 AS root,
    (20 * pow(random(), 2))::INTEGER AS r, exp(1 + 1.2 * sqrt(-2 * ln(random() + 1e-9)) *
    cos(6.28318 * random())) * 1000000 AS ns, random() < 0.01 AS failed,
    $start + ((i - $first) * ($end - $start)) // $count AS start_ns
  FROM range($first, $first + $count) t(i)
)
SELECT trace_id,
  CASE k WHEN 0 THEN root ELSE hash(i * 7 + 1 + k) | 1 END AS span_id,
  CASE k WHEN 0 THEN 0 WHEN 4 THEN hash(i * 7 + 4) | 1 ELSE root END::UBIGINT AS parent_id,
  (start_ns + k * 100000)::BIGINT AS start_ns,
  (ns / (k + 1))::BIGINT AS duration_ns,
  CASE k WHEN 4 THEN 'stock' ELSE 'shop' END AS service,
  '1.4.' || (i // 1000000) AS version,
  CASE k WHEN 0 THEN 'GET /orders' || r || '/{id}' WHEN 3 THEN 'GET' WHEN 4 THEN 'GET /items/{id}'
    ELSE 'HGETALL' END AS name,
  CASE k WHEN 0 THEN 2 WHEN 4 THEN 2 ELSE 3 END::UTINYINT AS kind,
  CASE WHEN failed AND k = 0 THEN 2 ELSE 0 END::UTINYINT AS status,
  '' AS status_message,
  CASE k WHEN 1 THEN '' WHEN 2 THEN '' ELSE 'GET' END AS method,
  CASE k WHEN 0 THEN '/orders' || r || '/{id}' WHEN 4 THEN '/items/{id}' ELSE '' END AS route,
  CASE WHEN k IN (1, 2) THEN 0 WHEN failed AND k = 0 THEN 500 ELSE 200 END::USMALLINT
    AS http_status,
  CASE k WHEN 3 THEN 'stock' WHEN 4 THEN '' WHEN 0 THEN '' ELSE 'redis' END AS peer,
  'clarity' AS scope,
  1::UBIGINT AS resource_id,
  '{"http.request.method":"GET","url.path":"/orders' || r || '/' || i || '","url.scheme":"http",'
    || '"server.address":"127.0.0.1","server.port":8000,"client.address":"10.0.' || i % 250
    || '.7","http.response.status_code":200,"user_agent.original":"python-httpx/0.28"}'
    AS attributes,
  '' AS events, '' AS links
FROM traces, range(0, 5) s(k)
ORDER BY i, k
"""


def generate(connection: duckdb.DuckDBPyConnection, spans: int, start_ns: int, end_ns: int) -> None:
    """Add about `spans` spans that began from `start_ns` to `end_ns`, with all rollups."""
    count = max(spans // SPANS_A_TRACE, 1)
    for first in range(0, count, _CHUNK_TRACES):
        size = min(_CHUNK_TRACES, count - first)
        bounds = {
            "first": first,
            "count": size,
            "start": start_ns + (end_ns - start_ns) * first // count,
            "end": start_ns + (end_ns - start_ns) * (first + size) // count,
        }
        connection.execute(_SPANS, bounds)
        connection.execute("INSERT INTO spans BY NAME SELECT * FROM new_spans")
        for rollup in ROLLUPS:
            connection.execute(sql(rollup))
    connection.execute("DROP TABLE new_spans")
    connection.execute("CHECKPOINT")


# Of each request of the shop a line, of one that failed an error with a stack, by its route.
_LOGS = """
INSERT INTO logs
SELECT start_ns + duration_ns // 2, CASE status WHEN 2 THEN 17 ELSE 9 END,
  CASE status WHEN 2 THEN 'ERROR' ELSE 'INFO' END, service, 'shop.orders',
  CASE status WHEN 2 THEN 'order refused: ' ELSE 'order paid: ' END
    || json_extract_string(attributes, '$."url.path"'),
  trace_id, span_id, resource_id,
  '{"code.function":"pay","amount":' || start_ns % 10000 || ',"currency":"EUR"}'
FROM spans WHERE service = 'shop' AND kind = 2
ORDER BY start_ns
"""
_EXCEPTIONS = """
INSERT INTO exceptions
SELECT start_ns + duration_ns // 2, hash(route), service, 'OrderError',
  'order refused: ' || json_extract_string(attributes, '$."url.path"'),
  'Traceback (most recent call last):\n' || repeat('  File "shop/orders.py", line 17, in pay\n', 12)
    || '  File "shop' || route || '.py", line 4, in call\nOrderError: refused',
  trace_id, span_id
FROM spans WHERE status = 2
ORDER BY start_ns
"""


def generate_logs(connection: duckdb.DuckDBPyConnection) -> None:
    """Add a log record for each of the shop's requests, and an exception for each that failed."""
    for statement in (_LOGS, _EXCEPTIONS, "CHECKPOINT"):
        connection.execute(statement)


_BOUNDS = "0.005,0.01,0.025,0.05,0.075,0.1,0.25,0.5,0.75,1,2.5,5,7.5,10"
# A histogram of requests by route and status, and other metrics of five series each.
_POINTS = """
INSERT INTO metric_points
WITH series AS (
  SELECT 'http.server.request.duration' AS name, 's' AS unit, 'histogram' AS kind,
    'service' || i // 320 AS service, i // 80 AS resource_id, i,
    '{"http.request.method":"GET","http.response.status_code":' || [200, 201, 404, 500][1 + i % 4]
      || ',"http.route":"/route' || i // 4 % 20 || '/{id}"}' AS attributes
  FROM range($histograms) t(i)
  UNION ALL
  SELECT 'app.metric' || i // 5, 'By', ['gauge', 'sum'][1 + i // 5 % 2],
    'service' || i % 2, i % 2, i, '{"pool":"pool' || i % 5 || '"}'
  FROM range($others) t(i)
)
SELECT sec * 1000000000 AS time_ns, $first::BIGINT * 1000000000 AS start_ns, service, name, unit,
  kind, CASE kind WHEN 'gauge' THEN 0 ELSE 2 END AS temporality, kind = 'sum' AS monotonic,
  attributes,
  (sec - $first::BIGINT) * (1 + i % 3) * 1.5 AS value,
  CASE kind WHEN 'histogram' THEN (sec - $first::BIGINT) * (1 + i % 3) * 14 ELSE 0 END AS count,
  CASE kind WHEN 'histogram' THEN '{"bounds":[' || $bounds || '],"buckets":['
    || repeat(((sec - $first::BIGINT) * (1 + i % 3)) || ',', 14) || '0]}' ELSE '' END AS detail,
  '' AS exemplars, resource_id
FROM range($first, $last, $interval) times(sec), series
ORDER BY sec
"""


def generate_metrics(
    connection: duckdb.DuckDBPyConnection,
    start_ns: int,
    end_ns: int,
    *,
    histograms: int,
    others: int,
    interval_s: int = 60,
) -> None:
    """Add points of so many series, each `interval_s`: histograms of one metric, and others."""
    given = {"histograms": histograms, "others": others, "interval": interval_s}
    bounds = {"first": start_ns // 10**9, "last": end_ns // 10**9, "bounds": _BOUNDS}
    connection.execute(_POINTS, given | bounds)
    metric_steps.note_due(connection, "metric_points")
    while metric_steps.roll_up(connection, end_ns + 3600 * 10**9, _CHUNK_STEPS):
        pass
    connection.execute("CHECKPOINT")
