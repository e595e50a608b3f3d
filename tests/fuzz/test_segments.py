"""The spool's reader gives what a second reader of the same format gives, for any file."""

from __future__ import annotations

import random
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from tests.backends import extension
from tests.conftest import not_tested
from tests.fuzz import segments
from tests.fuzz.__main__ import SEED, kept
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import targets

# The value that RFC 3720's successors give for the nine digits.
CHECK = 0xE3069283


def test_the_second_reader_reads_what_is_written() -> None:
    """With the published checksum, a frame that is done, a torn and a changed one."""
    assert segments.crc32c(b"123456789") == CHECK
    whole = segments.frame(b"\1", 3, b"request")
    done = segments.frame(b"\2", 1, b"", state=b"D")
    changed = whole[:-1] + b"T"
    assert segments.rows(whole + done + changed + whole[:-1]) == [
        ("traces", 3, b"request"),
        ("traces", 3, None),
        ("traces", 3, None),
    ]
    assert segments.rows(b"noise" + whole) == [(None, 0, None), ("traces", 3, b"request")]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first time, the module is compiled: minutes
def test_both_readers_agree() -> None:
    """On the corpus and on mutated inputs of a fixed seed, as they are and with sound checksums."""
    try:
        path = extension.built("faults", "--features", "faults")
    except extension.NoCargoError as reason:
        not_tested(reason, "the reader of the spool's segments, by a second one")
    spec = spec_from_file_location("clarity_otel._native", path)
    assert spec is not None
    assert spec.loader is not None
    native = module_from_spec(spec)
    spec.loader.exec_module(native)
    # Another test may build it again meanwhile: what is loaded stays as it is.
    loaded = path.stat().st_ino
    assert extension.built("faults", "--features", "faults").stat().st_ino != loaded
    (target,) = (one for one in targets(is_guided=True) if one.name == "segment")
    corpus = [*target.seeds(), *kept(target)]
    chance = random.Random(SEED)
    more = (mutated(chance, chance.choice(corpus), corpus, target.words) for _ in range(3_000))
    frames = 0
    for data in [*corpus, *more]:
        for one in (data, segments.sealed(data)):
            rows = segments.rows(one)
            assert native._spool_frames(one) == rows, one
            frames += sum(request is not None for _, _, request in rows)
    assert frames > len(corpus), "hardly an input has a whole frame"
