"""clarity-instrument: run a command with Clarity OTel inside, unchanged otherwise.

    clarity-instrument [options] COMMAND ARGS…

The command takes over this very process (exec): its pid, its signals and its exit
code are its own. All it gets from us is environment variables, one of which puts a
folder with a sitecustomize on PYTHONPATH. On Windows, which has no exec, the
command is a child whose exit code is passed on.

Only `os` and `sys` are imported before the exec; argparse would cost 10 ms.
"""

# pathlib would cost 9 ms in every process that is launched:
# ruff: noqa: PTH100, PTH110, PTH118, PTH120

from __future__ import annotations

import os
import sys

from clarity_otel import command as commands
from clarity_otel import diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from typing import NoReturn

SITE_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
_STOCK_SITE_FOLDER = os.path.join("opentelemetry", "instrumentation", "auto_instrumentation")

USAGE = """\
Usage: clarity-instrument [options] COMMAND ARGS...

Runs COMMAND with traces of every request, without a change to its code:

    clarity-instrument uvicorn app:app

Options stand before COMMAND; everything from COMMAND on is passed on untouched.
Each option sets the environment variable named beside it.

  --service-name NAME    the service's name (OTEL_SERVICE_NAME)
  --endpoint URL         where to send to (OTEL_EXPORTER_OTLP_ENDPOINT)
  --protocol PROTOCOL    grpc or http/protobuf (OTEL_EXPORTER_OTLP_PROTOCOL)
  --sampling RATIO       ratio of new traces to keep, 0 to 1 (OTEL_TRACES_SAMPLER_ARG)
  --dashboard            send to the live dashboard, started where none runs yet
  --open, --no-open      whether a browser is opened; unset, where there is a display
  --console              also draw traces on the console (OTEL_TRACE_CONSOLE)
  --engine ENGINE        native or sdk (CLARITY_ENGINE)
  --dry-run              print the environment and what would be patched; run nothing
  --version              print the version
  --help                 print this
  --                     end of the options

All settings, their values and where they come from: clarity config
"""

_VALUE_OPTIONS = {
    "--service-name": "OTEL_SERVICE_NAME",
    "--endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "--protocol": "OTEL_EXPORTER_OTLP_PROTOCOL",
    "--sampling": "OTEL_TRACES_SAMPLER_ARG",
    "--engine": "CLARITY_ENGINE",
}
_BROWSER = {"--open": True, "--no-open": False}
_FLAGS = ("--console", "--dashboard", *_BROWSER, "--dry-run", "--version", "--help", "-h")


