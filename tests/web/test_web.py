"""Who is answered by the dashboard, and what its API says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from openapi_spec_validator import validate

from clarity_otel.store.decode import decode_spans
from clarity_otel.web import api
from clarity_otel.web.app import app
from clarity_otel.web.running import Running
from clarity_otel.web.server import Addresses
from tests.receiver.client import AsgiClient
from tests.store.conftest import Store, open_at, store
from tests.store.messages import traces

__all__ = ["open_at", "store"]

TOKEN = "the-token-of-this-test"
PORT = 3001
HOST = f"127.0.0.1:{PORT}"
SHOWN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def begin(store: Store, tmp_path: Path) -> Callable[..., AsgiClient]:
    """The app on a store; options are those of `app`."""

    def start(**options: Any) -> AsgiClient:
        chosen: dict[str, Any] = {"token": TOKEN, "port": PORT, "pages": tmp_path / "no-pages"}
        served = app(store.query, lambda: {"queue_fullness": 0.0}, **(chosen | options))
        return AsgiClient(served, f"http://{HOST}")

    return start


@pytest.fixture
def client(begin: Callable[..., AsgiClient]) -> AsgiClient:
    return begin()


class TestAccess:
    def test_the_link_is_exchanged_for_a_cookie(self, client: AsgiClient) -> None:
        """HttpOnly and SameSite=Strict, without the token in it; the address loses the token."""
        answer = client.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        shown = {"cookie": cookie.partition(";")[0]}
        assert client.get("/api/services", headers=shown).status_code == 200
        assert client.get("/", headers=shown).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {TOKEN}"},
            {"cookie": f"clarity-{PORT}=wrong"},
            {"cookie": f"clarity-{PORT}={TOKEN}"},
            {"cookie": "clarity-3002=" + "0" * 64},
            {"cookie": 'a="; ;;=,='},
        ],
    )
    def test_without_the_token_nothing_is_answered(
        self, client: AsgiClient, headers: dict[str, str]
    ) -> None:
        """No path, not even one that is not there."""
        for path in ("/", "/api/services", "/api/openapi.json", "/nowhere", "/assets/x"):
            assert client.get(path, headers=headers).status_code == 401

    @pytest.mark.parametrize(
        "other",
        ['prefs={"theme":"dark"}', "a[b]=1", "x=a b", "na(me=1", "flag", 'a="', "=", "a==;"],
    )
    def test_cookies_of_other_apps_do_no_harm(self, client: AsgiClient, other: str) -> None:
        """Cookies know no ports: those of every app on this host come along."""
        own = client.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
        for cookie in (f"{other}; {own}", f"{own};{other}", f"{other};  {own} ; {other}"):
            assert client.get("/api/services", headers={"cookie": cookie}).status_code == 200
        near = {"cookie": f"{other}; x{own}; {own}x"}
        assert client.get("/api/services", headers=near).status_code == 401

    @pytest.mark.parametrize("token", ["a&b=c", "50%+1 #x", "/?;é€", "A-Z_a~z.09"])
    def test_a_link_carries_any_token(self, begin: Callable[..., AsgiClient], token: str) -> None:
        """What has a meaning in an address has none in the token."""
        client = begin(token=token)
        for link in (
            Addresses(f"http://{HOST}", token).link,
            Running(f"http://{HOST}", token, "").link,
        ):
            assert link == f"http://{HOST}/?token={quote(token, safe='')}"
            assert client.get(link).status_code == 303

    def test_a_wrong_token_in_the_link_is_refused(self, client: AsgiClient) -> None:
        """And one in the link of anything but the page."""
        crowded = "/?" + "a=1&" * 20 + f"token={TOKEN}"
        for path in (
            crowded,
            "/?token=wrong",
            f"/?token={TOKEN}&token=x",
            f"/api/services?token={TOKEN}",
        ):
            assert client.get(path).status_code == 401

    def test_a_link_to_any_page_may_carry_the_token(self, client: AsgiClient) -> None:
        """The address that it leads to keeps the rest of its query."""
        answer = client.get(f"/traces/4bf92f35?attribute=a%3D1&token={TOKEN}&attribute=b%262")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/traces/4bf92f35?attribute=a%3D1&attribute=b%262"

    @pytest.mark.parametrize(
        "path", ["//evil.example", "/\\evil.example", "/a//b", "/assets/x.js", "/a.b", "/api"]
    )
    def test_a_link_leads_to_pages_alone(self, client: AsgiClient, path: str) -> None:
        """Never to another host, an asset or the API."""
        assert client.get(f"http://{HOST}{path}?token={TOKEN}").status_code == 401

    def test_a_link_on_another_site_opens_the_page_from_itself(self, client: AsgiClient) -> None:
        """A strict cookie comes with a navigation of our own page, not with a redirect."""
        foreign = {"sec-fetch-site": "cross-site"}
        answer = client.get(f'/logs?text="><b>&token={TOKEN}', headers=foreign)
        assert answer.status_code == 200
        assert 'content="0;url=/logs?text=%22%3E%3Cb%3E"' in answer.text
        assert "HttpOnly" in answer.headers["set-cookie"]
        without = client.get("/logs", headers=foreign)
        assert 'content="0;url=/logs"' in without.text
        assert "set-cookie" not in without.headers

    def test_a_page_asks_again_only_once(self, client: AsgiClient) -> None:
        """What our own page opens without the cookie is refused, as is a wrong token."""
        own, foreign = {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site"}
        assert client.get("/logs", headers=own).status_code == 401
        assert client.get("/logs?token=wrong", headers=foreign).status_code == 401

    @pytest.mark.parametrize(
        "headers",
        [
            {"host": f"evil.example:{PORT}"},
            {"host": "127.0.0.1:9999"},
            {"host": "127.0.0.1"},
            {"host": f"127.0.0.1.evil.example:{PORT}"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:9999"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ],
        ids=str,
    )
    def test_other_sites_pages_are_refused(
        self, client: AsgiClient, headers: dict[str, str]
    ) -> None:
        """By Host (a rebound name), Origin and Fetch Metadata, also with the token."""
        assert client.get("/api/services", headers=SHOWN | headers).status_code == 403

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
    def test_this_machine_is_served(self, client: AsgiClient, name: str) -> None:
        """By each of its names, with the page's own Origin."""
        headers = {"host": f"{name}:{PORT}", "origin": f"http://{name}:{PORT}"}
        assert client.get("/api/services", headers=SHOWN | headers).status_code == 200

    def test_a_public_one_takes_any_host_and_the_token(
        self, begin: Callable[..., AsgiClient]
    ) -> None:
        """Origin is compared with Host all the same."""
        client = begin(is_public=True)
        host = {"host": "box.example"}
        assert client.get("/api/services", headers=SHOWN | host).status_code == 200
        assert client.get("/api/services", headers=host).status_code == 401
        foreign = host | {"origin": "http://evil.example"}
        assert client.get("/api/services", headers=SHOWN | foreign).status_code == 403

    def test_an_empty_token_is_refused(self, begin: Callable[..., AsgiClient]) -> None:
        """It would let everybody in."""
        with pytest.raises(ValueError, match="token"):
            begin(token="")

    @pytest.mark.parametrize("headers", [SHOWN, {}])
    def test_every_answer_has_the_security_headers(
        self, client: AsgiClient, headers: dict[str, str]
    ) -> None:
        """No inline script, no frame, no guessing of types, nothing kept."""
        answer = client.get("/", headers=headers).headers
        assert "script-src 'self'" in answer["content-security-policy"]
        assert "unsafe-inline" not in answer["content-security-policy"]
        assert "frame-ancestors 'none'" in answer["content-security-policy"]
        assert answer["x-content-type-options"] == "nosniff"
        assert answer["cache-control"] == "no-store"


