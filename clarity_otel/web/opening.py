"""The user's browser, opened on the dashboard while that goes on serving."""

from __future__ import annotations

import threading
import webbrowser

from clarity_otel.web import ticket


def open_page(address: str, token: str) -> None:
    """Open the dashboard's first link in a browser; return at once.

    A browser is a program that may be waited for, five seconds where it is new, and for ever
    where it is one of the terminal: it asks for a page that the waiting loop would answer.
    """
    link = ticket.link(address, token)
    threading.Thread(
        target=webbrowser.open, args=(link,), name="clarity-browser", daemon=True
    ).start()
