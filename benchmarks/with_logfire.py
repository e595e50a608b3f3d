"""Run a module with logfire's instrumentation: `python with_logfire.py -m uvicorn app`.

logfire asks for a line in the app; this launcher adds it when an app is made. It
runs in logfire's own environment, without this repository's packages.
"""

import runpy
import sys
from pathlib import Path

import fastapi
import logfire

sys.path[0] = str(Path.cwd())
logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_httpx()
logfire.instrument_redis()

_make = fastapi.FastAPI.__init__


def _make_instrumented(app: fastapi.FastAPI, *args: object, **options: object) -> None:
    _make(app, *args, **options)  # type: ignore[arg-type]
    logfire.instrument_fastapi(app)


fastapi.FastAPI.__init__ = _make_instrumented  # type: ignore[method-assign]
_, module, *sys.argv[1:] = sys.argv[1:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
