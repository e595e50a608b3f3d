"""A system clock that is set back while a request is served."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engines.conftest import RunScript

# Between the program and the system's clock: two seconds less once the file is there.
CLOCK = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME && access(getenv("IS_SET_BACK"), F_OK) == 0)
        now->tv_sec -= 2;
    return failed;
}
"""

SERVICE = """
import os, sys
sys.path.insert(0, os.environ["ROOT"])
from fastapi import FastAPI
from tests.backends.asgi import http_scope, run_asgi

app = FastAPI()

@app.get("/")
def handler():
    open(os.environ["IS_SET_BACK"], "w").close()
    return {}

run_asgi(app, http_scope("/"))
"""


@pytest.mark.skipif(
    not hasattr(os, "posix_spawn") or shutil.which("cc") is None,
    reason="not tested: the clock, because there is no C compiler",
)
def test_no_span_ends_before_it_began(run_script: RunScript, tmp_path: Path) -> None:
    """The request's span takes no time, rather than less than none."""
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    env = {
        "ROOT": str(Path(__file__).parents[2]),
        "LD_PRELOAD": str(library),
        "IS_SET_BACK": str(tmp_path / "is-set-back"),
    }
    run = run_script(SERVICE, "native", env)
    span = run.named("GET /")
    assert span.start_ns == span.end_ns
