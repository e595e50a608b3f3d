"""Patches: one file per library, applied when the app imports the library.

`PATCHES` is the table: the name that OTEL_PYTHON_DISABLED_INSTRUMENTATIONS knows,
the modules whose import sets a patch off, the versions that it is for, and the file that
holds it (the whole module's name for the sdk engine's own). A range is wider than what was
tried (docs/compatibility.md): to step aside where all works would lose spans, and the trial
of the first calls takes back what fails. A patch that does not fit (an unknown version, a
name the library no longer has) steps aside with a sentence and the library works as if we
were not there. Applying is idempotent, and done again for a module that is reloaded;
`uninstrument` takes all of them back.
"""

from __future__ import annotations

from clarity_otel import diagnostics
from clarity_otel.imports import forget, when_imported
from clarity_otel.patches import trial
from clarity_otel.patches.wrapping import Replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from clarity_otel.settings import Settings


# In a request's scope: the library whose list of excluded URLs counts, where they differ.
LIBRARY_KEY = "clarity.library"
have_own_exclusions = False


class Patch:
    """A row of the table. `versions` is a half-open range of (major, minor), or None.

    `makes_spans` is False where a contrib instrumentor makes them and this adds to it.
    """

    __slots__ = ("file", "library", "makes_spans", "module", "name", "versions")

    def __init__(
        self,
        name: str,
        module: str,
        file: str,
        library: str = "",
        versions: tuple[tuple[int, int], tuple[int, int]] | None = None,
        *,
        makes_spans: bool = True,
    ) -> None:
        self.name = name
        self.module = module
        self.file = file
        self.library = library
        self.versions = versions
        self.makes_spans = makes_spans

    def left_out(self, reason: str) -> str:
        """Return what is said of a library that the patch does not fit."""
        if self.makes_spans:
            return f"{self.library or self.module} is not traced: {reason}"
        return f"{self.library or self.module} is left to its contrib instrumentor: {reason}"


PATCHES = (
    Patch("starlette", "starlette.applications", "starlette", "starlette", ((0, 27), (2, 0))),
    Patch("starlette", "starlette.routing", "starlette_routing", "starlette", ((0, 27), (2, 0))),
    Patch("starlette", "starlette.background", "background", "starlette", ((0, 27), (2, 0))),
    Patch(
        "starlette",
        "starlette.middleware.opentelemetry",
        "starlette_telemetry",
        "starlette",
        ((0, 27), (2, 0)),
    ),
    Patch("fastapi", "fastapi.applications", "fastapi", "fastapi", ((0, 100), (1, 0))),
    Patch("fastapi", "fastapi.applications", "fastapi_telemetry", "fastapi", ((0, 100), (1, 0))),
    Patch(
        "fastapi", "fastapi.applications", "fastapi_own_telemetry", "fastapi", ((0, 100), (1, 0))
    ),
    Patch("fastapi", "fastapi.telemetry._runtime", "fastapi_export", "fastapi", ((0, 100), (1, 0))),
    Patch("asgi", "uvicorn.config", "uvicorn_config", "uvicorn", ((0, 20), (1, 0))),
    Patch("asgi", "uvicorn.server", "uvicorn_server", "uvicorn", ((0, 20), (1, 0))),
    Patch(
        name="asgi",
        module="uvicorn.protocols.http.httptools_impl",
        file="uvicorn_headers",
        library="uvicorn",
        versions=((0, 20), (1, 0)),
    ),
    Patch("asgi", "gunicorn.workers.base", "gunicorn", "gunicorn", ((20, 0), (28, 0))),
    Patch("asgi", "hypercorn.app_wrappers", "hypercorn", "hypercorn", ((0, 14), (1, 0))),
    Patch("asgi", "hypercorn.utils", "hypercorn_apps", "hypercorn", ((0, 14), (1, 0))),
    Patch(
        "asgi",
        "hypercorn.asyncio.worker_context",
        "hypercorn_context",
        "hypercorn",
        ((0, 14), (1, 0)),
    ),
    Patch("redis", "redis.client", "redis_sync", "redis", ((5, 0), (9, 0))),
    Patch("redis", "redis.cluster", "redis_cluster", "redis", ((5, 0), (9, 0))),
    Patch("redis", "redis.asyncio.client", "redis_async", "redis", ((5, 0), (9, 0))),
    Patch("redis", "redis.asyncio.cluster", "redis_async_cluster", "redis", ((5, 0), (9, 0))),
    *(
        Patch("redis", module, "redis_recorders", "redis", ((5, 0), (9, 0)))
        for module in (
            "redis.observability.providers",
            "redis.client",
            "redis.connection",
            "redis.cluster",
            "redis.asyncio.client",
            "redis.asyncio.connection",
            "redis.asyncio.cluster",
        )
    ),
    Patch("redis", "redis.backoff", "redis_backoff", "redis", ((5, 0), (9, 0))),
    Patch("httpx", "httpx._client", "httpx", "httpx", ((0, 23), (1, 0))),
    Patch("httpx", "httpcore._sync.connection", "httpcore_retries"),
    Patch("httpx", "httpcore._async.connection", "httpcore_retries"),
    Patch("httpx", "starlette.testclient", "starlette_testclient", "starlette", ((0, 27), (2, 0))),
    Patch("botocore", "botocore.client", "botocore", "botocore", ((1, 29), (2, 0))),
    Patch("botocore", "botocore.endpoint", "botocore_endpoint", "botocore", ((1, 29), (2, 0))),
    Patch("aiobotocore", "aiobotocore.client", "aiobotocore", "aiobotocore", ((2, 4), (4, 0))),
    Patch("threading", "concurrent.futures.thread", "executors"),
    Patch("threading", "threading", "threads"),
    Patch("prometheus_client", "prometheus_client.values", "prometheus"),
)

