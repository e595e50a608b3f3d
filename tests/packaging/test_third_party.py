"""What is shipped of others is named, licensed and audited."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import not_tested
from tools import audit
from tools.third_party import __main__ as third_party
from tools.third_party import notices, parts, sbom
from tools.third_party.parts import ROOT, MissingError, NotAllowedError, Part


def test_the_bill_of_materials_is_cyclonedx() -> None:
    """By CycloneDX's own schema; one that is wrong would be seen."""
    text = (ROOT / "sbom.cdx.json").read_text()
    assert sbom.errors(text) == ""
    wrong = json.loads(text)
    wrong["components"][0]["type"] = "thing"
    assert "thing" in sbom.errors(json.dumps(wrong))


def test_the_bill_names_every_shipped_crate_and_package() -> None:
    """Those of the lock files that are linked or bundled, and what an install asks for."""
    document = json.loads((ROOT / "sbom.cdx.json").read_text())
    purls = {component["purl"] for component in document["components"]}
    for name in ("cargo/pyo3", "cargo/ring", "npm/react", "npm/uplot", "pypi/opentelemetry-api"):
        assert any(purl.startswith(f"pkg:{name}@") for purl in purls)
    # Not what only tests and builds need.
    assert not any(purl.startswith(("pkg:cargo/rcgen", "pkg:npm/vitest")) for purl in purls)
    for row in document["dependencies"]:
        assert {row["ref"], *row["dependsOn"]} <= purls | {
            document["metadata"]["component"]["purl"]
        }


def test_generated_files_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    """The lock files have not moved on without them."""
    assert third_party.main(["--check"]) == 0
    said = capsys.readouterr().err
    if said:
        not_tested(said.strip(), "that the notices are those of the lock files")


def test_a_licence_that_is_not_on_the_list_is_refused() -> None:
    """Also one of two that both hold, and a part without any; of a choice one is enough."""
    for licence in ("GPL-3.0-only", "MIT AND GPL-3.0-only", ""):
        with pytest.raises(NotAllowedError, match="not on the list"):
            parts._allowed(Part("cargo", "x", "1", licence))
    assert parts._allowed(Part("cargo", "x", "1", "GPL-3.0-only OR MIT"))


def test_each_text_is_shipped_once_with_all_its_parts(tmp_path: Path) -> None:
    """And a part without a licence file is an error, not a gap."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE-MIT").write_text("Copyright its authors")
        (tmp_path / name / "LICENSE-APACHE").write_text("Apache")
    of = [
        Part("cargo", name, "1.0", "MIT OR Apache-2.0", tmp_path / name) for name in ("one", "two")
    ]
    text = notices.notices(of)
    assert text.count("Copyright its authors") == 1
    assert "one 1.0 (crate)\ntwo 1.0 (crate)" in text
    (tmp_path / "none").mkdir()
    with pytest.raises(MissingError, match="no licence file"):
        notices.notices([Part("cargo", "none", "1.0", "MIT", tmp_path / "none")])


@pytest.fixture
def osv() -> Iterator[str]:
    """A vulnerability service that knows one of starlette; yields its address."""
    about = {"id": "TEST-2026-1", "modified": "2026-01-01T00:00:00Z"}
    affected = {"package": {"name": "starlette", "ecosystem": "PyPI"}}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            self._answer(
                {
                    "results": [
                        {"vulns": [about]} if query["package"]["name"] == "starlette" else {}
                        for query in asked
                    ]
                }
            )

        def do_GET(self) -> None:
            self._answer({**about, "summary": "made up", "affected": [affected]})

        def _answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def of_uv_lock(*more: str) -> audit.Client:
    """The client of uv.lock, with further options."""
    client = next(client for client in audit.clients() if client.lock == "uv.lock")
    return audit.Client(client.lock, (*client.command, *more), client.read)


def test_a_known_vulnerability_is_found_by_name(osv: str) -> None:
    """The real uv asks a service that knows one."""
    outcome = of_uv_lock("--service-url", osv).ask()
    assert outcome.unasked == ""
    (found,) = outcome.found
    assert found.startswith("starlette ")
    assert "(TEST-2026-1)" in found
    assert "1 vulnerable" in outcome.sentence()


def test_a_service_that_is_not_reached_is_said_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As offline; and a client that is not installed."""
    nobody = of_uv_lock("--service-url", "http://127.0.0.1:1/")
    absent = audit.Client("native/Cargo.lock", ("no-such-program",), audit.of_cargo)
    monkeypatch.setattr(audit, "clients", lambda: [nobody, absent])
    assert audit.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["uv.lock", "native/Cargo.lock"]
    assert all("not audited" in line for line in said)


def test_what_npm_and_cargo_report_is_read() -> None:
    """The documented forms of their JSON: there is no registry here that audits."""
    npm = {"vulnerabilities": {"tar": {"range": "<6.2.1", "severity": "high"}}}
    assert audit.of_npm(npm) == ["tar (<6.2.1)"]
    row = {"package": {"name": "h2", "version": "0.3.0"}, "advisory": {"id": "RUSTSEC-2024-0003"}}
    assert audit.of_cargo({"vulnerabilities": {"list": [row]}}) == ["h2 0.3.0 (RUSTSEC-2024-0003)"]
