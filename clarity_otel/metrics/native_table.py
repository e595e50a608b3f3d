"""What the native engine counts by: the catalog's families, handed over once.

It happens when the first library is imported that the engine measures, before the first
request: a process that imports none of them is spared the catalog. What is counted waits
in the engine until `metrics.lifecycle` begins; `native_source` reads it.
"""

from __future__ import annotations

from clarity_otel import _native
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import HISTOGRAM, NATIVE, PATCHES, Family, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

# What the engine keeps, in the catalog's order.
FAMILIES: tuple[Family, ...] = tuple(
    family for family in CATALOG if family.writer in (NATIVE, PATCHES)
)

_METHOD = "http.request.method"
# A client's exceptions must not take the room of a server's.
_OWN_VALUES = "error.type"


def begin(settings: Settings) -> None:
    """Let the engine count, from zero. Off the hot path; raises nothing of its own."""
    sets: list[tuple[list[str], int]] = []
    numbers: dict[object, int] = {}
    families = []
    for family in FAMILIES:
        used = []
        for label in family.labels:
            key: object = (family.name, label) if label.name == _OWN_VALUES else label
            if key not in numbers:
                numbers[key] = len(sets)
                sets.append(_values(label, settings))
            used.append(numbers[key])
        buckets = [float(bound) for bound in family.buckets]
        families.append((family.name, family.kind == HISTOGRAM, used, buckets))
    form = settings["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"]
    _native.configure_metrics(
        sets,
        families,
        exponential=form == "base2_exponential_bucket_histogram",
        exemplars=str(settings["OTEL_METRICS_EXEMPLAR_FILTER"]),
    )


def _values(label: Label, settings: Settings) -> tuple[list[str], int]:
    """Return a label's values, all that are allowed or none, and the limit of others."""
    values = list(label.values)
    if label.name == _METHOD:
        # Methods that the user has named are known methods.
        values += settings.instrumentation_http_known_methods or ()
    return values, min(label.limit, settings.metrics_label_limit)