class UsageError(Exception):
    """A command line that cannot be run; its text is the sentence for the user.

    `exit_code` is 2, a shell's for wrong usage, or 1 where something is missing.
    """

    def __init__(self, sentence: str, exit_code: int = 2) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Arguments:
    """What the command line says: variables to set, flags, and the command."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.variables: dict[str, str] = {}
        self.flags: set[str] = set()
        self.given: set[str] = set()
        self.command: list[str] = []
        rest = list(argv)
        while rest:
            argument = rest.pop(0)
            if argument == "--":
                self.command = rest
                break
            if not argument.startswith("-"):
                self.command = [argument, *rest]
                break
            name, equals, value = argument.partition("=")
            if name in _FLAGS and not equals:
                self.flags.add(name)
            elif name in _VALUE_OPTIONS:
                if not equals:
                    if not rest:
                        raise UsageError(f"{name} needs a value, as in {name}=VALUE.")
                    value = rest.pop(0)
                self._set(name, value)
            elif name in _FLAGS:
                raise UsageError(f"{name} takes no value.")
            else:
                raise UsageError(
                    f"{name} is not an option of clarity-instrument; "
                    "clarity-instrument --help lists them."
                )
        if "--console" in self.flags:
            self.variables["OTEL_TRACE_CONSOLE"] = "true"
        browser = [value for name, value in _BROWSER.items() if name in self.flags]
        self.opens = browser[0] if browser else None
        if "--dashboard" not in self.flags and browser:
            raise UsageError("--open and --no-open are options of --dashboard.")
        if len(browser) > 1:
            raise UsageError("--open or --no-open, not both.")
        if "--dashboard" in self.flags and {"--endpoint", "--protocol"} & self.given:
            raise UsageError(
                "--dashboard says where to send, and so does --endpoint or --protocol; leave one "
                "of them out. To have both, start `clarity dashboard` and let your Collector send "
                "to it too."
            )

    def _set(self, option: str, value: str) -> None:
        from clarity_otel.settings import kinds
        from clarity_otel.settings.variables import BY_NAME

        if not value.strip():
            raise UsageError(f"{option} needs a value, and it is empty.")
        self.given.add(option)
        name = _VALUE_OPTIONS[option]
        kind = kinds.RATIO if option == "--sampling" else BY_NAME[name].kind
        try:
            kind.from_text(value)
        except ValueError as error:
            raise UsageError(f"{option} {value} {error}.") from None
        self.variables[name] = value.strip()
        if option == "--sampling":
            self.variables["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"


def main() -> NoReturn:
    """Run clarity-instrument with the arguments of this process."""
    sys.exit(run(sys.argv[1:], os.environ))


def run(argv: Sequence[str], environ: MutableMapping[str, str]) -> int:
    """Launch; return the exit code of what did not become another program."""
    diagnostics.set_level_from(environ)
    try:
        arguments = Arguments(argv)
        if not arguments.flags.isdisjoint(("--help", "-h")):
            sys.stdout.write(USAGE)
            return 0
        if "--version" in arguments.flags:
            from clarity_otel import __version__

            sys.stdout.write(f"clarity-instrument {__version__}\n")
            return 0
        if not arguments.command:
            raise UsageError(
                "which command is to run? For example: clarity-instrument uvicorn app:app"
            )
        if "--dashboard" in arguments.flags:
            arguments.variables.update(_with_dashboard(arguments, environ))
        launched = environment(arguments, environ, os.getpid())
        if "--dry-run" in arguments.flags:
            from clarity_otel.entry_points.dry_run import report

            sys.stdout.write(report(arguments.command, environ, launched))
            return 0
        return _become(arguments.command, launched)
    except UsageError as error:
        sys.stderr.write(f"clarity-instrument: {error}\n")
        return error.exit_code


def _with_dashboard(arguments: Arguments, environ: Mapping[str, str]) -> dict[str, str]:
    """Start the dashboard, or find the one that runs; return the variables that lead to it."""
    from clarity_otel.entry_points import with_dashboard

    if "--dry-run" in arguments.flags:
        return with_dashboard.variables(environ, "http://127.0.0.1:4318")
    try:
        return with_dashboard.begin(environ, opens=arguments.opens)
    except with_dashboard.DashboardError as error:
        raise UsageError(f"{error}.", exit_code=1) from None


def environment(
    arguments: Arguments, environ: Mapping[str, str], launch_pid: int
) -> dict[str, str]:
    """Return the environment of the command: the given one and what makes it instrumented.

    Raises UsageError where `--endpoint` cannot be sent to.
    """
    launched = dict(environ)
    for name, value in arguments.variables.items():
        launched[name] = value
        # An option counts for every signal; a variable for one signal would win over it.
        if name.startswith("OTEL_EXPORTER_OTLP_"):
            option = name.removeprefix("OTEL_EXPORTER_OTLP_")
            for signal in ("TRACES", "METRICS", "LOGS"):
                launched.pop(f"OTEL_EXPORTER_OTLP_{signal}_{option}", None)
    _check_endpoint(arguments, launched)
    launched["PYTHONPATH"] = _python_path(environ.get("PYTHONPATH", ""))
    launched["CLARITY_LAUNCH_PID"] = str(launch_pid)
    launched["CLARITY_LAUNCH_OPTIONS"] = ",".join(arguments.variables)
    # What a launcher further up has left for its own command.
    launched.pop("CLARITY_LAUNCH_SAID", None)
    launched.pop("CLARITY_LAUNCH_SERVICE_NAME", None)
    launched.pop("CLARITY_LAUNCH_METRICS_FOLDER", None)
    service_name = commands.service_name(commands.parse(arguments.command))
    if service_name:
        launched["CLARITY_LAUNCH_SERVICE_NAME"] = service_name
    # So that opentelemetry-instrument further down the line does what we would do.
    launched.setdefault("OTEL_PYTHON_DISTRO", "clarity")
    launched.setdefault("OTEL_PYTHON_CONFIGURATOR", "clarity")
    return launched


def _check_endpoint(arguments: Arguments, environ: Mapping[str, str]) -> None:
    endpoint = arguments.variables.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if endpoint is None:
        return
    from clarity_otel.settings.otlp import check_endpoint, without_userinfo

    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip().lower() or None
    try:
        check_endpoint(endpoint, protocol)
    except ValueError as error:
        raise UsageError(f"--endpoint {without_userinfo(endpoint)} {error}.") from None


def _python_path(current: str) -> str:
    """Put our folder first on PYTHONPATH.

    Nothing else is added: the working directory is on it only if it was before. The
    folder of opentelemetry-instrument is taken out, or two agents would trace each call.
    """
    folders = current.split(os.pathsep) if current else []
    kept = [
        folder
        for folder in folders
        if folder != SITE_FOLDER and not folder.rstrip("/\\").endswith(_STOCK_SITE_FOLDER)
    ]
    if len(kept) < len([folder for folder in folders if folder != SITE_FOLDER]):
        diagnostics.warn(
            "opentelemetry-instrument around clarity-instrument is left out, "
            "so that spans are not doubled; one of the two is enough."
        )
    return os.pathsep.join([SITE_FOLDER, *kept])


def _become(command: list[str], environ: dict[str, str]) -> int:
    try:
        if os.name == "nt":
            return _run_child(command, environ)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvpe(command[0], command, environ)
    except OSError as error:
        raise UsageError(_cannot_run(command[0], environ, error)) from None


def _run_child(command: list[str], environ: dict[str, str]) -> int:
    """Run the command as a child, as Windows needs it; Ctrl-C reaches the child by itself."""
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, env=environ)
    if hasattr(signal, "SIGBREAK"):
        ctrl_break = signal.CTRL_BREAK_EVENT  # type: ignore[attr-defined]
        signal.signal(signal.SIGBREAK, lambda *_: child.send_signal(ctrl_break))
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


def _cannot_run(program: str, environ: Mapping[str, str], error: OSError) -> str:
    """Say why a program did not start, and what to do."""
    if isinstance(error, FileNotFoundError):
        if os.path.exists(program) and os.sep in program:
            return f"{program} cannot start, because the interpreter of its first line is missing."
        if os.sep in program:
            return f"{program} does not exist."
        beside = os.path.join(os.path.dirname(sys.executable), program)
        if os.path.exists(beside):
            return (
                f"{program} is not on PATH, but {beside} exists; activate that environment "
                "or write the whole path."
            )
        return f"{program} is not a program on PATH; is it installed?"
    if program.endswith(".py"):
        return f"{program} cannot be run by itself; write: clarity-instrument python {program}"
    return f"{program} cannot be run: {error.strerror or type(error).__name__}."


if __name__ == "__main__":
    main()
