"""gunicorn: a worker that it ends loses no span, also while the app is imported.

UvicornWorker sets the defaults of all signals, which kill at once: ours go in their place
before the app is imported. SIGABRT is how gunicorn ends a worker that is stuck. Worker
classes with handlers of their own keep them.
"""

from __future__ import annotations

import signal
from typing import Any

from clarity_otel.engine.signals import flush_before_death_by
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `gunicorn.workers.base`."""

    def make(original: Any) -> Any:
        def load_wsgi(self: Any) -> Any:
            with never_break_the_app("gunicorn.worker"):
                flush_before_death_by(signal.SIGTERM, signal.SIGINT, signal.SIGABRT)
            return original(self)

        return load_wsgi

    replaced.replace(module.Worker, "load_wsgi", make)
