"""Who is told of alerts, on this machine: an HTTP and an SMTP server that keep what comes."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.backends.process import LOOPBACK


@dataclass
class Posted:
    """One request: its path and what its JSON holds."""

    path: str
    content: dict[str, Any]
    at_s: float = field(default_factory=time.monotonic)


class _Server:
    """A server in a thread of its own."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]  # type: ignore[index, assignment]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class HttpReceiver(_Server):
    """Takes what Slack and PagerDuty take."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posted.append(Posted(self.path, json.loads(body)))
                is_page = self.path.endswith("/enqueue")
                answer = b'{"status": "success", "dedup_key": "x"}' if is_page else b"ok"
                self.send_response(202 if is_page else 200)
                self.send_header("content-type", "application/json" if is_page else "text/html")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(ThreadingHTTPServer((LOOPBACK, 0), Handler))

    def url(self, path: str) -> str:
        """The address of a path of it."""
        return f"http://{LOOPBACK}:{self.port}{path}"

    def about(self, path: str, holds: Callable[[dict[str, Any]], bool]) -> list[Posted]:
        """Those to a path whose content is wanted."""
        return [one for one in self.posted if one.path == path and holds(one.content)]


class SmtpReceiver(_Server):
    """Takes mails of one user, who logs in with AUTH PLAIN; without TLS, on loopback alone."""

    def __init__(self, user: str, password: str) -> None:
        self.mails: list[EmailMessage] = []
        receiver = self
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                self.say("220 receiver")
                is_known = False
                while line := self.rfile.readline().decode().strip():
                    word = line.partition(" ")[0].upper()
                    if word == "EHLO":
                        self.say("250-receiver\r\n250 AUTH PLAIN")
                    elif word == "AUTH":
                        is_known = line == f"AUTH PLAIN {token}"
                        self.say("235 welcome" if is_known else "535 who?")
                    elif not is_known and word != "QUIT":
                        self.say("530 log in first")
                    elif word == "DATA":
                        self.say("354 go on")
                        lines = []
                        while (text := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(text.removeprefix(b"."))
                        message = email.message_from_bytes(
                            b"".join(lines), policy=email.policy.default
                        )
                        assert isinstance(message, EmailMessage)
                        receiver.mails.append(message)
                        self.say("250 kept")
                    elif word == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def about(self, text: str) -> list[EmailMessage]:
        """Those whose subject holds the text."""
        return [mail for mail in self.mails if text in str(mail["Subject"])]
