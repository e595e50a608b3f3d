"""Other libraries' instrumentors, each loaded when the app imports its library.

opentelemetry-instrument loads every installed instrumentor at the start, and with it
every library that it knows: 1.4 s in all. Here SQLAlchemy's waits for SQLAlchemy.
"""

from __future__ import annotations

import sys

from clarity_otel import diagnostics
from clarity_otel.guard import never_break_the_app
from clarity_otel.imports import is_initializing, when_imported
from clarity_otel.patches.installed import entry_points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.metadata import EntryPoint
    from types import ModuleType

    from clarity_otel.settings import Settings

GROUP = "opentelemetry_instrumentor"

# The module that an instrumentor waits for, where it is not called like the instrumentor.
_MODULES = {
    "aio-pika": "aio_pika",
    "aiobotocore": "aiobotocore.client",
    "aiohttp-client": "aiohttp",
    "aiohttp-server": "aiohttp.web",
    "botocore": "botocore.client",
    "cassandra": "cassandra.cluster",
    "google-genai": "google.genai",
    "grpc_aio_client": "grpc",
    "grpc_aio_server": "grpc",
    "grpc_client": "grpc",
    "grpc_server": "grpc",
    "mysql": "mysql.connector",
    "mysqlclient": "MySQLdb",
    "openai-v2": "openai",
    "tortoiseorm": "tortoise",
    "urllib": "urllib.request",
}

# They instrument no library that an app would import: the process itself, and the handler that
# a variable of AWS Lambda names.
_OF_THE_PROCESS = ("aws-lambda", "system_metrics")

# Those that we have put in place, until a reload has been told of.
_instrumented: set[str] = set()


def wait_for_libraries(settings: Settings, left_out: Collection[str]) -> None:
    """Load each installed instrumentor as soon as its library has been imported.

    Those of the process itself are loaded now.

    `left_out` are those of the libraries that the engine patches by itself; those named
    in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS are left out too.
    """
    for name in entry_points(GROUP):
        if name == "clarity" or name in left_out:
            continue
        if settings.is_instrumentation_disabled(name):
            continue
        if name in _OF_THE_PROCESS:
            _instrument_guarded(name)
        else:
            _instrument_after(module_of(name), name)


def _instrument_after(module: str, name: str) -> None:
    def instrument(_: ModuleType) -> None:
        _instrument_guarded(name)

    when_imported(module, instrument)


def _instrument_guarded(name: str) -> None:
    # Its own guard: the message names the instrumentor, not the import hook.
    with never_break_the_app(f"the instrumentor of {name}"):
        _instrument(name)


def _instrument(name: str) -> None:
    from importlib.metadata import entry_points as installed

    for point in installed(group=GROUP, name=name):
        unfit = unfit_reason(point)
        if unfit:
            diagnostics.warn(f"{name} is not traced: {unfit}.")
            continue
        loaded = sys.modules.get(point.module)
        if loaded is not None and is_initializing(loaded):
            # It is what imports the library, for another instrumentor in the same module:
            # httpx and httpx2 share one.
            _instrument_after(point.module, name)
            continue
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=True)
            _instrumented.add(name)
        elif name in _instrumented:
            # Its own state says that it has done its work, and it keeps no other.
            _instrumented.discard(name)
            diagnostics.warn(
                f"{name} was reloaded: its instrumentor traces the module as it was before, "
                "and not the new one. Start the process anew to have it traced."
            )


def module_of(name: str) -> str:
    """Return the module that an instrumentor waits for."""
    return _MODULES.get(name, name.replace("-", "_"))


def is_importable(name: str) -> bool:
    """Whether the library that an instrumentor waits for is there; nothing is imported.

    One package may have instrumentors of two libraries: httpx's has httpx2's.
    """
    from importlib.util import find_spec

    return name in _OF_THE_PROCESS or find_spec(module_of(name).partition(".")[0]) is not None


def instrumented() -> frozenset[str]:
    """Return the names of the instrumentors that are in place, for the doctor."""
    return frozenset(_instrumented)


def unfit_reason(point: EntryPoint) -> str:
    """Return why an instrumentor does not fit the installed library, or an empty string.

    The question is opentelemetry-instrument's own, so that the answer is too.
    """
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

    if point.dist is None:
        return "the package of its instrumentor cannot be found"
    conflict = get_dist_dependency_conflicts(point.dist)  # type: ignore[no-untyped-call, unused-ignore]
    if conflict is None:
        return ""
    found = conflict.found or ", ".join(conflict.found_any or ())
    if not found:
        return "it is not installed"
    return f"{point.dist.name} {point.dist.version} does not know {found}"