class TestApi:
    def test_traces_are_paged(self, client: AsgiClient, store: Store) -> None:
        """`next` is given back as `cursor`."""
        store.take(decode_spans(traces(5), 1))
        first = client.get("/api/traces?limit=3", headers=SHOWN).json()
        rest = client.get(f"/api/traces?limit=3&cursor={first['next']}", headers=SHOWN).json()
        assert (len(first["rows"]), len(rest["rows"]), rest["next"]) == (3, 2, "")
        trace_id = first["rows"][0]["trace_id"]
        assert len(client.get(f"/api/traces/{trace_id}", headers=SHOWN).json()["spans"]) == 3

    def test_every_question_has_an_answer(self, client: AsgiClient, store: Store) -> None:
        """JSON, also without parameters."""
        store.take(decode_spans(traces(2), 1))
        for question in api.QUESTIONS:
            if "{" not in question.path:
                answer = client.get(f"/api{question.path}", headers=SHOWN)
                assert answer.status_code == 200, question.path
                assert isinstance(answer.json()["rows"], list)

    @pytest.mark.parametrize(
        "asked",
        [
            "services?start=x",
            "services?start=nan",
            "services?start=2&end=1",
            "services?start=1&end=1e300",
            "services?start=0&end=999999999",
            "traces?cursor=x",
            "traces?cursor=99999999999999999999999.1",
            "traces?limit=1.5",
            "traces?limit=501",
            "traces?status=1000",
            "traces?attribute=x",
            "traces?least_ms=-1",
            "logs?trace_id=x",
            "logs?severity=25",
        ],
    )
    def test_a_bad_parameter_is_said(self, client: AsgiClient, asked: str) -> None:
        """As 400 with a sentence."""
        answer = client.get(f"/api/{asked}", headers=SHOWN)
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(".")

    def test_a_trace_that_is_not_there_is_a_404(self, client: AsgiClient) -> None:
        """Whatever stands in its place."""
        for trace_id in ("0" * 32, "x", "%27--"):
            assert client.get(f"/api/traces/{trace_id}", headers=SHOWN).status_code == 404

    def test_the_document_is_openapi(self, client: AsgiClient) -> None:
        """And has every path, with what it answers."""
        document = client.get("/api/openapi.json", headers=SHOWN).json()
        validate(document)
        assert len(document["paths"]) == len(api.QUESTIONS) + 3  # pipeline, alerts, live

    def test_markup_is_answered_as_json(self, client: AsgiClient, store: Store) -> None:
        """Never as a type that a browser would draw."""
        store.take(decode_spans(traces(1, text="<script>alert(1)</script>"), 1))
        answer = client.get("/api/traces", headers=SHOWN)
        assert answer.headers["content-type"] == "application/json"
        assert "<script>" in json.loads(answer.text)["rows"][0]["name"]


