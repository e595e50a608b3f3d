"""setup_observability and the public names: what an app's own code calls."""

from __future__ import annotations

import sys

import pytest

import clarity_otel

from .conftest import Workshop

SETUP = "from clarity_otel import setup_observability as setup\n"


def test_setup_gives_what_the_launcher_gives(workshop: Workshop) -> None:
    """The same settings, by whichever way they come."""
    called = workshop.write(
        "shop.py",
        SETUP + "setup(trace_sampling_rate=0.1, otlp_endpoint='http://c:4318')\n",
    )
    run = workshop.run_bare(sys.executable, called)
    assert run.returncode == 0, run.stderr
    plain = workshop.write("elsewhere/shop.py", "")
    workshop.run("--sampling=0.1", "--endpoint=http://c:4318", sys.executable, plain)
    by_setup, by_launcher = workshop.started()
    ignored = {"CLARITY_LAUNCH_PID", "CLARITY_LAUNCH_OPTIONS", "CLARITY_LAUNCH_SERVICE_NAME"}
    ignored |= {"OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR"}
    for start in (by_setup, by_launcher):
        start["values"] = {k: v for k, v in start["values"].items() if k not in ignored}
    assert by_setup["values"] == by_launcher["values"]
    assert by_setup["service"] == by_launcher["service"] == "shop"
    assert by_setup["sources"]["OTEL_TRACES_SAMPLER_ARG"] == "setup_observability"


def test_second_call_changes_nothing(workshop: Workshop) -> None:
    """One engine; a call that asks for something else is told that it is late."""
    script = workshop.write(
        "app.py",
        SETUP + "setup(service_name='a')\nsetup(service_name='a')\n"
        "print('-', file=__import__('sys').stderr, flush=True)\nsetup(service_name='b')\n",
    )
    run = workshop.run_bare(sys.executable, script)
    before, _, after = run.stderr.partition("-\n")
    assert len(workshop.started()) == 1
    assert before == ""
    assert "service_name of setup_observability is not used" in after


def test_setup_in_a_launched_process_keeps_the_launchers(workshop: Workshop) -> None:
    """The launcher's engine runs before the app's first line."""
    script = workshop.write("app.py", SETUP + "setup(service_name='b')\n")
    run = workshop.run("--service-name=a", sys.executable, script)
    (start,) = workshop.started()
    assert start["service"] == "a"
    assert "service_name" in run.stderr


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("setup(trace_sampling_rate=2)", "ValueError: trace_sampling_rate=2"),
        ("setup(nonsense=1)", "TypeError: nonsense"),
        ("setup(service_name=5)", "TypeError: service_name=5"),
        ("setup(engine='turbo')", "ValueError: engine='turbo'"),
        ("setup(otlp_endpoint='ftp://x')", "ValueError: otlp_endpoint=ftp://x begins with ftp://"),
        ("setup(otlp_certificate='/nowhere')", "ValueError: otlp_certificate=/nowhere is not a"),
        ("setup(traces_exporter=['smoke'])", "ValueError: traces_exporter names smoke, which"),
        ("setup(traces_sampler='dice')", "ValueError: traces_sampler=dice is neither"),
    ],
)
def test_wrong_value_raises_with_the_settings_name(
    workshop: Workshop, call: str, error: str
) -> None:
    """A mistake in the app's own code is seen on its first run."""
    run = workshop.run_bare(sys.executable, "-c", SETUP + call)
    assert run.returncode == 1
    assert error in run.stderr
    assert workshop.started() == []


def test_disabled_setup_does_nothing(workshop: Workshop) -> None:
    """CLARITY_DISABLED turns the call off too."""
    run = workshop.run_bare(sys.executable, "-c", SETUP + "setup()", CLARITY_DISABLED="true")
    assert (run.returncode, run.stderr) == (0, "")
    assert workshop.started() == []


def test_public_names() -> None:
    """What is documented is what can be imported; nothing else is public."""
    assert clarity_otel.__all__ == [
        "__version__",
        "correlation_id",
        "force_flush",
        "setup_observability",
        "shutdown",
    ]
    assert set(clarity_otel.__all__) <= set(dir(clarity_otel))
    with pytest.raises(AttributeError, match="no_such_name"):
        clarity_otel.no_such_name  # noqa: B018
