"""Two hundred secrets, and the requests that carry them into a service.

All values are made here, the same at each run: none was ever in use.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

OF_EACH_KIND = 8
_ALPHANUMERIC = string.ascii_letters + string.digits
_FIRST = ("ann", "bela", "chidi", "dana", "eero", "farah", "goran", "hanna", "ivo", "jun")
_LAST = ("keller", "lindt", "moreau", "novak", "okafor", "petit", "quist", "rossi", "sato", "tran")


@dataclass
class Request:
    """One request; `secrets` are the texts that must not be found afterwards."""

    secrets: list[str]
    method: str = "POST"
    path: str = "/echo"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Maker:
    """Values of each shape, from one seed."""

    def __init__(self) -> None:
        self._random = random.Random(20_261_125)

    def text(self, length: int, alphabet: str = _ALPHANUMERIC) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def password(self) -> str:
        # A letter first and a digit last, as a person would choose.
        return f"{self.text(1, string.ascii_letters)}{self.text(9)}-{self.text(2, string.digits)}"

    def card(self) -> str:
        digits = "4" + self.text(14, string.digits)
        for last in string.digits:
            if _luhn(digits + last):
                return digits + last
        raise AssertionError("one last digit always fits")

    def ssn(self) -> str:
        area = self._random.choice([100, 219, 321, 457, 574, 680, 733, 801])
        return f"{area}-{self._random.randint(10, 99)}-{self._random.randint(1000, 9999)}"

    def iban(self) -> str:
        account = self.text(18, string.digits)
        check = 98 - int(account + "131400") % 97  # DE00 as digits, moved to the end
        return f"DE{check:02d}{account}"

    def email(self) -> str:
        first, last = self._random.choice(_FIRST), self._random.choice(_LAST)
        return f"{first}.{last}{self.text(2, string.digits)}@clinic.example"

    def phone(self) -> str:
        return f"+49 171 {self.text(7, '23456789')}"

    def jwt(self) -> str:
        head = _unpadded(b'{"alg":"HS256","typ":"JWT"}')
        claims = _unpadded(json.dumps({"sub": self.text(12)}).encode())
        return f"{head}.{claims}.{self.text(43)}"


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _json(content: object) -> Callable[[], dict[str, object]]:
    return lambda: {
        "headers": {"content-type": "application/json"},
        "body": json.dumps(content).encode(),
    }


def _form(text: str) -> dict[str, object]:
    return {
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "body": text.encode(),
    }


def _kinds(make: _Maker) -> Iterator[Request]:
    """One request of each kind."""
    bearer = make.text(40)
    yield Request([bearer], headers={"authorization": f"Bearer {bearer}"})
    password = make.password()
    basic = base64.b64encode(f"nurse:{password}".encode()).decode()
    yield Request([basic, password], headers={"authorization": f"Basic {basic}"})
    key = make.text(32)
    yield Request([key], headers={"x-api-key": key})
    session = make.text(32, string.hexdigits.lower())
    yield Request([session], headers={"cookie": f"theme=dark; session={session}"})
    token = make.text(24)
    yield Request([token], path=f"/echo?page=2&access_token={token}")
    email = make.email()
    yield Request([quote(email, safe=""), email], path=f"/echo?contact={quote(email, safe='')}")
    password = make.password()
    yield Request([password], **_json({"login": {"user": "x", "password": password}})())  # type: ignore[arg-type]
    secret = make.text(28)
    yield Request([secret], **_json([{"client_secret": secret, "grant": "code"}])())  # type: ignore[arg-type]
    refresh = make.text(36)
    yield Request([refresh], **_json({"refresh_token": refresh, "expires_in": 3600})())  # type: ignore[arg-type]
    card = make.card()
    yield Request([card], **_json({"note": f"paid with {card} at the desk"})())  # type: ignore[arg-type]
    ssn = make.ssn()
    yield Request([ssn], **_json({"note": f"patient {ssn} admitted"})())  # type: ignore[arg-type]
    iban = make.iban()
    yield Request([iban], **_json({"refund": f"to {iban}"})())  # type: ignore[arg-type]
    email = make.email()
    yield Request([email], **_json({"guardians": [{"contact": email}]})())  # type: ignore[arg-type]
    phone = make.phone()
    yield Request([phone], **_json({"note": f"call {phone} after six"})())  # type: ignore[arg-type]
    jwt = make.jwt()
    yield Request([jwt], headers={"x-forwarded-access-token": jwt})
    password = make.password()
    yield Request([password], **_form(f"user=ann&password={password}&remember=1"))  # type: ignore[arg-type]
    key = make.text(40, _ALPHANUMERIC + "/+")
    body = f"aws_access_key_id=AKIA{make.text(16, string.ascii_uppercase + '234567')}\n"
    yield Request(
        [key, body.split("=")[1].strip()], body=f"{body}aws_secret_access_key={key}\n".encode()
    )
    token = "ghp_" + make.text(36)
    yield Request([token], body=f"cloned with {token} yesterday".encode())
    password = make.password()
    yield Request(
        [password], path="/fail", body=f"postgres://pat:{password}@db.example/pat".encode()
    )
    email = make.email()
    yield Request([email], method="GET", path=f"/patients/{email}")
    password = make.password()
    yield Request([password], **_json({"auth": {"user": "ann", "password": password}})())  # type: ignore[arg-type]
    password = make.text(14, string.ascii_lowercase)
    yield Request([password], **_json({"user": "ann", "password": password})())  # type: ignore[arg-type]
    token = make.text(20)
    item = {"id": {"S": "p-17"}, "sessionToken": {"S": token}}
    yield Request([token], **_json({"TableName": "patients", "Item": item})())  # type: ignore[arg-type]
    password = make.password()
    part = 'content-disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    parts = "".join(f"--part\r\n{part.format(*of)}" for of in (("a", "b"), ("password", password)))
    yield Request(
        [password],
        headers={"content-type": "multipart/form-data; boundary=part"},
        body=f"{parts}--part--\r\n".encode(),
    )
    token = make.text(30)
    yield Request([token], **_form(f"grant=code&api_key={token}&api_key={token}"))  # type: ignore[arg-type]


def requests() -> list[Request]:
    """Eight requests of each of the 25 kinds."""
    make = _Maker()
    return [request for _ in range(OF_EACH_KIND) for request in _kinds(make)]


def secrets() -> list[str]:
    """Every text that must not be found; some secrets have two forms."""
    return [secret for request in requests() for secret in request.secrets]
