"""Which engine would run in the app, and why; whether the native module is here."""

from __future__ import annotations

import sys
import sysconfig
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from clarity_otel import interpreters
from clarity_otel.doctor.findings import Evidence, Finding, ok, plain, problem, warning
from clarity_otel.settings.loading import DEFAULT

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX") or ".so"


def native_failure() -> str:
    """Return why the native module does not run here; empty where it does."""
    kept_out = interpreters.why_no_native()
    if kept_out is not None:
        return kept_out
    try:
        import_module("clarity_otel._native")
    except ImportError as failure:
        found = sorted(path.name for path in Path(__file__).parents[1].glob("_native.*"))
        built = [name for name in found if not name.endswith(".pyi")]
        if not built:
            return "it was not built when clarity-otel was installed"
        if f"_native{_SUFFIX}" not in built and "_native.abi3.so" not in built:
            return f"it was built for another Python ({', '.join(built)})"
        return plain(failure, 200)
    return ""


def name(settings: Settings) -> str:
    """Return the engine that would run: native or sdk."""
    return "native" if settings.engine == "native" and not native_failure() else "sdk"


def check(settings: Settings) -> list[Finding]:
    """Return the engine and the reason for it."""
    if settings.is_disabled:
        which = "CLARITY_DISABLED" if settings.disabled else "OTEL_SDK_DISABLED"
        return [
            warning(
                "engine.disabled",
                f"{which}=true: nothing is instrumented, and nothing is sent.",
                f"Unset {which} where the service shall be seen.",
            )
        ]
    failure = native_failure()
    evidence: Evidence = {
        "engine": name(settings),
        "native_module": failure or "imports",
        "asked_for_by": settings.sources["CLARITY_ENGINE"],
    }
    if settings.engine == "sdk":
        why = [note for note in settings.notes if "sdk engine" in note]
        reason = " ".join(why) or f"CLARITY_ENGINE=sdk ({settings.sources['CLARITY_ENGINE']})."
        return [
            warning(
                "engine.sdk",
                f"The sdk engine runs, at many times the cost of the native one: {reason}",
                "Unset what asks for it, unless you need what only the SDK has.",
                evidence,
            )
        ]
    if failure == interpreters.why_no_native():
        return [
            warning(
                "engine.native",
                f"The slower sdk engine runs: {failure}.",
                "Set PYTHON_GIL=1, or use the ordinary build of Python, for the native engine.",
                evidence,
            )
        ]
    if failure:
        return [
            problem(
                "engine.native",
                f"The native engine is not available: {failure}. The slower sdk engine runs.",
                "Install a wheel for this platform, or Rust's cargo first and then: "
                f"{sys.executable} -m pip install --force-reinstall --no-deps clarity-otel",
                evidence,
            )
        ]
    asked = settings.sources["CLARITY_ENGINE"]
    why_native = "the default" if asked == DEFAULT else f"CLARITY_ENGINE, {asked}"
    return [ok("engine.native", f"The native engine runs ({why_native}).", evidence)]
