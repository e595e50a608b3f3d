"""The ways to run an app that are measured beside each other."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.servers import Variant, exporting_to, script

DEFAULT = ("bare", "clarity", "clarity-sdk", "stock")
ON_REQUEST = ("ddtrace", "logfire")
_VENVS = Path(__file__).parent / ".venvs"


def variant(name: str, sink_port: int, agent_url: str = "") -> Variant:
    """The variant called `name`, exporting over HTTP to the sink on `sink_port`.

    ddtrace wants an agent that answers in JSON instead, at `agent_url`.

    Raises MeasurementError when what it needs is not installed and cannot be.
    """
    otel = exporting_to(sink_port)
    match name:
        case "bare":
            return Variant(name)
        case "clarity":
            return Variant(name, script("clarity-instrument"), otel)
        case "clarity-sdk":
            return Variant(name, script("clarity-instrument"), otel | {"CLARITY_ENGINE": "sdk"})
        case "stock":
            # Our own distro, configurator and patches stay out of it.
            ours_off = {
                "OTEL_PYTHON_DISTRO": "distro",
                "OTEL_PYTHON_CONFIGURATOR": "configurator",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "clarity",
            }
            return Variant(name, script("opentelemetry-instrument"), otel | ours_off)
        case "ddtrace":
            python = separate_venv("ddtrace", "ddtrace", *_shop_needs())
            agent = {"DD_TRACE_AGENT_URL": agent_url, "DD_SERVICE": "bench"}
            return Variant(name, [str(python.with_name("ddtrace-run"))], agent, [str(python)])
        case "logfire":
            python = separate_venv("logfire", "logfire[fastapi,httpx,redis]", *_shop_needs())
            launcher = str(Path(__file__).with_name("with_logfire.py"))
            return Variant(name, [str(python), launcher], otel, python=())
    raise MeasurementError(f"There is no variant {name!r}: use {', '.join(DEFAULT + ON_REQUEST)}.")


_SHOP_NEEDS = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "redis", "httpx", "boto3")


def _shop_needs() -> list[str]:
    """The libraries of the shop, in this environment's versions."""
    return [f"{name}=={metadata.version(name)}" for name in _SHOP_NEEDS]


def separate_venv(name: str, *requirements: str) -> Path:
    """The interpreter of a venv of that name with `requirements`; made where it is missing.

    Raises MeasurementError when they cannot be installed.
    """
    venv = _VENVS / name
    python = venv / "bin" / "python"
    if not python.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *requirements],
        ):
            try:
                subprocess.run(command, check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError) as error:
                why = getattr(error, "stderr", None) or error
                raise MeasurementError(f"{name} cannot be installed: {why}") from None
    return python
