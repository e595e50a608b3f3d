"""Writes docs/metrics.md from the catalog.

python -m clarity_otel.metrics.page          write it
python -m clarity_otel.metrics.page --check  exit 1 if it is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import GROUPS, OTHER, RULES, Family, Label

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"

_HEAD = f"""\
# Metrics

<!-- Written by `python -m clarity_otel.metrics.page` from clarity_otel/metrics/catalog.py. -->

Every metric that Clarity OTel keeps. The first name is the one in the Prometheus
exposition, the second OpenTelemetry's, as OTLP carries it. A histogram has the series
`_bucket`, `_sum` and `_count`.

A label holds one of the values that stand here, or at most so many different ones in a
process (`CLARITY_METRICS_LABEL_LIMIT` lowers all of them); every other value becomes
`{OTHER}`, and `clarity_metrics_label_overflows_total` counts it. Values, those of
the app's own metrics too, are masked and cut after 120 characters. No label of ours holds an
address, a name or an id.

"Written by" says where it comes from: *native*, the requests themselves; *patches*, the
libraries' patches; *sampler*, the background thread; *engine*, the telemetry pipeline;
*get_metrics()*, the app, by the attribute that is named.

*native* counts every request and call, whether its span is sampled or not and wherever
traces go. What is not traced is not counted: URLs of `OTEL_PYTHON_EXCLUDED_URLS`, calls
under `suppress_instrumentation()`, calls that were cancelled. A request that no route
matched has no `http_route`. The size of a request is the `Content-Length` that the client
sent, or what the application received of a body without one; that of a response is the bytes
that the application sent. That a client went away is seen under uvicorn and hypercorn, whose
`send` knows it. Other servers tell only who asks `receive`, and to ask for each request would
cost it more than all else here.

On the sdk engine, OpenTelemetry's instrumentors measure HTTP servers and clients, and the
other families of this kind are measured beside them, in Python. Not measured there: responses
without a `Content-Length` have no size (the instrumentor reads no body), and commands of a
Redis cluster are not counted (its nodes' clients are not the class that is patched).

Callbacks of observable instruments, and collectors that the app has registered with
prometheus_client, are called in a thread of ours that lasts, once a scrape. One that takes more
than a second costs its own numbers alone: they stay what they were, a sentence on stderr names
it, after five seconds `/api/v1/observability/health` too, and it is not called again before it
has come back; the others are called in a new thread. After two seconds nobody else is called:
who was not, which both say, comes first the next time. When the process ends they have 0.3 s,
one 0.15 s. Nobody is called where no thread can be started for it: within a container's bound
both say so, and Python >= 3.12 starts none at its end, where collectors of a script that ends
within its first second are not called.
An app that sets a MeterProvider of its own has its callbacks called by that, all at once: one
that hangs then costs all its instruments. Half a surrogate pair in a label is U+FFFD.

## Two doors

`/metrics` shows the whole service; by OTLP each process sends its own numbers
(`OTEL_METRICS_EXPORTER`, every `OTEL_METRIC_EXPORT_INTERVAL` and once more at its end), told
apart by `service.instance.id`. What the app registers with prometheus_client comes out of
both under its own names (and ours are in its default registry, for an app that writes a page
of its own), and so does what is measured with the OpenTelemetry metrics API:
by OTLP with its scope, at `/metrics` by the specification's rules for names. A metric of
that API that has the name of one below is the one below: its attributes and buckets, in one
family. An app that sets a MeterProvider of its own keeps it, views included; it is shown at
`/metrics`, and sent unless it has a reader of its own.

A server begins to export by itself a second after it serves, any other process with its
first span or its first metric. A script that ends sooner exports once, at its end, and only
where it, or a library it uses, has measured something: what any process could tell of its
memory is not worth a connection.

With OTLP, sums count from the start of the process (in a forked worker: from the fork), or
from the last export where `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` says so.

Where `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` is
`base2_exponential_bucket_histogram`, OTLP has exponential histograms (scale 20 at most, 160
buckets of either sign, halved in resolution when they no longer suffice, with the least and
the largest value) of all that is measured here: the families below, the OpenTelemetry API's,
and the app's own prometheus_client histograms, which tell each measurement to their sum. They
are each process's own; `/metrics` has the explicit buckets. A custom collector that yields
finished buckets, and an app with `PROMETHEUS_MULTIPROC_DIR`, keep explicit ones: of those
nobody knows the measurements. An `observe` costs 1 us more.

Prometheus keeps them as native histograms, which have no series `_bucket`. The alert rules and
Grafana's dashboards read `_bucket`: a service that sends exponential histograms has no
quantiles and no error ratios there, so let Prometheus scrape it, or leave the setting as it is.
The store of `clarity dashboard` reads both.

## How processes are joined

Exemplars at `/metrics` are those of the process that answers; by OTLP each process sends its own.

With several processes, one scrape of any of them answers for the whole service. Counters
and histograms are summed over all processes, those that ended included. Other rules stand
in the last column:

"""


def page() -> str:
    """Return the text of docs/metrics.md."""
    text = _HEAD
    text += "".join(f"- *{rule}*: {meaning}\n" for rule, meaning in RULES.items())
    for group in GROUPS:
        text += f"\n## {group}\n\n"
        text += "| Metric | OpenTelemetry | Kind | Unit | Labels | What it is "
        text += "| Written by | Processes |\n"
        text += "|---|---|---|---|---|---|---|---|\n"
        text += "".join(_row(family) for family in CATALOG if family.group == group)
    return text


def _row(family: Family) -> str:
    writer = f"`{family.attribute}`" if family.attribute else family.writer
    cells = (
        f"`{family.prometheus_name}`",
        f"`{family.name}`",
        family.kind,
        family.unit,
        "; ".join(_label(label) for label in family.labels),
        family.help,
        writer,
        family.rule,
    )
    return "| " + " | ".join(cells) + " |\n"


def _label(label: Label) -> str:
    values = ", ".join(label.values) if label.values else f"at most {label.limit}"
    return f"`{label.prometheus_name}`: {values}"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; return the exit code."""
    return write_or_check(PAGE, page(), "python -m clarity_otel.metrics.page", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
