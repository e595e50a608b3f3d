"""Every metric, once, as data: one row of the table is one family.

Names are those of the OpenTelemetry semantic conventions where they have one, and begin
with `clarity.` elsewhere. docs/metrics.md, the exposition, `get_metrics()` and the
generators of alert rules and dashboards read this table.
"""

# ruff: noqa: E501 - a row is one line, so that the table reads as one.

from __future__ import annotations

from clarity_otel.metrics.family import (
    API,
    APP,
    BUSINESS,
    COUNTER,
    DATABASE_SECONDS,
    ENGINE,
    GAUGE,
    HISTOGRAM,
    HTTP_SECONDS,
    LAST,
    LIVE_MAX,
    LIVE_MIN,
    LIVE_SUM,
    LONG_SECONDS,
    MAX,
    ML,
    NATIVE,
    OTHER,
    PATCHES,
    PID,
    PIPELINE,
    SECURITY,
    SESSION_SECONDS,
    SHORT_SECONDS,
    SIZE_BYTES,
    SUM,
    SYSTEM,
    UPDOWNCOUNTER,
    Family,
    Label,
)

# Labels that several families share.
_METHOD = Label(
    "http.request.method",
    (
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "CONNECT",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "QUERY",
        "_OTHER",
    ),
)
_ROUTE = Label("http.route", limit=200)
_STATUS = Label("http.response.status_code", limit=60)
_SCHEME = Label("url.scheme", ("http", "https", "ws", "wss"))
_ERROR = Label("error.type", limit=50)
_HOST = Label("server.address", limit=50)
_CPU_MODE = Label("cpu.mode", ("user", "system", "nice", "idle", "iowait", "interrupt", "steal"))
_DISK = Label("disk.io.direction", ("read", "write"))
_NETWORK = Label("network.io.direction", ("receive", "transmit"))
_MOUNT = Label("system.filesystem.mountpoint", limit=10)
_MEMORY = Label("system.memory.state", ("used", "free", "cached", "buffers"))
_GENERATION = Label("cpython.gc.generation", ("0", "1", "2"))
_MODEL = Label("model", limit=50)
_VERSION = Label("version", limit=50)
_OUTCOME = Label("status", ("ok", "error", "cancelled"))
_SIGNAL = Label("signal", ("traces", "metrics", "logs"))


def _group(group: str, *rows: Family) -> tuple[Family, ...]:
    return tuple(row._replace(group=group, rule=row.rule or SUM) for row in rows)


