"""The service under test, started by its own code: `programmatic.py PORT`."""

from __future__ import annotations

import sys

from clarity_otel import setup_observability

if __name__ == "__main__":
    setup_observability(service_name="shop")

    import uvicorn

    from tests.processes.app import app

    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
