"""Fuzz all targets, or one: `python -m tests.fuzz --seconds 60 --target masking`.

By `--rounds` each target gets that many mutated inputs from a fixed seed, as tests have it;
by `--seconds` that much time, its inputs kept where they reach new code. An input that
breaks a target is made shorter, printed, and with --keep added to the corpus.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.coverage import Coverage
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import Target, targets

CORPUS = Path(__file__).parent / "corpus"
SEED = 20_261_128
_SHRINK_TRIES = 2_000
# Beyond this, what is kept holds the mutations up instead of leading them.
_LARGEST_CORPUS = 2_000


def kept(target: Target) -> list[bytes]:
    """The inputs of the corpus: a JSON text in latin-1 a line."""
    path = CORPUS / f"{target.name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line).encode("latin-1") for line in path.read_text().splitlines()]


def keep(target: Target, inputs: list[bytes]) -> None:
    """Add inputs to the corpus."""
    known = kept(target)
    fresh = [data for data in dict.fromkeys(inputs) if data not in known]
    lines = [json.dumps(data.decode("latin-1")) + "\n" for data in [*known, *fresh]]
    (CORPUS / f"{target.name}.jsonl").write_text("".join(lines))


def breaks(target: Target, data: bytes) -> str:
    """Return the traceback where an input breaks the target; else nothing."""
    try:
        target.run(data)
    except Exception:
        return traceback.format_exc()
    return ""


def shrunk(target: Target, data: bytes) -> bytes:
    """Return a shorter input that breaks the target too."""
    step, tries = max(1, len(data) // 2), 0
    while step and tries < _SHRINK_TRIES:
        at = 0
        while at < len(data) and tries < _SHRINK_TRIES:
            tries += 1
            shorter = data[:at] + data[at + step :]
            if breaks(target, shorter):
                data = shorter
            else:
                at += step
        step //= 2
    return data


def fuzz(target: Target, *, rounds: int, seconds: float, seed: int, is_kept: bool) -> bool:
    """Fuzz one target; return whether it held."""
    chance = random.Random(seed)
    corpus = [*target.seeds(), *kept(target)]
    coverage = Coverage(target.files() if seconds else frozenset())
    deadline = time.monotonic() + seconds if seconds else None
    ran, found = 0, []
    waiting = list(corpus)
    while waiting or (time.monotonic() < deadline if deadline else ran < rounds + len(corpus)):
        data = (
            waiting.pop()
            if waiting
            else mutated(chance, chance.choice(corpus), corpus, target.words)
        )
        ran += 1
        try:
            is_new = coverage.is_new(lambda: target.run(data))  # noqa: B023
        except Exception:
            broken = shrunk(target, data)
            sys.stdout.write(f"{target.name} is broken by {broken!r}\n{breaks(target, broken)}\n")
            if is_kept:
                keep(target, [broken])
            return False
        if is_new and not waiting and len(corpus) < _LARGEST_CORPUS:
            corpus.append(data)
            found.append(data)
    if is_kept:
        keep(target, found)
    sys.stdout.write(
        f"{target.name}: {ran} inputs, {len(found)} of them reach new code, "
        f"{len(coverage.seen)} steps seen\n"
    )
    return True


def main() -> int:
    """Return 0 where all targets held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--target", action="append", help="one of them; repeatable")
    parser.add_argument("--rounds", type=int, default=200, help="mutated inputs for each")
    parser.add_argument("--seconds", type=float, default=0, help="in all, instead of rounds")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--keep", action="store_true", help="add what is found to the corpus")
    given = parser.parse_args()
    chosen = [one for one in targets() if not given.target or one.name in given.target]
    if not chosen:
        parser.error(f"there are {', '.join(one.name for one in targets())}")
    held = [
        fuzz(
            target,
            rounds=given.rounds,
            seconds=given.seconds / len(chosen),
            seed=given.seed,
            is_kept=given.keep,
        )
        for target in chosen
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
