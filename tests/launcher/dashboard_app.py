"""A service for the tests of --dashboard: it says who answers, and may be told to end."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/pid")
def pid() -> dict[str, int]:
    """Which process answers."""
    return {"pid": os.getpid()}
