"""clarity-instrument --dashboard: a live view beside the app, before the app is started.

The launcher opens the sockets, says the link and goes on to the app at once; the process
that will serve them is started on the way and takes a second. It is no child of the app
(which may wait for its children), and ends with the last app that keeps it.
"""

from __future__ import annotations

import os
import sys

from clarity_otel import diagnostics
from clarity_otel.store.place import chosen_store
from clarity_otel.web import running as places
from clarity_otel.web.running import Claim, Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator, Mapping

LOOPBACK = "127.0.0.1"
WEB_PORT, OTLP_PORT = 3001, 4318
# A dashboard that is ending writes what it has; longer than this it hangs.
_WAIT_S = 10.0
# The packages of the extra that another package does not bring.
_PACKAGES = ("duckdb", "numpy", "grpc", "starlette", "uvicorn", "websockets")
# A view that is live: what the user has not set himself is sent sooner than to a Collector.
_SOONER = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    # A counter that is read more seldom than it is sent is drawn as peaks. 0.5 ms a sample.
    "CLARITY_SYSTEM_METRICS_INTERVAL_S": "1",
}


class DashboardError(Exception):
    """The dashboard cannot be had; its message is a sentence."""


def missing_packages() -> list[str]:
    """Return which packages of the extra `dashboard` are not installed; imports none."""
    # importlib.util would cost 5 ms for the same question.
    return [
        name
        for name in _PACKAGES
        if not any(finder.find_spec(name, None) for finder in sys.meta_path)
    ]


def begin(environ: Mapping[str, str], *, opens: bool | None) -> dict[str, str]:
    """Start the dashboard, or find the one that runs on the store; return variables for the app.

    `opens` says whether a browser is opened; None: where there is a display, for an address
    that no page can have open yet. The app keeps the dashboard by a descriptor that it
    inherits. DashboardError.
    """
    if os.name == "nt":
        raise DashboardError(
            "--dashboard needs fork, which Windows has not; start `clarity dashboard` beside the "
            "app"
        )
    missing = missing_packages()
    if missing:
        raise DashboardError(
            "the dashboard needs more packages: pip install 'clarity-otel[dashboard]' "
            f"(not installed: {', '.join(missing)})"
        )
    for sentence in unseen(environ):
        diagnostics.warn(sentence)
    store = os.path.abspath(chosen_store(environ))  # noqa: PTH100
    try:
        found = places.wait_and_claim(store, _WAIT_S)
    except (places.StateError, OSError) as error:
        raise DashboardError(f"{error}") from None
    if found is None:
        raise DashboardError(
            f"a dashboard on the store {store} neither ends nor says where it listens; end its "
            "process, or choose another file with CLARITY_STORE"
        )
    kept, there = found
    if isinstance(there, Claim):
        there = _start(store, there, kept, environ, opens=opens)
    elif opens:
        _open_page(there)
    # Asked for by an option: not one of the sentences that OTEL_LOG_LEVEL switches off.
    diagnostics.write(sys.stderr, f"Dashboard: {there.link}\n")
    return variables(environ, there.otlp_http)


def variables(environ: Mapping[str, str], otlp_http: str) -> dict[str, str]:
    """Return what the app is told."""
    sooner = {name: value for name, value in _SOONER.items() if not environ.get(name)}
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        **sooner,
    }


def unseen(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each setting that --dashboard overrules, or that hides data from it."""
    for name in sorted(environ):
        is_endpoint = name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT")
        if (is_endpoint or name == "JAEGER_ENDPOINT") and environ[name].strip():
            yield (
                f"With --dashboard the service sends to the dashboard, and not to {name}. To have "
                "both, leave --dashboard out, start `clarity dashboard`, and let your Collector "
                "send to it too."
            )
    for signal in ("TRACES", "METRICS", "LOGS"):
        exporters = environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
        if exporters and "otlp" not in [name.strip() for name in exporters.split(",")]:
            yield (
                f"OTEL_{signal}_EXPORTER={exporters} sends no {signal.lower()} to the dashboard; "
                "leave it out, or add otlp to it."
            )
    for name in ("CLARITY_DISABLED", "OTEL_SDK_DISABLED"):
        if environ.get(name, "").strip().lower() == "true":
            yield f"{name} is true: the dashboard is started and gets nothing."
    if environ.get("OTEL_CONFIG_FILE", "").strip():
        yield "OTEL_CONFIG_FILE says where to send, and the dashboard may get nothing."


def _start(
    store: str, claim: Claim, kept: int, environ: Mapping[str, str], *, opens: bool | None
) -> Running:
    """Open the sockets, publish where, and start the process that serves them."""
    before = claim.read()
    web = _listen(_port_of(before.address) if before else WEB_PORT, WEB_PORT)
    otlp = _listen(_port_of(before.otlp_http) if before else OTLP_PORT, OTLP_PORT)
    there = Running(
        f"http://{LOOPBACK}:{web.getsockname()[1]}",
        places.token_of(environ, before),
        f"http://{LOOPBACK}:{otlp.getsockname()[1]}",
    )
    claim.publish(there)
    sys.stderr.flush()
    if opens is None:
        # A page of the dashboard before goes on with this one: no second tab at each restart.
        is_new = before is None or before.link != there.link
        opens = is_new and places.has_display(environ)
    served = (claim.descriptor, web.fileno(), otlp.fileno())
    words = [store, *map(str, served), "open" if opens else "no-open"]
    # -P: what lies in the app's folder is not what the dashboard imports.
    command = [sys.executable, "-P", "-m", "clarity_otel.web.launched", *words]

    def become() -> None:
        os.close(kept)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        for descriptor in served:
            os.set_inheritable(descriptor, True)
        # A launcher further up may have put our sitecustomize on its path.
        os.execve(command[0], command, {**environ, "CLARITY_DISABLED": "true"})

    _in_background(become)
    os.close(claim.descriptor)
    web.close()
    otlp.close()
    return there


def _open_page(there: Running) -> None:
    def become() -> None:
        import webbrowser

        from clarity_otel.web import ticket

        webbrowser.open(ticket.link(there.address, there.token))

    _in_background(become)


def _in_background(function: Callable[[], None]) -> None:
    """Run a function in a process of its own session that is nobody's child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            function()
    except OSError as error:
        diagnostics.error(f"The dashboard could not be started: {error}.")
    finally:
        os._exit(0)


def _port_of(address: str) -> int:
    text = address.rpartition(":")[2]
    return int(text) if text.isdigit() else 0


def _listen(*ports: int) -> socket:
    """Return a listening socket on the first of these ports that is free, else on any."""
    # `socket` around it would cost 2 ms.
    import _socket

    for port in (*ports, 0):
        bound = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        bound.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
            bound.listen(128)
        except OSError:
            bound.close()
            if port == 0:
                raise
            continue
        return bound
    raise AssertionError
