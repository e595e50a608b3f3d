"""Where requests are counted in Prometheus, and how dearly each of these has to be asked.

Series that neither began anew nor ended within a range are subtracted, end from begin; what
did is asked for by itself (`promql`), because it takes several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from clarity_otel.store.production.prometheus import (
    IDENTITY,
    range_ms_of,
    service_of,
    together,
)
from clarity_otel.store.production.promql import (
    began_anew,
    differs,
    equals,
    gone,
    label,
    matches,
    selector,
)
from clarity_otel.store.query import MOST_ROWS

if TYPE_CHECKING:
    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range

_MOST_INSTANCES = 200
# `http.server.request.duration`: the name of its series of counts.
_COUNTS = r"http[._]server[._]request[._]duration(_seconds)?_count"


@dataclass(frozen=True)
class Source:
    """Series of one histogram: its name without suffix, and what narrows it to a service."""

    name: str
    matchers: tuple[str, ...] = ()
    is_steady: bool = True  # none of its counters began anew
    is_whole: bool = False  # none of its series ended

    def label(self, name: str) -> str:
        """Return a label as this source's series have it, by OpenTelemetry's name."""
        return name if "." in self.name else name.replace(".", "_")

    def series(self, suffix: str, *matchers: str) -> str:
        """Return the selector of one kind of its series, narrowed further."""
        return selector(f"{self.name}{suffix}", *self.matchers, *matchers)


def sources_of(
    prometheus: Prometheus,
    within: Range,
    service: str = "",
    version: str = "",
    *,
    is_once: bool = False,
) -> list[Source]:
    """Return where requests are counted: of all services, of this one, of this version.

    `is_once`: they are asked for the range's end alone, not for steps within it.
    """
    of_version: tuple[str, ...] = ()
    counts = "{" + matches("__name__", pattern=_COUNTS) + "}"
    range_ms = range_ms_of(within)
    wanted = [began_anew(counts, range_ms), *([gone(counts, range_ms)] if is_once else [])]
    identities, *unlike = together(
        lambda: identities_of(prometheus, within),
        *(partial(_grouped, prometheus, within, IDENTITY, one) for one in wanted),
    )
    anew, ended = unlike[0], unlike[1] if is_once else []
    if version:
        instances = instances_of(prometheus, within, identities, version)
        if not instances:
            return []
        of_version = (matches("instance", *instances),)
    names = dict.fromkeys(labels["__name__"].removesuffix("_count") for labels in identities)
    if not service:
        # What began anew or ended is dear to ask for, so it is asked for by itself.
        jobs_anew = {labels.get("job", "") for labels in anew}
        jobs_ended = {labels.get("job", "") for labels in ended} - jobs_anew
        apart = sorted(jobs_anew | jobs_ended)
        others = (*of_version, differs("job", *apart)) if apart else of_version
        sources = [Source(name, others, is_whole=is_once) for name in names]
        for of_jobs, is_steady in ((jobs_ended, True), (jobs_anew, False)):
            if of_jobs:
                narrowed = (*of_version, matches("job", *sorted(of_jobs)))
                sources += [Source(name, narrowed, is_steady) for name in names]
        return sources
    is_steady = all(service_of(labels) != service for labels in anew)
    is_whole = is_once and all(service_of(labels) != service for labels in ended)
    found = []
    for labels in identities:
        if service_of(labels) == service:
            of_it = tuple(equals(one, labels.get(one, "")) for one in IDENTITY)
            name = labels["__name__"].removesuffix("_count")
            found.append(Source(name, of_it + of_version, is_steady, is_whole))
    return list(dict.fromkeys(found))[:MOST_ROWS]


def _grouped(
    prometheus: Prometheus, within: Range, by: tuple[str, ...], query: str
) -> list[dict[str, str]]:
    found = prometheus.instant(f"group by ({','.join(by)}) ({query})", within.end_ns)
    return [labels for labels, _at_s, _value in found]


def identities_of(prometheus: Prometheus, within: Range) -> list[dict[str, str]]:
    """Return the names of the counts, each with the labels that say of which service it is."""
    counts = "{" + matches("__name__", pattern=_COUNTS) + "}"
    seen = f"last_over_time({counts}[{range_ms_of(within) + 600_000}ms])"
    return _grouped(prometheus, within, ("__name__", *IDENTITY), seen)


def instances_of(
    prometheus: Prometheus, within: Range, identities: list[dict[str, str]], version: str = ""
) -> dict[str, str]:
    """Return the versions of instances, of all or of this one version, by `target_info`."""
    is_dotted = any("." in labels["__name__"] for labels in identities)
    of_it = "service.version" if is_dotted else "service_version"
    wanted = equals(of_it, version) if version else f'{label(of_it)}!=""'
    told = f"last_over_time(target_info{{{wanted}}}[{range_ms_of(within) + 600_000}ms])"
    found = prometheus.instant(f"group by (instance,{label(of_it)}) ({told})", within.end_ns)
    return {
        labels["instance"]: labels[of_it]
        for labels, _at_s, _value in found[:_MOST_INSTANCES]
        if labels.get("instance")
    }


def jobs_of(prometheus: Prometheus, within: Range) -> list[str]:
    """Return the jobs in which requests are counted."""
    return sorted({labels.get("job", "") for labels in identities_of(prometheus, within)})[
        :MOST_ROWS
    ]
