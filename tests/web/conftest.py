from tests.receiver.conftest import begin, dashboard
from tests.store.conftest import open_at, store

__all__ = ["begin", "dashboard", "open_at", "store"]