class TestPages:
    @pytest.fixture
    def pages(self, tmp_path: Path) -> Path:
        """A built folder: one asset that lies there compressed, one that does not."""
        pages = tmp_path / "pages"
        (pages / "assets").mkdir(parents=True)
        (pages / "index.html").write_text("built")
        for name in ("app-1a.js", "app-1a.js.gz", "app-1a.js.br", "icon-2b.svg"):
            (pages / "assets" / name).write_text(name)
        return pages

    @pytest.fixture
    def served(self, begin: Callable[..., AsgiClient], pages: Path) -> AsgiClient:
        return begin(pages=pages)

    def test_without_pages_it_says_how_to_build_them(self, client: AsgiClient) -> None:
        """On every page's address, and leads to the API."""
        for path in ("/", "/traces"):
            page = client.get(path, headers=SHOWN)
            assert page.status_code == 200
            assert "make dashboard" in page.text
            assert "/api/openapi.json" in page.text

    @pytest.mark.parametrize("path", ["/", "/traces", "/traces/4bf92f35", "/nowhere"])
    def test_each_address_of_a_page_gives_the_index(self, served: AsgiClient, path: str) -> None:
        """Asked again each time: the routes are the browser's, the assets this version's."""
        answer = served.get(path, headers=SHOWN)
        assert (answer.status_code, answer.text) == (200, "built")
        assert answer.headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        "path",
        [
            "/assets/../index.html",
            "/assets/%2e%2e/index.html",
            "/assets/%2e%2e%2findex.html",
            "/assets/",
            "/assets/nothing.js",
            "/index.html.bak",
            "/api/nothing",
        ],
    )
    def test_nothing_else_is_there(self, served: AsgiClient, path: str) -> None:
        """No file outside the assets, and no page in place of one that is missing."""
        assert served.get(path, headers=SHOWN).status_code == 404

    @pytest.mark.parametrize(
        ("accepted", "encoding", "file"),
        [
            ("gzip, deflate, br", "br", "app-1a.js.br"),
            ("gzip;q=1.0, br;q=0", "gzip", "app-1a.js.gz"),
            ("identity", None, "app-1a.js"),
        ],
    )
    def test_an_asset_is_sent_as_it_lies_compressed(
        self, served: AsgiClient, accepted: str, encoding: str | None, file: str
    ) -> None:
        """By Accept-Encoding, of its own type, for ever."""
        headers = SHOWN | {"accept-encoding": accepted}
        answer = served.raw("/assets/app-1a.js", headers=headers)
        assert (answer[0].get("content-encoding"), answer[1]) == (encoding, file.encode())
        assert answer[0]["content-type"].startswith("text/javascript")
        assert answer[0]["vary"] == "accept-encoding"
        assert "immutable" in answer[0]["cache-control"]

    def test_an_asset_that_is_not_compressed_is_sent_plain(self, served: AsgiClient) -> None:
        """Images have nothing to gain."""
        answer = served.get("/assets/icon-2b.svg", headers=SHOWN)
        assert (answer.text, answer.headers["content-type"]) == ("icon-2b.svg", "image/svg+xml")
