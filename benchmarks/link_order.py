"""The order of the native engine's functions in its file: what requests call first, then what
else a running service calls.

    python -m benchmarks.link_order

The kernel maps a file's code in windows of 64 KiB around what is called, and each page of it
wants an entry in the processor's translation buffers. The linker leaves what is called spread
over 4 MiB; in an order it is in one place, and what requests run on the app's own threads is a
small part of that. This runs the shop with its backends under valgrind, notes each native
function that runs after the first requests, and writes native/link_order.ld, which
native/build.rs hands to the linker. Names that the code no longer has do no harm, and new ones
stay where the linker puts them: run it after the hot paths have changed. It needs valgrind,
redis-server, a native engine, and three minutes.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from clarity_otel.bench.load import LoadClient, new_loop, request_bytes
from clarity_otel.bench.servers import AppServer

from .surroundings import backends
from .variants import variant

SCRIPT = Path(__file__).parents[1] / "native" / "link_order.ld"
_PATHS = ("/hello", "/redis", "/http", "/ddb", "/order")
_WARM, _REPEATS = 3, 150
_EXPORTS_S = 12.0
_LEAST_FUNCTIONS = 200
# What no thread of Rust runs, and what of Python's the one that collects metrics does alone.
_INTERPRETER, _COLLECTING = "_PyEval_EvalFrameDefault", "metric_points"
# Once its pages have been let go (`release_library`), valgrind knows the library's functions by
# their names alone.
_NOT_KNOWN = "???"
_OF_RUST = ("_ZN", "_R")
# Lets go of all windows, and is then the first to be called.
_ALSO = ("*7_native*release_library*", "*7_native*trim_memory*")
# rustc's hashes differ with its version and the machine: of functions, and of crates.
_HASHES = ((re.compile(r"17h[0-9a-f]{16}E"), "17h*E"), (re.compile(r"Cs[0-9A-Za-z]+_"), "Cs*_"))
_HEADER = """\
/* Written by `python -m benchmarks.link_order`: what a running service calls, first in the file.
 * A name that is not there is left out. */
SECTIONS
{
  .text.called : {
"""


def main() -> int:
    """Write the script; the exit code says how it went."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("This needs valgrind on PATH: apt install valgrind")
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_loop) as runner:
        counts = Path(folder, "counts")
        prefix = [valgrind, "--tool=callgrind", "--trace-children=yes", "--fair-sched=yes"]
        prefix += ["--separate-threads=yes", "--demangle=no", "--instr-atstart=no"]
        prefix += [f"--callgrind-out-file={counts}.%p"]
        runner.run(_serve(prefix))
        calls = _calls(counts)
    by_requests = {_pattern(name) for name, times in calls.items() if times >= _REPEATS}
    others = {_pattern(name) for name in calls} - by_requests
    names = [*sorted(by_requests), *sorted(others)]
    if len(names) < _LEAST_FUNCTIONS:
        sys.exit(f"Only {len(names)} native functions were seen: nothing is written.")
    # What the optimiser takes for cold has sections of its own.
    lines = "".join(f"    *(.text.{name} .text.unlikely.{name})\n" for name in (*names, *_ALSO))
    SCRIPT.write_text(f"{_HEADER}{lines}  }}\n}}\nINSERT BEFORE .text;\n", "utf-8")
    print(f"{SCRIPT}: {len(names)} functions, {len(by_requests)} of them by requests")
    return 0


async def _serve(prefix: list[str]) -> None:
    """Run the shop below the prefix, and have what it calls counted once it is warm."""
    with backends() as (env, sink):
        clarity = variant("clarity", sink)
        often = dict.fromkeys(("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_BSP_SCHEDULE_DELAY"), "2000")
        counted = replace(clarity, prefix=[*prefix, *clarity.prefix], env=clarity.env | often)
        with AppServer(counted, "examples.shop.app:app", env=env) as server:
            pid = server.process.pid
            await _ask(server, _WARM)
            _control(pid, "--instr=on")
            for _ in range(2):
                await _ask(server, _REPEATS)
                await asyncio.sleep(_EXPORTS_S)
            # What an end calls is not what a service calls.
            _control(pid, "--instr=off")
            _control(pid, "--dump")


async def _ask(server: AppServer, times: int) -> None:
    async with LoadClient("127.0.0.1", server.port, 1) as client:
        for path in _PATHS:
            await client.send(request_bytes("127.0.0.1", server.port, path), times)


def _control(pid: int, what: str) -> None:
    command = ["callgrind_control", what, str(pid)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _calls(counts: Path) -> Counter[str]:
    """Return the mangled names of the native functions in callgrind's counts, and how often each
    was called by the app: 0 for those that ran on threads of ours alone.
    """
    calls = Counter[str]()
    for file in counts.parent.glob(f"{counts.name}*"):
        text = file.read_text("utf-8")
        is_own = _INTERPRETER not in text or _COLLECTING in text
        for name, times in _calls_of(text).items():
            calls[name] += 0 if is_own else times
    return calls


def _calls_of(counts: str) -> Counter[str]:
    """Return the same of one thread, whichever it is."""
    # A name is written once, and then only its number.
    names, objects, calls = dict[str, str](), dict[str, bool](), Counter[str]()
    is_native = callee_is_native = False
    callee = ""
    for line in counts.splitlines():
        kind, _, rest = line.partition("=")
        number, _, name = rest.partition(" ")
        if kind in {"ob", "cob"}:
            if name:
                objects[number] = "/_native." in name or name == _NOT_KNOWN
            callee_is_native = objects[number]
            if kind == "ob":
                is_native = objects[number]
        elif kind in {"fn", "cfn"}:
            if name:
                names[number] = name
            callee = number
            if kind == "fn" and is_native:
                calls[number] += 0
        elif kind == "calls":
            if callee_is_native:
                calls[callee] += int(number)
            # The next one is of this object, unless it is named.
            callee_is_native = is_native
    known = {names[number]: times for number, times in calls.items()}
    return Counter({name: known[name] for name in known if name.startswith(_OF_RUST)})


def _pattern(name: str) -> str:
    for hashes, wildcard in _HASHES:
        name = hashes.sub(wildcard, name)
    name, _, _ = name.partition("'")  # callgrind's number of a recursion
    return re.sub(r"(\.llvm)?\.\d+$", "*", name)  # of a copy that the optimiser made


if __name__ == "__main__":
    sys.exit(main())
