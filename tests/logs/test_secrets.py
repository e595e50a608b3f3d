"""The development middleware: an app that logs every header, body and exception."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.process import LOOPBACK, Process, wait_until
from tests.logs.conftest import ENGINES, environment
from tests.logs.test_servers import Service

# What is seeded, each value made up and found nowhere else.
HEADERS = {
    "Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJxdXh6In0.c2lnbmF0dXJlLXNlY3JldC1xdXh6",
    "Proxy-Authorization": "Basic " + base64.b64encode(b"quentin:pelican-quarry").decode(),
    "Cookie": "sessionid=quasar81jdk29x; csrftoken=Zeppelin77aa01bb",
    "X-Api-Key": "live-key-93hf83hKqq01",
    "X-Auth-Token": "tok-Quicksilver-8841",
}
BODY = {
    "username": "quentin",
    "password": "correct-horse-quarry",
    "new_password": 'it\'s a "quoted" quarry',
    "client_secret": "cs-Quixotic-11223",
    "refresh_token": "rt-Quagmire-99x8",
    "email": "quentin.quarry@mail.example.net",
    "card": "4111 1111 1111 1111",
    "ssn": "219-09-9999",
    "iban": "DE89 3704 0044 0532 0130 00",
    "aws": "AKIAQUARRY7QUARRY7QA",
    "github": "ghp_" + "Qx7TzR4mK9bW2vN8cLpJ5hY3dFgS6aQuArRy",
    "dsn": "postgresql://svc:pgQuarryPw@db/shop",
    "nested": {"deep": [{"api_key": "nested-Quarry-key-5"}]},
}
QUERY = {"access_token": "at-Quokka-55443", "page": "2"}
SECRETS = [
    "eyJhbGciOiJIUzI1NiJ9",
    "c2lnbmF0dXJlLXNlY3JldC1xdXh6",
    HEADERS["Proxy-Authorization"].removeprefix("Basic "),
    "pelican-quarry",
    "quasar81jdk29x",
    "Zeppelin77aa01bb",
    "live-key-93hf83hKqq01",
    "tok-Quicksilver-8841",
    "correct-horse-quarry",
    "quirky",
    "cs-Quixotic-11223",
    "rt-Quagmire-99x8",
    "quentin.quarry@mail.example.net",
    "4111 1111 1111 1111",
    "219-09-9999",
    "DE89 3704",
    "AKIAQUARRY7QUARRY7QA",
    "ghp_Qx7TzR4",
    "pgQuarryPw",
    "nested-Quarry-key-5",
    "at-Quokka-55443",
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
@pytest.mark.parametrize("json_logs", ["true", "false"])
def test_no_seeded_secret_is_in_the_log(
    server: str,
    engine: str,
    json_logs: str,
    run_process: Callable[..., Process],
    tmp_path: Path,
) -> None:
    """Messages, arguments, extras, exceptions and stack traces of all libraries are masked."""
    env = environment(engine, tmp_path) | {"JSON_LOGS": json_logs}
    service = Service(run_process, server, env, "tests.logs.app:debug_app")
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{service.port}/login?{urllib.parse.urlencode(QUERY)}",
        data=json.dumps(BODY).encode(),
        headers={"Content-Type": "application/json", **HEADERS},
    )
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(request)
    process = service.process
    wait_until(lambda: "Exception in ASGI application" in process.stderr, "the server's own line")
    written = process.stdout + process.stderr
    assert written.count("cannot log in with") >= 3
    leaked = [secret for secret in SECRETS if secret in written]
    assert not leaked, leaked
