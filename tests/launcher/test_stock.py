"""opentelemetry-instrument and other agents: the same result, or one of the two stands down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import opentelemetry.instrumentation.auto_instrumentation as stock
import pytest

from .conftest import Workshop

CLARITY = {"OTEL_PYTHON_DISTRO": "clarity", "OTEL_PYTHON_CONFIGURATOR": "clarity"}
STOCK_FOLDER = str(Path(stock.__file__).parent)
STOCK_TAIL = "opentelemetry/instrumentation/auto_instrumentation"

INSTRUMENTED = (
    "from clarity_otel.entry_points import start; from opentelemetry import trace\n"
    "provider = type(trace.get_tracer_provider()).__module__\n"
    "print(start.running() is not None, provider.startswith('opentelemetry.sdk'))"
)
STUB = """
import sys, types
engine = types.ModuleType("clarity_otel.engine")
engine.start = lambda settings: None
engine.name = lambda: "native"
sys.modules["clarity_otel.engine"] = engine
from opentelemetry.instrumentation.auto_instrumentation import initialize
initialize()
"""


@pytest.fixture
def stock_site(workshop: Workshop) -> str:
    """A folder that stands for the stock launcher's, with an engine that does nothing."""
    workshop.write(f"{STOCK_TAIL}/sitecustomize.py", STUB)
    return str(workshop.folder / STOCK_TAIL)


def test_stock_launcher_with_our_distro_starts_the_engine(
    workshop: Workshop, stock_site: str
) -> None:
    """OTEL_PYTHON_DISTRO and OTEL_PYTHON_CONFIGURATOR give what clarity-instrument gives."""
    run = workshop.run_bare(
        sys.executable, "-c", INSTRUMENTED, PYTHONPATH=stock_site, OTEL_SERVICE_NAME="x", **CLARITY
    )
    assert run.stdout == "True False\n", run.stderr


@pytest.mark.parametrize("variable", ["CLARITY_DISABLED", "OTEL_SDK_DISABLED"])
def test_stock_launcher_with_all_turned_off_loads_no_instrumentor(variable: str) -> None:
    """As under clarity-instrument: the libraries are as bare."""
    code = (
        "from opentelemetry.instrumentation.auto_instrumentation import initialize; initialize()\n"
        "import httpx\n"
        "print(hasattr(httpx.HTTPTransport.handle_request, '__wrapped__'))"
    )
    environment = {**os.environ, **CLARITY, variable: "true"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.stdout == "False\n", run.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PYTHON_DISTRO": "distro"},
        {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "clarity"},
    ],
)
def test_our_configurator_under_another_distro_is_the_stock_one(
    workshop: Workshop, stock_site: str, variables: dict[str, str]
) -> None:
    """Half of us would double spans: the stock SDK is configured instead."""
    run = workshop.run_bare(
        sys.executable, "-c", INSTRUMENTED, PYTHONPATH=stock_site, OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none", **variables,
    )  # fmt: skip
    assert run.stdout == "False True\n", run.stderr
    assert ("needs OTEL_PYTHON_DISTRO=clarity" in run.stderr) == (len(variables) == 2)


def test_stock_launcher_around_ours_is_left_out(workshop: Workshop) -> None:
    """One sentence, and only our engine starts."""
    python_path = os.pathsep.join([STOCK_FOLDER, str(workshop.user_site)])
    code = "import os; print(os.environ['PYTHONPATH'])"
    # The launcher itself runs isolated (-I), or the stock agent would enter it too.
    launcher = [sys.executable, "-I", "-m", "clarity_otel.entry_points.launcher"]
    run = workshop.run_bare(*launcher, sys.executable, "-c", code, PYTHONPATH=python_path)
    assert STOCK_FOLDER not in run.stdout
    assert str(workshop.user_site) in run.stdout
    assert "opentelemetry-instrument around clarity-instrument is left out" in run.stderr
    assert len(workshop.started()) == 1


@pytest.mark.parametrize(
    ("module", "agent"), [("ddtrace.auto", "ddtrace"), ("newrelic.agent", "New Relic")]
)
def test_other_agent_makes_us_stand_down(workshop: Workshop, module: str, agent: str) -> None:
    """An agent that was there first keeps the process: one sentence, no engine."""
    workshop.write(
        "user_site/sitecustomize.py",
        (workshop.user_site / "sitecustomize.py").read_text()
        + f"sys.modules[{module!r}] = types.ModuleType({module!r})\n",
    )
    run = workshop.run(sys.executable, "-c", "print('ran')")
    assert run.stdout == "ran\n"
    assert workshop.started() == []
    assert f"{agent} already instruments this process" in run.stderr
    assert run.stderr.count("\n") == 1


def test_provider_of_the_app_before_setup_makes_us_stand_down(workshop: Workshop) -> None:
    """setup_observability after the app's own provider: the app's stays."""
    script = workshop.write(
        "app.py",
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "import clarity_otel\n"
        "clarity_otel.setup_observability()\n",
    )
    run = workshop.run_bare(sys.executable, script)
    assert workshop.started() == []
    assert "opentelemetry.sdk.trace.TracerProvider" in run.stderr
    assert run.stderr.count("\n") == 1


OUR_PROVIDER = """
class Provider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs): ...
Provider.__module__ = "clarity_otel.engine.native"
trace.set_tracer_provider(Provider())
"""


def test_provider_of_the_app_after_ours_is_left_out(workshop: Workshop) -> None:
    """The app's second provider would have spans of its own: ours stays, one sentence says so."""
    script = workshop.write(
        "app.py",
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        + OUR_PROVIDER
        + "trace.set_tracer_provider(TracerProvider())\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "print(type(trace.get_tracer_provider()).__module__)\n",
    )
    run = workshop.run(sys.executable, script)
    assert run.stdout == "clarity_otel.engine.native\n"
    assert run.stderr.count("\n") == 1
    assert "tracer provider of its own" in run.stderr


def test_contrib_instrumentor_called_by_the_app_is_left_out(workshop: Workshop) -> None:
    """A library that we patch is not patched twice; others are the app's to instrument."""
    script = workshop.write(
        "app.py",
        "import redis\n"
        "before = redis.Redis.execute_command\n"
        "from opentelemetry.instrumentation.redis import RedisInstrumentor\n"
        "RedisInstrumentor().instrument()\n"
        "RedisInstrumentor().instrument()\n"
        "print(redis.Redis.execute_command is before)\n",
    )
    run = workshop.run(sys.executable, script)
    assert run.stdout == "True\n"
    assert run.stderr.count("RedisInstrumentor") == 1


@pytest.mark.parametrize(
    "variables",
    [{"CLARITY_ENGINE": "sdk"}, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis"}],
)
def test_contrib_instrumentor_works_where_ours_does_not(
    workshop: Workshop, variables: dict[str, str]
) -> None:
    """On the sdk engine, or with our patch switched off, the app's call counts."""
    script = workshop.write(
        "app.py",
        "import redis\n"
        "before = redis.Redis.execute_command\n"
        "from opentelemetry.instrumentation.redis import RedisInstrumentor\n"
        "RedisInstrumentor().instrument()\n"
        "print(redis.Redis.execute_command is before)\n",
    )
    run = workshop.run(sys.executable, script, **variables)
    assert run.stdout == "False\n", run.stderr
