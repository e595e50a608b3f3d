"""The order of the native engine's functions in its file: what a running service calls, first.

    python -m benchmarks.link_order

The kernel maps a file's code in windows of 64 KiB around what is called, and each page of it
wants an entry in the processor's translation buffers. The linker leaves what is called spread
over 4 MiB; in an order it is in one place. This runs the shop with its backends under valgrind,
notes each native function that runs after the first requests, and writes native/link_order.ld,
which native/build.rs hands to the linker. Names that the code no longer has do no harm, and new
ones stay where the linker puts them: run it after the hot paths have changed. It needs valgrind,
redis-server, a native engine, and two minutes.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
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
        prefix += ["--demangle=no", "--instr-atstart=no", f"--callgrind-out-file={counts}.%p"]
        runner.run(_serve(prefix))
        names = sorted({_pattern(name) for name in _called(counts)})
    if len(names) < _LEAST_FUNCTIONS:
        sys.exit(f"Only {len(names)} native functions were seen: nothing is written.")
    # What the optimiser takes for cold has sections of its own.
    lines = "".join(f"    *(.text.{name} .text.unlikely.{name})\n" for name in (*names, *_ALSO))
    SCRIPT.write_text(f"{_HEADER}{lines}  }}\n}}\nINSERT BEFORE .text;\n", "utf-8")
    print(f"{SCRIPT}: {len(names)} functions")
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


def _called(counts: Path) -> set[str]:
    """Return the mangled names of the native functions in callgrind's counts."""
    called = set[str]()
    for file in counts.parent.glob(f"{counts.name}*"):
        # A name is written once, and then only its number.
        names, objects, ran = dict[str, str](), dict[str, bool](), set[str]()
        is_native = False
        for line in file.read_text("utf-8").splitlines():
            kind, _, rest = line.partition("=")
            number, _, name = rest.partition(" ")
            if kind in {"ob", "cob"}:
                if name:
                    objects[number] = "/_native." in name
                if kind == "ob":
                    is_native = objects[number]
            elif kind in {"fn", "cfn"}:
                if name:
                    names[number] = name
                if kind == "fn" and is_native:
                    ran.add(number)
        called |= {names[number] for number in ran}
    return called


def _pattern(name: str) -> str:
    for hashes, wildcard in _HASHES:
        name = hashes.sub(wildcard, name)
    name, _, _ = name.partition("'")  # callgrind's number of a recursion
    return re.sub(r"(\.llvm)?\.\d+$", "*", name)  # of a copy that the optimiser made


if __name__ == "__main__":
    sys.exit(main())
