"""The user's browser, opened on the dashboard while that goes on serving."""

from __future__ import annotations

import subprocess
import sys
import threading

from clarity_otel.web import ticket

_OPEN = "import sys, webbrowser; webbrowser.open(sys.argv[1])"


def open_page(address: str, token: str) -> None:
    """Open the dashboard's first link in a browser; return at once.

    A browser is a program that may be waited for, five seconds where it is new, and for ever
    where it is one of the terminal: it asks for a page that the waiting loop would answer. So
    a process of its own waits, with the umask of now: what the browser saves is the user's.
    """
    waiting = subprocess.Popen([sys.executable, "-I", "-c", _OPEN, ticket.link(address, token)])
    # So that no dead child is left when it ends.
    threading.Thread(target=waiting.wait, name="clarity-browser", daemon=True).start()
