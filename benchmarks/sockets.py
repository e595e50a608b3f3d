"""CPU per request over sockets: paired, interleaved, bare against each variant.

    python -m benchmarks.sockets                       # the full run
    python -m benchmarks.sockets --quick --paths /hello
    python -m benchmarks.sockets --variants bare,clarity,ddtrace

One worker of uvicorn (uvloop, httptools) has a core to itself; load, redis-server,
the stand-ins and the sink share the other. Results go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.paired import Plan, Slices, measure
from clarity_otel.bench.servers import Variant
from clarity_otel.bench.traced import require_traced

from .results import RESULTS, merge
from .startup import measure_startup
from .surroundings import backends, describe
from .variants import DEFAULT, ON_REQUEST, variant

SHOP_PATHS = ("/hello", "/redis", "/http", "/ddb", "/order")


@dataclass(frozen=True)
class Target:
    """An app, the paths of it to measure, and how many requests are on their way at once.

    One at a time shows what a request costs; 16 keep the server's core busy, which
    shows how many it can answer in a second.
    """

    app: str
    paths: Sequence[str]
    connections: int = 1


APPS = {
    "shop": Target("examples.shop.app:app", SHOP_PATHS),
    "shop, FastAPI's telemetry off": Target("benchmarks.apps:quiet_shop", SHOP_PATHS),
    "shop, 16 at once": Target("examples.shop.app:app", ("/hello",), connections=16),
    "starlette": Target("benchmarks.apps:starlette_only", ("/plain",)),
}
FULL = Plan(rounds=12, turns=4, slice_s=0.3)
QUICK = Plan(rounds=2, turns=4, slice_s=0.3)


def rows(app: str, found: Mapping[str, Mapping[str, Slices]]) -> list[dict[str, Any]]:
    """The measured slices of one app as rows of the results file."""
    table = []
    for path, by_variant in found.items():
        bare = by_variant["bare"]
        for name, slices in by_variant.items():
            comparison = slices.comparison(bare)
            table.append(
                {
                    "app": app,
                    "path": path,
                    "variant": name,
                    "pairs": comparison.pairs,
                    "bare_us": comparison.bare_us,
                    "added_us": comparison.added_us.as_dict(),
                    "ratio": comparison.ratio.as_dict(),
                    **slices.medians(),
                    "slices_cpu_us": [round(value, 2) for value in slices.cpu_us],
                }
            )
    return table


def run(
    names: Sequence[str],
    apps: Sequence[str],
    paths: Sequence[str],
    plan: Plan,
    startup_pairs: int,
    logs: Path | None,
) -> dict[str, Any]:
    """Measure and return what goes into the results file."""
    results = describe()
    results["plan"] = {"rounds": plan.rounds, "turns": plan.turns, "slice_s": plan.slice_s}
    results["sockets"] = []
    with backends() as (env, sink_port):
        variants: list[Variant] = [variant(name, sink_port, env["BACKEND_URL"]) for name in names]
        for app in apps:
            target = APPS[app]
            wanted = [path for path in target.paths if not paths or path in paths]
            if not wanted:
                continue

            def tell(path: str, app: str = app) -> None:
                print(f"\r{app} {path:<10}", end="", file=sys.stderr, flush=True)

            tracing = [one for one in variants if _traces(one, target.app, wanted[0], env)]
            its_plan = replace(plan, connections=target.connections)
            found = measure(
                target.app, wanted, tracing, its_plan, env=env, logs=logs, progress=tell
            )
            results["sockets"] += rows(app, found)
        print("\r", end="", file=sys.stderr)
        if startup_pairs:
            ours = [one for one in variants if one.name not in ON_REQUEST]
            results["startup"] = measure_startup(ours, startup_pairs)
    return results


def _traces(one: Variant, app: str, path: str, env: Mapping[str, str]) -> bool:
    """Whether a variant may be measured; one that does not trace the app is left out, aloud."""
    if one.name in ("bare", "ddtrace"):  # ddtrace speaks no OTLP here
        return True
    try:
        require_traced(one, app, path, env=env)
    except MeasurementError as error:
        print(f"Left out: {error}", file=sys.stderr)
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sockets")
    parser.add_argument("--variants", default=",".join(DEFAULT), help="bare must be the first")
    parser.add_argument("--apps", default="", help=f"of: {'; '.join(APPS)} (separated by ;)")
    parser.add_argument("--paths", default="", help="only these paths, separated by commas")
    parser.add_argument("--quick", action="store_true", help="8 pairs instead of 48")
    parser.add_argument("--rounds", type=int, help="restarts of the servers")
    parser.add_argument("--turns", type=int, help="pairs in each round")
    parser.add_argument("--seconds", type=float, help="length of one slice")
    parser.add_argument("--no-startup", action="store_true", help="leave start-up times out")
    parser.add_argument("--logs", type=Path, help="a folder for the servers' output")
    parser.add_argument("--out", type=Path, help=f"results file (default: in {RESULTS})")
    return parser.parse_args()


def main() -> int:
    """Measure and write the results file; the exit code says how it went."""
    options = _arguments()
    names = options.variants.split(",")
    if names[0] != "bare":
        print("The first variant must be bare: the others are paired with it.", file=sys.stderr)
        return 2
    base = QUICK if options.quick else FULL
    plan = Plan(
        rounds=options.rounds or base.rounds,
        turns=options.turns or base.turns,
        slice_s=options.seconds or base.slice_s,
    )
    apps = options.apps.split(";") if options.apps else list(APPS)
    unknown = [app for app in apps if app not in APPS]
    if unknown:
        print(f"There is no app {unknown[0]!r}: use one of {list(APPS)}.", file=sys.stderr)
        return 2
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    paths = options.paths.split(",") if options.paths else []
    startup_pairs = 0 if options.no_startup else (5 if options.quick else 20)
    try:
        results = run(names, apps, paths, plan, startup_pairs, options.logs)
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped: nothing was written, and no server is left running.", file=sys.stderr)
        return 130
    print(merge(results, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