# These write the correlation id only; the spans are the contrib instrumentors'.
CORRELATION_PATCHES = tuple(
    Patch(name, module, library, library, versions, makes_spans=False)
    for name, module, library, versions in (
        ("requests", "requests.sessions", "requests", ((2, 0), (3, 0))),
        ("urllib3", "urllib3.poolmanager", "urllib3", ((1, 26), (3, 0))),
        ("aiohttp-client", "aiohttp.client_reqrep", "aiohttp", ((3, 8), (4, 0))),
    )
)

# Instrumentors of others that stand down for ours.
REPLACED_INSTRUMENTORS = frozenset(
    {
        "aiobotocore",
        "asgi",
        "asyncio",
        "boto",
        "boto3",
        "boto3sqs",
        "botocore",
        "fastapi",
        "httpx",
        "logging",
        "redis",
        "starlette",
        "threading",
    }
)

# Of `PATCHES`, those whose libraries the native engine measures.
MEASURED = frozenset({"starlette", "asgi", "redis", "httpx", "botocore", "aiobotocore"})

_applied: dict[tuple[str, str], Replaced] = {}
_hooks: list[tuple[str, object]] = []
# (library, what happened): for the doctor and the start-up line.
outcomes: dict[str, str] = {}


def instrument(
    settings: Settings, table: tuple[Patch, ...] = (*PATCHES, *CORRELATION_PATCHES)
) -> None:
    """Wait for the libraries of all patches of `table` that are not switched off."""
    global have_own_exclusions
    have_own_exclusions = settings.have_own_excluded_urls("fastapi", "starlette", "asgi")
    for patch in table:
        if settings.is_instrumentation_disabled(patch.name):
            outcomes[patch.name] = "switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
            continue

        def callback(module: ModuleType, patch: Patch = patch) -> None:
            _apply(patch, module)

        outcomes.setdefault(patch.name, "when imported")
        _hooks.append((patch.module, callback))
        when_imported(patch.module, callback)


def uninstrument() -> None:
    """Take all patches back and wait for no library any more. Idempotent."""
    while _hooks:
        module, callback = _hooks.pop()
        forget(module, callback)  # type: ignore[arg-type]
    for replaced in _applied.values():
        replaced.undo()
    _applied.clear()
    outcomes.clear()
    trial.forget()


def _apply(patch: Patch, module: ModuleType) -> None:
    unknown = unknown_version(patch, _version_of(patch))
    if unknown:
        # Once for a library, however many of its modules are patched.
        if outcomes.get(patch.name) != unknown:
            diagnostics.warn(f"{patch.left_out(unknown)}.")
        outcomes[patch.name] = unknown
        return
    on_trial = trial.of(patch, outcomes)
    if on_trial.is_taken_back:
        outcomes[patch.name] = on_trial.reason()
        return
    # The same one after a reload: what it holds of the module before stays patched too.
    replaced = _applied.setdefault((patch.module, patch.file), Replaced(on_trial))
    on_trial.add(patch, replaced)
    try:
        name = patch.file if "." in patch.file else f"clarity_otel.patches.{patch.file}"
        source = __import__(name, fromlist=["apply"])
        source.apply(module, replaced)
    except Exception as failure:
        replaced.undo()
        reason = f"its parts are not where they are expected ({type(failure).__name__}: {failure})"
        outcomes[patch.name] = reason
        diagnostics.warn(
            f"{patch.left_out(reason)}. Name {patch.name} in "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS to silence this."
        )
        return
    outcomes[patch.name] = "patched"


def _version_of(patch: Patch) -> str:
    if patch.versions is None:
        return ""
    import sys

    text = str(getattr(sys.modules.get(patch.library), "__version__", ""))
    if text:
        return text
    # The package is still being imported and has not set it yet.
    from clarity_otel.patches.installed import versions_of

    return versions_of([patch.library]).get(patch.library, "")


def unknown_version(patch: Patch, version: str) -> str:
    """Return why a library's version is not one that the patch is for, or nothing."""
    if patch.versions is None:
        return ""
    import re

    # "9", "9.0b1" and "2.0rc1" are versions too.
    numbers = re.match(r"\D*(\d+)(?:\.(\d+))?", version)
    if numbers is None:
        return ""
    release = (int(numbers[1]), int(numbers[2] or 0))
    low, high = patch.versions
    if low <= release < high:
        return ""
    # None where another package decides of old ones.
    least = f"from {low[0]}.{low[1]}, " if low > (0, 0) else ""
    return f"version {version} is not one that is known ({least}below {high[0]}.{high[1]})"


def table_of(engine: str | None) -> tuple[Patch, ...]:
    """Return the rows that an engine ("native", "sdk") puts in place."""
    if engine != "sdk":
        return (*PATCHES, *CORRELATION_PATCHES)
    from clarity_otel.engine.sdk import libraries

    return libraries.PATCHES
