"""clarity demo: the two services, their visitors and the dashboard, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from clarity_otel.terminal import times
from clarity_otel.web import running

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA = "clarity demo needs more packages: pip install 'clarity-otel[dashboard]'"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class DemoError(Exception):
    """The demo cannot run; its message is a sentence."""


def demo(
    requests_per_s: Annotated[
        float, typer.Option("--rate", min=0.1, max=500, help="Requests a second.")
    ] = 20.0,
    for_: Annotated[
        str, typer.Option("--for", help="How long: 30s, 5m; unset, until Ctrl-C.")
    ] = "",
    open_: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Whether a browser is opened.", show_default=False),
    ] = None,
) -> None:
    """Run two small services under load, with the dashboard; nothing is kept."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        seconds = times.duration_s(for_) if for_ else None
        with TemporaryDirectory(prefix="clarity-demo-") as folder:
            _run(Path(folder), requests_per_s, seconds, open_)
    except ModuleNotFoundError as error:
        typer.echo(f"{_EXTRA} ({error}).", err=True)
        raise typer.Exit(1) from None
    except (DemoError, ValueError) as error:
        typer.echo(f"clarity demo: {error}.", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing is left running, and nothing was kept.", err=True)
        raise typer.Exit(130) from None


def _interrupt(number: int, frame: object) -> None:
    # A second Ctrl-C would cut short the clean-up that the first one began.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(folder: Path, requests_per_s: float, seconds: float | None, open_: bool | None) -> None:
    from clarity_otel.demo.visitors import visit

    store = str(folder / "store.duckdb")
    ports = {"shop": _free_port(), "stock": _free_port()}
    browser = {True: ["--open"], False: ["--no-open"], None: []}[open_]
    with ExitStack() as stack:
        stack.callback(_wait_for_the_end, store)
        for name, options in (("shop", browser), ("stock", ["--no-open"])):
            stock_url = f"http://127.0.0.1:{ports['stock']}"
            environ = {"CLARITY_STORE": store, "STOCK_URL": stock_url}
            stack.enter_context(_service(name, ports[name], options, environ, folder))
        there = running.find(store)
        if there is None:
            raise DemoError(f"the dashboard did not start: {_last_words(folder / 'shop.log')}")
        typer.echo(f"Dashboard: {there.link}")
        typer.echo(f"The shop answers at http://127.0.0.1:{ports['shop']}/products/lamp")
        typer.echo("Ctrl-C ends it. For your own app: clarity-instrument --dashboard COMMAND")
        sys.stdout.flush()
        visiting = visit(f"http://127.0.0.1:{ports['shop']}", requests_per_s)
        with suppress(TimeoutError):
            asyncio.run(asyncio.wait_for(visiting, seconds))


def _wait_for_the_end(store: str) -> None:
    """Wait for the dashboard, which ends after the services: its file is removed next."""
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while running.find(store) and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _service(
    name: str, port: int, options: list[str], environ: dict[str, str], folder: Path
) -> Iterator[None]:
    """Run one service for as long as the context lasts; what it says goes into a file."""
    launcher = [sys.executable, "-m", "clarity_otel.entry_points.launcher", "--dashboard"]
    server = [sys.executable, "-m", "uvicorn", f"clarity_otel.demo.{name}:app"]
    command = [*launcher, *options, "--service-name", name, *server, "--port", str(port)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    path = folder / f"{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**kept, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for this command, which ends them in order.
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"the service {name} did not start: {_last_words(path)}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it said nothing"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
