"""Which metrics and labels a PromQL expression names, and whether somebody writes them.

Not a parser: strings, braces, ranges and label lists are taken out of the text, and what is
left of identifiers that are no function and no word of the language are metrics. promtool
says whether the expression is PromQL at all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from functools import cache

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import HISTOGRAM, Family

# What others write, and who: rules of ours may name these and no other.
EXTERNAL = {
    "up": "Prometheus, of each target that it scrapes",
    "target_info": "Prometheus, of OTLP's resources",
    "ALERTS": "Prometheus, of each alert",
    "redis_up": "the Redis exporter",
    "prometheus_notifications_dropped_total": "Prometheus",
    "alertmanager_notifications_failed_total": "Alertmanager",
    "otelcol_exporter_send_failed_spans": "the Collector",
    "otelcol_exporter_send_failed_spans_total": "the Collector, with type suffixes",
    "otelcol_exporter_send_failed_log_records": "the Collector",
    "otelcol_exporter_send_failed_log_records_total": "the Collector, with type suffixes",
    "otelcol_exporter_send_failed_metric_points": "the Collector",
    "otelcol_exporter_send_failed_metric_points_total": "the Collector, with type suffixes",
    "otelcol_exporter_queue_size": "the Collector",
    "otelcol_exporter_queue_capacity": "the Collector",
    "jaeger_badger_key_log_bytes_available": "Jaeger with Badger, after its first five minutes",
    "jaeger_badger_size_bytes_lsm": "Jaeger with Badger",
    "kubelet_volume_stats_available_bytes": "the kubelets",
    "kubelet_volume_stats_capacity_bytes": "the kubelets",
    "kube_pod_container_status_restarts_total": "kube-state-metrics",
    "kube_pod_container_status_last_terminated_reason": "kube-state-metrics",
    "probe_ssl_earliest_cert_expiry": "the blackbox exporter",
}
# prometheus_client's own, near to ours in name: an app that registers its collectors has them.
_CLIENT_LIBRARY = frozenset(
    (
        *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"),
        *("process_virtual_memory_bytes", "process_max_fds", "process_start_time_seconds"),
    )
)
# Labels that Prometheus adds, and those of more than one process.
COMMON_LABELS = frozenset(("job", "instance", "pid", "le", "service_name", "service"))

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_COMMENT = re.compile(r"#[^\n]*")
_LABEL_LIST = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE
)
_BRACES = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\[\]]*\]")
_NAME = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(\s*\()?")
_WORDS = frozenset(
    (
        *("and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring"),
        *("group_left", "group_right", "atan2", "inf", "nan"),
    )
)
_SELECTOR = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\s*\{([^{}]*)\}")
_MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")


def metrics_of(expr: str) -> set[str]:
    """Return the names of the metrics in an expression; `{__name__=…}` has none of them."""
    text = _bare(expr)
    for pattern in (_BRACES, _RANGE, _LABEL_LIST):
        text = pattern.sub(" ", text)
    return {name for name, call in _NAME.findall(text) if not call and name.lower() not in _WORDS}


def labels_of(expr: str) -> set[tuple[str, str]]:
    """Return the pairs of metric and label that stand in its selectors."""
    return {
        (metric, label)
        for metric, matchers in _SELECTOR.findall(_bare(expr))
        for label in _MATCHER.findall(matchers)
    }


def _bare(expr: str) -> str:
    return _COMMENT.sub("", _STRING.sub('""', expr))


@cache
def written() -> dict[str, Family]:
    """Return the families by the name of each of their series in Prometheus."""
    names: dict[str, Family] = {}
    for family in CATALOG:
        suffixes = ("_bucket", "_sum", "_count") if family.kind == HISTOGRAM else ("",)
        names |= {family.prometheus_name + suffix: family for suffix in suffixes}
    return names


@cache
def _beginnings() -> tuple[str, ...]:
    """Return how our names begin: one that begins so and is not there is a mistake."""
    first_words = {name.split("_")[0] for name in written()} - {"http", "system", "process"}
    return (*(f"{word}_" for word in sorted(first_words)), "http_server_", "http_client_")


def unwritten(exprs: Iterable[str], recorded: Collection[str] = ()) -> list[str]:
    """Return a sentence for each metric that looks like one of ours, and that nobody writes.

    `recorded` are the names of recording rules. Other programs' metrics are not known here.
    """
    known = {*written(), *EXTERNAL, *_CLIENT_LIBRARY, *recorded}
    sentences = []
    for name in sorted({name for expr in exprs for name in metrics_of(expr)} - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near or name.startswith(_beginnings()):
            near = near or difflib.get_close_matches(name, written(), n=1, cutoff=0.5)
            hint = f"the nearest is {near[0]}" if near else "docs/metrics.md lists all"
            sentences.append(f"there is no metric {name}: {hint}")
    return sentences


def unlabelled(exprs: Iterable[str]) -> list[str]:
    """Return a sentence for each label that a metric of ours does not have."""
    sentences = []
    for name, label in sorted({pair for expr in exprs for pair in labels_of(expr)}):
        family = written().get(name)
        if family is None or label in COMMON_LABELS or label in family.label_names:
            continue
        near = difflib.get_close_matches(label, family.label_names, n=1, cutoff=0.3)
        hint = f"the nearest is {near[0]}" if near else f"it has {', '.join(family.label_names)}"
        sentences.append(f"{name} has no label {label}: {hint if family.label_names else 'none'}")
    return sentences
