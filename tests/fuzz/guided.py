"""The targets led by coverage of the Rust code itself: `python -m tests.fuzz.guided --seconds 600`.

libFuzzer, as atheris brings it along, mutates the input; it sees the twins' bytecode and
each branch of a native module that is built for it, which a stable compiler does. What is
found goes into the corpus with --keep, the shortest inputs that reached new code. Needs
`pip install atheris` (Linux, Python 3.11 to 3.13), which no other test does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from tests.backends.extension import built
from tests.processes.service import ROOT

# As `cargo fuzz` has it, without a sanitizer: those want a nightly compiler.
FLAGS = (
    *("-Copt-level=1", "-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4"),
    *("-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",),
    *("-Cllvm-args=-sanitizer-coverage-pc-table", "-Cllvm-args=-sanitizer-coverage-trace-compares"),
    # An overflow, and what a debug build alone asserts, are faults too.
    *("-Cdebug-assertions", "-Coverflow-checks"),
)
_INSTRUMENTED = (
    *("clarity_otel.masking.twin", "clarity_otel.store.decode", "clarity_otel.receiver.otlp_json"),
    *("clarity_otel.settings.otlp", "clarity_otel.settings.kinds", "clarity_otel.doctor"),
    *("clarity_otel.endpoints.access", "opentelemetry.trace.propagation.tracecontext"),
    *("opentelemetry.baggage.propagation", "opentelemetry.trace.span"),
)
# What is kept of one run: tests run the whole corpus.
_MOST_KEPT = 50


def child(name: str, extension: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    spec = spec_from_file_location("clarity_otel._native", extension)
    assert spec is not None
    assert spec.loader is not None
    native = module_from_spec(spec)
    sys.modules["clarity_otel._native"] = native
    spec.loader.exec_module(native)
    import clarity_otel

    clarity_otel._native = native  # type: ignore[attr-defined]
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        from tests.fuzz.targets import targets

        (target,) = (one for one in targets(is_guided=True) if one.name == name)
    atheris.Setup([sys.argv[0], *arguments], target.run)
    atheris.Fuzz()


def fuzz(name: str, seconds: int, extension: Path, *, is_kept: bool) -> bool:
    """Fuzz one target in a process of its own; return whether it held."""
    from tests.fuzz.__main__ import keep, kept
    from tests.fuzz.targets import targets

    (target,) = (one for one in targets(is_guided=True) if one.name == name)
    with tempfile.TemporaryDirectory() as folder:
        known, new = (Path(folder, part) for part in ("known", "new"))
        for path in (known, new):
            path.mkdir()
        inputs = [*target.seeds(), *kept(target)]
        for number, data in enumerate(inputs):
            (known / f"{number}").write_bytes(data)
        words = Path(folder, "words")
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        common = (f"-artifact_prefix={folder}/", "-timeout=20", "-rss_limit_mb=4096")
        limits = [f"-max_total_time={seconds}", "-print_final_stats=1"]
        if target.words:  # libFuzzer takes no empty file
            limits.append(f"-dict={words}")
        done = _run(name, extension, [*limits, *common, str(new), str(known)])
        print(_told(name, done.stderr))
        broken = [path.read_bytes() for path in Path(folder).glob("*-*") if path.is_file()]
        for data in broken:
            print(f"{name} is broken by {data!r}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        if is_kept and not broken:
            found = sorted((path.read_bytes() for path in new.iterdir()), key=len)
            fresh = [one for one in found if one not in inputs][:_MOST_KEPT]
            keep(target, fresh)
            print(f"{name}: {len(fresh)} inputs are kept")
        elif is_kept:
            keep(target, broken)
        return not broken and not done.returncode


def _run(name: str, extension: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    spec = find_spec("atheris")
    assert spec is not None
    assert spec.origin is not None
    runtime = Path(spec.origin).parents[1] / "ubsan_with_fuzzer.so"
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", "--child", name, str(extension), *arguments],
        # The module asks for libFuzzer's functions by name.
        env={**os.environ, "LD_PRELOAD": str(runtime)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
    )


def _told(name: str, text: str) -> str:
    """Of libFuzzer's report what counts."""
    lines = text.splitlines()
    last = next((line for line in reversed(lines) if "cov: " in line), "no input was run")
    number = [line.split()[-1] for line in lines if "number_of_executed_units" in line]
    return f"{name}: {''.join(number) or '?'} inputs; {' '.join(last.split())}"


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(arguments: Iterable[str]) -> int:
    """Return 0 where all targets held."""
    given = list(arguments)
    if given[:1] == ["--child"]:
        child(given[1], given[2], given[3:])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("--target", action="append", help="one of them; repeatable")
    parser.add_argument("--seconds", type=int, default=600, help="in all")
    parser.add_argument("--keep", action="store_true", help="add what is found to the corpus")
    chosen = parser.parse_args(given)
    if find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install atheris")
    from tests.fuzz.targets import targets

    names = chosen.target or [target.name for target in targets(is_guided=True)]
    extension = built("fuzz", "--release", "--features", "faults", flags=FLAGS)
    seconds = max(1, chosen.seconds // len(names))
    held = [fuzz(name, seconds, extension, is_kept=chosen.keep) for name in names]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