# fmt: off
CATALOG: tuple[Family, ...] = (
    *_group(
        API,
        Family("http.server.request.duration", HISTOGRAM, "s", "Duration of served HTTP requests; its count is the number of requests.", (_METHOD, _ROUTE, _STATUS, _SCHEME, _ERROR), NATIVE, buckets=HTTP_SECONDS),
        Family("http.server.active_requests", UPDOWNCOUNTER, "{request}", "HTTP requests that are being served.", (_METHOD, _SCHEME), NATIVE, LIVE_SUM),
        Family("http.server.request.body.size", HISTOGRAM, "By", "Size of the bodies of served requests.", (_METHOD, _ROUTE, _STATUS), NATIVE, buckets=SIZE_BYTES),
        Family("http.server.response.body.size", HISTOGRAM, "By", "Size of the bodies of responses.", (_METHOD, _ROUTE, _STATUS), NATIVE, buckets=SIZE_BYTES),
        Family("clarity.http.server.exceptions", COUNTER, "{exception}", "Exceptions that left the application while it served a request.", (_ROUTE, Label("exception.type", limit=50)), NATIVE),
        Family("clarity.http.server.client_disconnects", COUNTER, "{disconnect}", "Requests whose client went away before the whole response was sent.", (_ROUTE,), NATIVE),
        Family("clarity.websocket.connections", COUNTER, "{connection}", "WebSocket connections that were accepted.", (_ROUTE,), NATIVE),
        Family("clarity.websocket.active_connections", UPDOWNCOUNTER, "{connection}", "WebSocket connections that are open.", (_ROUTE,), NATIVE, LIVE_SUM),
        Family("clarity.websocket.messages", COUNTER, "{message}", "WebSocket messages by direction.", (_ROUTE, _NETWORK), NATIVE),
        Family("http.client.request.duration", HISTOGRAM, "s", "Duration of HTTP requests that the service made.", (_METHOD, _HOST, _STATUS, _ERROR), NATIVE, buckets=HTTP_SECONDS),
        Family("clarity.http.client.connection_errors", COUNTER, "{error}", "HTTP requests that the service made and that got no answer.", (_HOST, _ERROR), NATIVE),
        Family("db.client.operation.duration", HISTOGRAM, "s", "Duration of database calls, Redis and DynamoDB among them.", (Label("db.system.name", limit=10), Label("db.operation.name", limit=60), _ERROR), NATIVE, buckets=DATABASE_SECONDS),
        Family("clarity.db.client.connection_errors", COUNTER, "{error}", "Database calls that failed because there was no connection.", (Label("db.system.name", limit=10), _ERROR), NATIVE),
        Family("clarity.cache.lookups", COUNTER, "{lookup}", "Keys that were looked up in a cache, by what Redis replied.", (Label("db.operation.name", limit=20), Label("result", ("hit", "miss"))), NATIVE),
        Family("rpc.client.call.duration", HISTOGRAM, "s", "Duration of calls of AWS services.", (Label("rpc.system.name", ("aws-api",)), Label("rpc.method", limit=100), _STATUS, _ERROR), NATIVE, buckets=HTTP_SECONDS),
        Family("clarity.client.retries", COUNTER, "{retry}", "Attempts after the first, by the client library that made them.", (Label("client", ("http", "aws", "redis")),), PATCHES),
    ),
    *_group(
        SYSTEM,
        Family("system.cpu.time", COUNTER, "s", "Seconds of the machine's processors by mode.", (_CPU_MODE,), rule=MAX),
        Family("system.cpu.utilization", GAUGE, "1", "Share of the machine's processor time by mode since the last sample.", (_CPU_MODE,), rule=LAST),
        Family("system.cpu.logical.count", UPDOWNCOUNTER, "{cpu}", "Logical processors of the machine.", rule=LAST),
        Family("system.memory.usage", UPDOWNCOUNTER, "By", "The machine's memory by state.", (_MEMORY,), rule=LAST),
        Family("system.memory.utilization", GAUGE, "1", "Share of the machine's memory that is not available to new programs.", rule=LAST),
        Family("system.memory.limit", UPDOWNCOUNTER, "By", "The machine's memory in all.", rule=LAST),
        Family("system.paging.usage", UPDOWNCOUNTER, "By", "Swap by state.", (Label("system.paging.state", ("used", "free")),), rule=LAST),
        Family("system.disk.io", COUNTER, "By", "Bytes that all disks have read and written.", (_DISK,), rule=MAX),
        Family("system.disk.operations", COUNTER, "{operation}", "Operations of all disks.", (_DISK,), rule=MAX),
        Family("system.filesystem.usage", UPDOWNCOUNTER, "By", "Space of the file systems that the service lives on, by state.", (_MOUNT, Label("system.filesystem.state", ("used", "free"))), rule=LAST),
        Family("system.filesystem.utilization", GAUGE, "1", "Share of a file system's space that is used.", (_MOUNT,), rule=LAST),
        Family("system.network.io", COUNTER, "By", "Bytes through all network interfaces but the loopback.", (_NETWORK,), rule=MAX),
        Family("system.network.errors", COUNTER, "{error}", "Errors of all network interfaces but the loopback.", (_NETWORK,), rule=MAX),
        Family("system.network.packet.dropped", COUNTER, "{packet}", "Packets that all network interfaces but the loopback have dropped.", (_NETWORK,), rule=MAX),
        Family("process.cpu.time", COUNTER, "s", "Processor seconds of the service's processes by mode.", (Label("cpu.mode", ("user", "system")),)),
        Family("process.cpu.utilization", GAUGE, "1", "Share of the processors that the service's processes used since the last sample.", rule=LIVE_SUM),
        Family("process.memory.usage", UPDOWNCOUNTER, "By", "Resident memory of each process.", rule=PID),
        Family("process.memory.virtual", UPDOWNCOUNTER, "By", "Virtual memory of each process.", rule=PID),
        Family("process.thread.count", UPDOWNCOUNTER, "{thread}", "Threads of each process.", rule=PID),
        Family("process.unix.file_descriptor.count", UPDOWNCOUNTER, "{file_descriptor}", "Open file descriptors of each process.", rule=PID),
        Family("clarity.process.file_descriptor.limit", GAUGE, "{file_descriptor}", "The most file descriptors that a process may open.", rule=LIVE_MIN),
        Family("process.context_switches", COUNTER, "{context_switch}", "Context switches of the service's processes.", (Label("process.context_switch.type", ("voluntary", "involuntary")),)),
        Family("process.disk.io", COUNTER, "By", "Bytes that the service's processes have read and written.", (_DISK,)),
        Family("process.uptime", GAUGE, "s", "Seconds since each process started.", rule=PID),
        Family("cpython.gc.collections", COUNTER, "{collection}", "Runs of the garbage collector by generation.", (_GENERATION,)),
        Family("cpython.gc.collected_objects", COUNTER, "{object}", "Objects that the garbage collector freed.", (_GENERATION,)),
        Family("cpython.gc.uncollectable_objects", COUNTER, "{object}", "Objects that the garbage collector could not free.", (_GENERATION,)),
        Family("clarity.cpython.gc.duration", COUNTER, "s", "Seconds that the garbage collector stopped the process.", (_GENERATION,)),
        Family("clarity.event_loop.lag", HISTOGRAM, "s", "How late an event loop runs a callback that is due, measured once a second.", buckets=SHORT_SECONDS),
        Family("clarity.event_loop.tasks", GAUGE, "{task}", "Tasks that are not done on the measured event loops.", rule=LIVE_SUM),
        Family("clarity.thread_pool.threads", GAUGE, "{thread}", "Threads of thread pools.", (Label("pool", ("asyncio", "anyio", "other")),), rule=LIVE_SUM),
        Family("clarity.thread_pool.queue.size", GAUGE, "{call}", "Calls that wait for a thread of a pool.", (Label("pool", ("asyncio", "anyio", "other")),), rule=LIVE_SUM),
        Family("container.cpu.time", COUNTER, "s", "Processor seconds of the container.", rule=MAX),
        Family("clarity.container.cpu.limit", GAUGE, "{cpu}", "Processors that the container may use; absent without a limit.", rule=LAST),
        Family("clarity.container.cpu.throttled", COUNTER, "s", "Seconds that the container was held back by its processor limit.", rule=MAX),
        Family("container.memory.usage", UPDOWNCOUNTER, "By", "Memory of the container.", rule=LAST),
        Family("clarity.container.memory.limit", GAUGE, "By", "Memory that the container may use; absent without a limit.", rule=LAST),
        Family("clarity.container.oom_kills", COUNTER, "{kill}", "Processes of the container that were killed for want of memory.", rule=MAX),
    ),
    *_group(
        ML,
        Family("clarity.ml.predictions", COUNTER, "{prediction}", "Predictions by model, version and outcome.", (_MODEL, _VERSION, _OUTCOME), APP, attribute="ml_predictions"),
        Family("clarity.ml.inference.duration", HISTOGRAM, "s", "Duration of an inference.", (_MODEL, _VERSION, _OUTCOME), APP, attribute="ml_inference_duration", buckets=HTTP_SECONDS),
        Family("clarity.ml.active_inferences", UPDOWNCOUNTER, "{inference}", "Inferences that are running.", (_MODEL,), APP, LIVE_SUM, "ml_active_inferences"),
        Family("clarity.ml.queue.size", GAUGE, "{request}", "Requests that wait for a model.", (_MODEL,), APP, LIVE_SUM, "ml_queue_size"),
        Family("clarity.ml.cache.lookups", COUNTER, "{lookup}", "Lookups in a model's cache of results.", (_MODEL, Label("result", ("hit", "miss"))), APP, attribute="ml_cache_lookups"),
        Family("clarity.ml.cache.hit_ratio", GAUGE, "1", "Share of lookups that a model's cache answered, as the app reports it.", (_MODEL,), APP, LAST, "ml_cache_hit_rate"),
        Family("clarity.pat.analysis.duration", HISTOGRAM, "s", "Duration of a PAT analysis by type and data size.", (Label("analysis_type", limit=30), Label("data_size", ("small", "medium", "large", "unknown")), _OUTCOME), APP, attribute="pat_analysis_duration", buckets=LONG_SECONDS),
        Family("clarity.ml.model.accuracy", GAUGE, "1", "Accuracy of a model, as it was last measured.", (_MODEL, _VERSION), APP, LAST, "model_accuracy"),
        Family("clarity.ml.model.health", GAUGE, "{healthy}", "1 while a model is healthy, 0 when it is not.", (_MODEL, _VERSION), APP, LAST, "model_health"),
        Family("clarity.ml.model.load.duration", HISTOGRAM, "s", "Time that it took to load a model.", (_MODEL, _VERSION), APP, attribute="model_load_duration", buckets=LONG_SECONDS),
    ),
    *_group(
        SECURITY,
        Family("clarity.security.answers", COUNTER, "{response}", "Answers that refuse: 401, 403 and 429, by route.", (_ROUTE, Label("http.response.status_code", ("401", "403", "429"))), NATIVE),
        Family("clarity.auth.attempts", COUNTER, "{attempt}", "Attempts to authenticate by method and outcome.", (Label("method", limit=20), Label("outcome", ("success", "failure"))), APP, attribute="auth_attempts"),
        Family("clarity.auth.failures", COUNTER, "{attempt}", "Attempts to authenticate that failed, by reason.", (Label("method", limit=20), Label("reason", limit=30)), APP, attribute="auth_failures"),
        Family("clarity.auth.account_lockouts", COUNTER, "{lockout}", "Accounts that were locked, by reason.", (Label("reason", limit=30),), APP, attribute="account_lockouts"),
        Family("clarity.rate_limit.hits", COUNTER, "{request}", "Requests that a rate limit refused.", (Label("limit", limit=50),), APP, attribute="rate_limit_hits"),
        Family("clarity.suspicious_activities", COUNTER, "{event}", "Suspicious activities by type and severity.", (Label("activity_type", limit=50), Label("severity", ("low", "medium", "high", "critical"))), APP, attribute="suspicious_activities"),
    ),
    *_group(
        BUSINESS,
        Family("clarity.active_users", GAUGE, "{user}", "Different users that were active within a window, estimated to a few percent; no id is kept.", (Label("window", ("5m", "1h", "24h")),), APP, LAST, "active_users"),
        Family("clarity.sessions", COUNTER, "{session}", "Sessions that began.", (), APP, attribute="sessions"),
        Family("clarity.sessions.active", UPDOWNCOUNTER, "{session}", "Sessions that have begun and not ended.", (), APP, attribute="active_sessions"),
        Family("clarity.session.duration", HISTOGRAM, "s", "Duration of sessions that ended.", (), APP, attribute="session_duration", buckets=SESSION_SECONDS),
        Family("clarity.health_data.points", COUNTER, "{point}", "Health data points that were taken in.", (Label("data_type", limit=50), Label("source", limit=50)), APP, attribute="health_data_points"),
        Family("clarity.data_processing.duration", HISTOGRAM, "s", "Duration of a stage of data processing.", (Label("stage", limit=30), _OUTCOME), APP, attribute="data_processing_duration", buckets=LONG_SECONDS),
        Family("clarity.insights.generated", COUNTER, "{insight}", "Insights by type and confidence.", (Label("insight_type", limit=50), Label("confidence_level", ("low", "medium", "high", "very_high", "unknown"))), APP, attribute="insights_generated"),
        Family("clarity.insights.accuracy", GAUGE, "1", "Accuracy of insights by type, as it was last measured.", (Label("insight_type", limit=50),), APP, LAST, "insight_accuracy"),
    ),
    *_group(
        PIPELINE,
        Family("otel.sdk.span.started", COUNTER, "{span}", "Spans that were made to be exported.", (), ENGINE),
        Family("otel.sdk.log.created", COUNTER, "{log_record}", "Log records that were made to be exported.", (), ENGINE),
        Family("otel.sdk.exporter.span.exported", COUNTER, "{span}", "Spans that the exporter has done with; error.type is empty for those that arrived.", (_ERROR,), ENGINE),
        Family("otel.sdk.exporter.log.exported", COUNTER, "{log_record}", "Log records that the exporter has done with; error.type is empty for those that arrived.", (_ERROR,), ENGINE),
        Family("otel.sdk.exporter.metric_data_point.exported", COUNTER, "{data_point}", "Metric data points that the exporter has done with.", (_ERROR,), ENGINE),
        Family("otel.sdk.exporter.span.inflight", UPDOWNCOUNTER, "{span}", "Spans that are being sent.", (), ENGINE, LIVE_SUM),
        Family("otel.sdk.processor.span.queue.size", UPDOWNCOUNTER, "{span}", "Spans that wait to be sent.", (), ENGINE, LIVE_SUM),
        Family("clarity.pipeline.queue.usage", GAUGE, "By", "Encoded telemetry that waits to be sent.", (_SIGNAL,), ENGINE, LIVE_SUM),
        Family("clarity.pipeline.queue.utilization", GAUGE, "1", "Share of a queue's limit that is taken, in the fullest process.", (_SIGNAL,), ENGINE, LIVE_MAX),
        Family("clarity.pipeline.batches_sent", COUNTER, "{batch}", "Batches that arrived.", (_SIGNAL,), ENGINE),
        Family("clarity.pipeline.retries", COUNTER, "{attempt}", "Attempts to send a batch once more.", (_SIGNAL,), ENGINE),
        Family("clarity.pipeline.dropped", COUNTER, "{item}", "Spans, log records and data points that were dropped, by reason.", (_SIGNAL, Label("reason", limit=20)), ENGINE),
        Family("clarity.pipeline.spooled", GAUGE, "By", "Telemetry that waits on disk, of all processes of the service.", (_SIGNAL,), ENGINE, LIVE_MAX),
        Family("clarity.pipeline.spool.written", COUNTER, "{item}", "Spans, log records and data points that went to disk because the target did not take them.", (_SIGNAL,), ENGINE),
        Family("clarity.pipeline.spool.recovered", COUNTER, "{item}", "Those that came from the disk again, and were sent or dropped.", (_SIGNAL,), ENGINE),
        Family("clarity.pipeline.unconfirmed", COUNTER, "{item}", "Those in requests that were cut before an answer came: what the target took of them comes twice.", (_SIGNAL,), ENGINE),
        Family("clarity.pipeline.spool.corrupt", COUNTER, "{frame}", "Batches on disk that could not be read any more.", (_SIGNAL,), ENGINE),
        Family("clarity.masked", COUNTER, "{value}", "Values that were masked, by rule.", (Label("rule", limit=100),), ENGINE),
        Family("clarity.internal_errors", COUNTER, "{error}", "Errors inside Clarity OTel that were kept from the app, by place.", (Label("where", limit=50),), ENGINE),
        Family("clarity.patches.taken_back", COUNTER, "{patch}", "Patches that were taken back because their first calls failed inside Clarity OTel.", (Label("patch", limit=50),), ENGINE),
        Family("clarity.guard.cost_ratio", GAUGE, "1", "What telemetry costs, as a share of the process's CPU time, in the process where it is most; the limit is CLARITY_GUARD.", (), ENGINE, LIVE_MAX),
        Family("clarity.guard.level", GAUGE, "{level}", "How much is left out because of that: 0 nothing, 1 log bodies, 2 span attributes, 3 half of the traces, 4 nine tenths of them.", (), ENGINE, LIVE_MAX),
        Family("clarity.metrics.label_overflows", COUNTER, "{value}", f"Measurements whose label value was replaced by {OTHER}, because the label has its most values or does not allow it.", (Label("metric", limit=150), Label("label", limit=50)), ENGINE),
        Family("clarity.metrics.processes", GAUGE, "{process}", "Processes of the service that keep metrics.", (), ENGINE, LIVE_SUM),
    ),
)
# fmt: on

BY_NAME: dict[str, Family] = {family.name: family for family in CATALOG}
BY_ATTRIBUTE: dict[str, Family] = {
    family.attribute: family for family in CATALOG if family.attribute
}
