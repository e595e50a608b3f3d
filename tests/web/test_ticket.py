"""The address that a browser is started with is of no use to who reads it afterwards."""

from __future__ import annotations

import pytest

from clarity_otel.web import ticket
from clarity_otel.web.ticket import LIFETIME_S, Tickets
from tests.web.test_web import HOST, TOKEN, AsgiClient, begin, client, open_at, store

__all__ = ["begin", "client", "open_at", "store"]


def path_of(link: str) -> str:
    """The part of a link that a client asks for."""
    return link.removeprefix(f"http://{HOST}")


def test_a_ticket_lets_in_once(client: AsgiClient) -> None:
    """It is exchanged for the cookie like the token, and refused the second time."""
    link = ticket.link(f"http://{HOST}", TOKEN)
    assert TOKEN not in link
    answer = client.get(path_of(link))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    shown = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert client.get("/api/services", headers=shown).status_code == 200
    assert client.get(path_of(link)).status_code == 401


def test_a_ticket_is_over_after_a_minute(
    client: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that nobody has used."""
    link = ticket.link(f"http://{HOST}", TOKEN)
    later_s = ticket.time.time() + LIFETIME_S + 1
    monkeypatch.setattr(ticket.time, "time", lambda: later_s)
    assert client.get(path_of(link)).status_code == 401


@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "x", "9999999999.00.00", "9999999999." + "0" * 90, "é.é.é"]
)
def test_a_made_up_ticket_is_refused(client: AsgiClient, wrong: str) -> None:
    """Whatever it looks like; and two, of which one is right."""
    assert not Tickets(TOKEN).take(wrong)
    assert client.get("/", params={"ticket": wrong}).status_code == 401
    right = path_of(ticket.link(f"http://{HOST}", TOKEN))
    assert client.get(f"{right}&ticket=x").status_code == 401


def test_another_tokens_ticket_is_refused(client: AsgiClient) -> None:
    """Who has no token signs none."""
    assert client.get(path_of(ticket.link(f"http://{HOST}", "guessed"))).status_code == 401


def test_the_api_takes_no_ticket(client: AsgiClient) -> None:
    """It opens pages alone."""
    right = path_of(ticket.link(f"http://{HOST}", TOKEN))
    assert client.get(right.replace("/?", "/api/services?")).status_code == 401
