"""Other libraries' instrumentors: loaded with their library, not before, and not twice."""

from __future__ import annotations

import sys

import pytest

from .conftest import Workshop

INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ()
    def _instrument(self, **kwargs):
        import a_library
        a_library.instrumented += 1
    def _uninstrument(self, **kwargs):
        pass
"""
APP = """
import sys
print("an_instrumentor" in sys.modules, "a_library" in sys.modules)
import a_library
print(a_library.instrumented)
"""


def install(workshop: Workshop, name: str = "a_library", version: str = "1.5") -> None:
    """Install a library in `version`, and an instrumentor called `name` for 1.x of it."""
    workshop.write("user_site/a_library.py", "instrumented = 0\n")
    workshop.write(
        f"user_site/a_library-{version}.dist-info/METADATA",
        f"Metadata-Version: 2.1\nName: a-library\nVersion: {version}\n",
    )
    workshop.write("user_site/an_instrumentor.py", INSTRUMENTOR)
    workshop.write(
        "user_site/an_instrumentor-3.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: an-instrumentor\nVersion: 3\n"
        "Provides-Extra: instruments\nRequires-Dist: a-library~=1.0; extra == 'instruments'\n",
    )
    workshop.write(
        "user_site/an_instrumentor-3.dist-info/entry_points.txt",
        f"[opentelemetry_instrumentor]\n{name} = an_instrumentor:Instrumentor\n",
    )


def test_instrumentor_is_loaded_when_its_library_is_imported(workshop: Workshop) -> None:
    """The start of the process imports neither; the library is instrumented once it is there."""
    install(workshop)
    run = workshop.run(sys.executable, workshop.write("app.py", APP))
    assert run.stdout == "False False\n1\n", run.stderr
    assert run.stderr == ""


def test_reloaded_library_is_not_instrumented_twice(workshop: Workshop) -> None:
    """The instrumentor's own state decides; what it does not trace then is said once."""
    install(workshop)
    app = APP + "import importlib; print(importlib.reload(a_library).instrumented)\n"
    app += "importlib.reload(a_library)\n"
    run = workshop.run(sys.executable, workshop.write("app.py", app))
    assert run.stdout == "False False\n1\n0\n", run.stderr
    assert run.stderr.count("a_library was reloaded") == 1


@pytest.mark.parametrize("disabled", ["a_library", "*"])
def test_disabled_instrumentor_is_not_loaded(workshop: Workshop, disabled: str) -> None:
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS counts for them too."""
    install(workshop)
    run = workshop.run(
        sys.executable,
        workshop.write("app.py", APP),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled,
    )
    assert run.stdout == "False False\n0\n", run.stderr


def test_library_that_does_not_fit_is_left_alone(workshop: Workshop) -> None:
    """One sentence, and the library works."""
    install(workshop, version="2.0")
    run = workshop.run(sys.executable, workshop.write("app.py", APP))
    assert run.stdout == "False False\n0\n"
    assert run.stderr.count("\n") == 1
    assert "a_library is not traced" in run.stderr


def test_instrumentor_that_fails_does_not_stop_the_app(workshop: Workshop) -> None:
    """The import of the library succeeds."""
    install(workshop)
    workshop.write("user_site/an_instrumentor.py", "raise RuntimeError('hunter2')\n")
    run = workshop.run(sys.executable, workshop.write("app.py", APP))
    assert run.stdout == "False False\n0\n"
    assert "the instrumentor of a_library" in run.stderr
    assert "hunter2" not in run.stderr


def test_instrumentors_that_share_a_module(workshop: Workshop) -> None:
    """The module of both imports the second library: each is instrumented, once."""
    install(workshop)
    workshop.write("user_site/b_library.py", "instrumented = 0\n")
    second = INSTRUMENTOR.replace("a_library", "b_library").replace("class I", "class SecondI")
    both = f"import b_library\n{INSTRUMENTOR}{second}"
    workshop.write("user_site/an_instrumentor.py", both)
    workshop.write(
        "user_site/an_instrumentor-3.dist-info/entry_points.txt",
        "[opentelemetry_instrumentor]\na_library = an_instrumentor:Instrumentor\n"
        "b_library = an_instrumentor:SecondInstrumentor\n",
    )
    workshop.write("user_site/another.py", "")
    app = APP + "import another, b_library\nprint(b_library.instrumented)\n"
    run = workshop.run(sys.executable, workshop.write("app.py", app))
    assert run.stdout == "False False\n1\n1\n", run.stderr
    assert run.stderr == ""


def test_instrumentor_of_a_library_that_we_patch_is_left_out(workshop: Workshop) -> None:
    """Its spans would double ours."""
    install(workshop, name="redis")
    run = workshop.run(sys.executable, workshop.write("app.py", APP + "import redis\n"))
    assert run.stdout == "False False\n0\n", run.stderr
