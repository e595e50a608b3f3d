"""`make demo`: see an unchanged service traced, end to end, in about a minute.

python -m examples.demo           # with colours and a progress bar; ends at the dashboard
python -m examples.demo --once    # unattended: a screenshot, and exits 1 when a span is missing
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import boto3
import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.surroundings import backends
from clarity_otel.bench import MeasurementError
from clarity_otel.bench.load import send_all
from clarity_otel.bench.paired import Plan, measure
from clarity_otel.bench.servers import (
    Process,
    Variant,
    answers,
    exporting_to,
    free_port,
    script,
    wait_until,
)
from examples.shop.seed import seed

from .checks import CHILDREN, complaints, path_of, traces
from .live import live
from .surroundings import REGION, Surroundings, require_programs, surroundings
from .tree import draw

SHOP = "examples.shop.app:app"
REQUESTS_AT_ONCE = 10
LOAD_S = 6.0
ARRIVAL_TIMEOUT_S = 15.0
COST_PATHS = ("/hello", "/order")


@contextmanager
def _service(around: Surroundings, name: str, app: str, **env: str) -> Iterator[int]:
    """An instrumented app under uvicorn while the context lasts; yields its port."""
    port = free_port()
    command = [*script("clarity-instrument"), "uvicorn", app, "--port", str(port)]
    environment = around.instrumented(name) | env
    # `uvicorn` is found beside this interpreter even when the venv is not active.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    log = around.logs / f"{name}.log"
    with Process(f"The service {name}", command, env=environment, log=log) as process:
        wait_until(lambda: answers(port), 30, f"{name} answered on port {port}", process)
        yield port


def drive_the_shop(console: Console, around: Surroundings) -> list[str]:
    """Load on every path, then one trace as a tree; returns what is wrong."""
    seed(around.redis_url, REGION)
    sent = dict.fromkeys(CHILDREN, 0)
    with _service(around, "shop", SHOP) as port:
        console.print(f"$ clarity-instrument uvicorn {SHOP}", style="bold")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[requests]} requests"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("real load on the shop", total=LOAD_S, requests=0)
            started = time.monotonic()
            while (elapsed := time.monotonic() - started) < LOAD_S:
                send_all("127.0.0.1", port, sent, REQUESTS_AT_ONCE, connections=4)
                for path in sent:
                    sent[path] += REQUESTS_AT_ONCE
                progress.update(task, completed=elapsed, requests=sum(sent.values()))
        wanted = sum(sent.values())
        _wait_for_spans(around, "shop", wanted)
        found = traces(around.receiver.spans(), "shop")
    spans = sum(1 + len(trace.below) for trace in found)
    console.print(
        f"{wanted} requests: {around.receiver_name} received {len(found)} server spans "
        f"and {spans - len(found)} spans below them. One of the orders:"
    )
    orders = [trace for trace in found if path_of(trace.server) == "/order"]
    if orders:
        console.print(draw([orders[-1].server, *orders[-1].below]))
    return complaints(found, sent)


def _wait_for_spans(around: Surroundings, service: str, requests: int) -> None:
    """Wait until there is a server span for each request: it ends after its children.

    Returns in silence when they do not come: the checks then say what is missing.
    """

    def arrived() -> bool:
        spans = around.receiver.spans()
        return sum(s.kind == "server" and s.service == service for s in spans) >= requests

    try:
        wait_until(arrived, ARRIVAL_TIMEOUT_S, "all spans arrived")
    except MeasurementError:
        return


def follow_one_id(console: Console, around: Surroundings) -> list[str]:
    """One request through two services and a queue; returns what is wrong."""
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="deliveries")["QueueUrl"]
    wanted = f"demo-{uuid.uuid4().hex[:12]}"
    package = "examples.two_services"
    worker = [*script("clarity-instrument"), sys.executable, "-m", f"{package}.worker"]
    worker_env = around.instrumented("worker") | {"QUEUE_URL": queue}
    worker_log = around.logs / "worker.log"

    def services() -> dict[str, str]:
        """The services whose spans carry the id, each with the span's name."""
        return {
            span.service: span.name
            for span in around.receiver.spans()
            if wanted in [str(value) for value in span.attributes.values()]
            and span.kind == "server"
        }

    with (
        _service(around, "back", f"{package}.back:app", QUEUE_URL=queue) as back_port,
        _service(
            around, "front", f"{package}.front:app", BACK_URL=f"http://127.0.0.1:{back_port}"
        ) as front_port,
        Process("The worker", worker, env=worker_env, log=worker_log) as worker_process,
    ):
        answer = httpx.get(
            f"http://127.0.0.1:{front_port}/buy/lamp", headers={"X-Correlation-ID": wanted}
        )
        if answer.status_code != 200:
            return [f"The front service answered {answer.status_code} to /buy/lamp."]
        try:
            wait_until(lambda: {"front", "back"} <= services().keys(), ARRIVAL_TIMEOUT_S, "")
        except MeasurementError:
            missing = {"front", "back"} - services().keys()
            return [f"The correlation id {wanted} was not found in: {', '.join(sorted(missing))}."]
        wait_until(
            lambda: worker_log.exists() and "delivery" in worker_log.read_text("utf-8"),
            ARRIVAL_TIMEOUT_S,
            "the worker got its message",
            worker_process,
        )
    table = Table("service", "span", "correlation id", title="One id through the call chain")
    for service, name in sorted(services().items(), reverse=True):
        table.add_row(service, name, wanted)
    message = worker_log.read_text("utf-8")
    table.add_row("worker", "message from SQS", wanted if wanted in message else "not in it")
    console.print(table)
    return []


def show_the_cost(console: Console, logs: Path) -> None:
    """Short paired runs beside bare: an indication; `make bench` measures for real."""
    plan = Plan(rounds=1, turns=15, slice_s=0.1)
    total = plan.turns * len(COST_PATHS)
    with (
        backends() as (env, sink_port),
        Progress(console=console, transient=True) as progress,
    ):
        task = progress.add_task("CPU cost beside bare", total=total)
        variants = [
            Variant("bare"),
            Variant("clarity", script("clarity-instrument"), exporting_to(sink_port)),
        ]
        found = measure(
            SHOP,
            COST_PATHS,
            variants,
            plan,
            env=env,
            logs=logs,
            progress=lambda path: progress.advance(task),
        )
    table = Table(
        "path", "bare, us", "added, us", "added, %", "95% interval", title="CPU a request"
    )
    for path, slices in found.items():
        cost = slices["clarity"].comparison(slices["bare"])
        percent = [100 * (x - 1) for x in (cost.ratio.value, cost.ratio.low, cost.ratio.high)]
        table.add_row(
            path,
            f"{cost.bare_us:.0f}",
            f"{cost.added_us.value:+.1f}",
            f"{percent[0]:+.1f}",
            f"{percent[1]:+.1f} to {percent[2]:+.1f}",
        )
    console.print(table)
    console.print(
        f"An indication from {plan.pairs} short pairs; `make bench` measures for real.", style="dim"
    )


def run(console: Console, logs: Path, *, once: bool) -> int:
    """The whole demo; 0 when nothing is missing."""
    require_programs()
    with surroundings(logs) as around:
        os.environ.update(around.env)  # for the boto3 calls that prepare table and queue
        wrong = drive_the_shop(console, around)
        wrong += follow_one_id(console, around)
        # Measured alone: the services above have ended, and the shop below is not there yet.
        show_the_cost(console, logs)
        for sentence in wrong:
            console.print(sentence, style="bold red")
        if not wrong:
            sentence = "Every request has its trace, and every trace is whole."
            console.print(sentence, style="bold green")
        unseen = live(console, around, once=once)
    for sentence in unseen:
        console.print(sentence, style="bold red")
    return 1 if wrong or unseen else 0


def _interrupt(number: int, frame: object) -> NoReturn:
    # A second Ctrl-C would cut short the clean-up that the first one began.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo")
    parser.add_argument(
        "--once", action="store_true", help="unattended: plain text, no progress bar"
    )
    once = parser.parse_args().once
    console = Console(force_terminal=False, width=140) if once else Console()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clarity-demo-") as folder:
        try:
            code = run(console, Path(folder), once=once)
        except MeasurementError as error:
            console.print(f"The demo stopped: {error}", style="bold red", markup=False)
            code = 1
        except KeyboardInterrupt:
            console.print("Stopped. Nothing is left running.")
            code = 130
    console.print(f"{time.monotonic() - started:.0f} s in all.", style="dim")
    return code


if __name__ == "__main__":
    sys.exit(main())
