"""What a setting's value may look like, and how text becomes a value.

A kind turns the text of an environment variable into a typed value
(`from_text`) and checks a value given in Python (`from_value`). Both raise
ValueError with the second half of a sentence ("is not …"); the caller knows the
setting's name and puts it in front. Parsing follows the OpenTelemetry
specification, "Environment Variable Specification", section Configuration types.

Only builtins are used here: this module is imported at the start of every
process (`re`, `typing` and `urllib.parse` together cost 16 ms).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Kind:
    """One sort of value: what it is called, how it is read, which Python types it accepts."""

    __slots__ = ("_check", "_parse", "choices", "expects", "types")

    def __init__(
        self,
        expects: str,
        parse: Callable[[str], object],
        types: tuple[type, ...],
        check: Callable[[object], bool] | None = None,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.expects = expects
        self.types = types
        self.choices = choices
        self._parse = parse
        self._check = check

    def from_text(self, text: str) -> object:
        """Return the value that `text` stands for; raise ValueError with a reason."""
        try:
            value = self._parse(text.strip())
        except ValueError as error:
            raise ValueError(_reason(error) or f"is not {self.expects}") from None
        if self._check is not None and not self._check(value):
            raise ValueError(f"is not {self.expects}")
        return value

    def from_value(self, value: object) -> object:
        """Return `value` checked (text is parsed); raise TypeError or ValueError with a reason."""
        if isinstance(value, str):
            return self.from_text(value)
        # bool is an int in Python; a timeout of True is a mistake, not 1 ms.
        if not isinstance(value, self.types) or (
            isinstance(value, bool) and bool not in self.types
        ):
            raise TypeError(f"is not {self.expects}")
        if isinstance(value, list):
            value = tuple(value)
        if self._check is not None and not self._check(value):
            raise ValueError(f"is not {self.expects}")
        return value


class _ReasonError(ValueError):
    """A ValueError whose text is a reason written here, not by Python's own parsers."""


def _reason(error: ValueError) -> str:
    return str(error) if isinstance(error, _ReasonError) else ""


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError
    return lowered == "true"


def _integer(text: str) -> int:
    # int() also takes "1_000" and other scripts' digits; no other SDK reads those.
    if not (text.isascii() and text.lstrip("+-").isdigit()):
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if "_" in text:
        raise ValueError
    return float(text)


_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
RATE_UNITS = {period_s: unit for unit, period_s in _PERIODS_S.items()}


def _rate(text: str) -> tuple[int, float]:
    count, slash, unit = text.lower().partition("/")
    if not slash or unit not in _PERIODS_S:
        raise ValueError
    return _integer(count), _PERIODS_S[unit]


def _is_rate(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], int)
        and value[0] >= 1
        and value[1] in _PERIODS_S.values()
    )


def _list(text: str) -> tuple[str, ...]:
    # Deduplicated, first one wins: the specification asks it of OTEL_PROPAGATORS.
    return tuple(dict.fromkeys(item for part in text.split(",") if (item := part.strip())))


def _lowered_list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.lower() for item in _list(text)))


def why_no_host(entry: str) -> str:
    """Return why no host's name or address is ever like `entry`; empty where one may be.

    Names are compared without a port, a `*` stands at the front alone (`correlation.hosts`),
    and an IPv6 address has no brackets there.
    """
    name = entry.removeprefix("*")
    if any(c in "/@?#" for c in name):
        return "which is an address, and a host's name alone is compared"
    if "*" in name:
        return "and * stands for something at the front alone, as in *.example.com"
    if name.startswith("[") or (":" in name and not _is_ipv6(name)):
        return "and hosts are compared without a port, IPv6 addresses without brackets"
    if name.startswith(".") and name == entry:
        return f"which no host is called (write *{entry} for all below it)"
    if any(c <= " " or c in ";|\"'\\" for c in name):
        return "which holds a character that no host's name has; hosts are separated by commas"
    return ""


def _is_ipv6(name: str) -> bool:
    address = name.partition("%")[0]
    return address.count(":") > 1 and all(c in "0123456789abcdef:." for c in address.lower())


def _at_least(lowest: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and lowest <= value < 2**63


def _finite_at_least_zero(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < float("inf")


def percent_decode(text: str) -> str:
    """Decode %XX sequences as UTF-8; raise ValueError where they are not."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    decoded = bytearray(first, "utf-8")
    for part in rest:
        if len(part) < 2 or not all(digit in "0123456789abcdefABCDEF" for digit in part[:2]):
            raise _ReasonError("holds a % that is not followed by two hexadecimal digits")
        decoded.append(int(part[:2], 16))
        decoded += part[2:].encode()
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        raise _ReasonError("holds percent-encoded bytes that are not UTF-8") from None


def _pairs(text: str) -> dict[str, str]:
    """Read `key=value,key2=value2`, both sides percent-encoded (W3C Baggage without metadata).

    One malformed pair discards the whole variable, as the specification's Resource
    SDK asks: half of a resource, or half of the credentials, is worse than none.
    """
    pairs = {}
    for part in text.split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        key = percent_decode(key.strip())
        if not equals or not key:
            raise ValueError
        pairs[key] = percent_decode(value.strip())
    return pairs


def _headers(text: str) -> dict[str, str]:
    headers = {key.lower(): value for key, value in _pairs(text).items()}
    for key, value in headers.items():
        if not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in key):
            raise _ReasonError("holds a header name with a character that HTTP does not allow")
        if not all(c == "\t" or " " <= c != "\x7f" for c in value):
            raise _ReasonError("holds a header value with a control character")
    return headers


def enum(*choices: str) -> Kind:
    """One of `choices`, in any case."""
    known = ", ".join(choices)
    return Kind(f"one of {known}", str.lower, (), lambda value: value in choices, choices)


STRING = Kind("text", str, ())
BOOLEAN = Kind("true or false", _boolean, (bool,))
COUNT = Kind("a whole number, 0 or more", _integer, (int,), _at_least(0))
POSITIVE_COUNT = Kind("a whole number, 1 or more", _integer, (int,), _at_least(1))
MILLISECONDS = Kind("a whole number of milliseconds, 0 or more", _integer, (int,), _at_least(0))
BYTES = Kind("a whole number of bytes, 1 or more", _integer, (int,), _at_least(1))
SECONDS = Kind("a number of seconds, 0 or more", _number, (int, float), _finite_at_least_zero)
PERCENT = Kind(
    "a percentage from 0 to 100, or off",
    lambda text: 0.0 if text.lower() == "off" else _number(text),
    (int, float),
    lambda value: isinstance(value, int | float) and 0 <= value <= 100,
)
RATIO = Kind(
    "a number from 0 to 1",
    _number,
    (int, float),
    lambda value: isinstance(value, int | float) and 0 <= value <= 1,
)
RATE = Kind("a rate such as 100/s, 1000/m or 5000/h", _rate, (tuple, list), _is_rate)
PORT = Kind(
    "a port from 1 to 65535",
    _integer,
    (int,),
    lambda value: isinstance(value, int) and 1 <= value <= 65535,
)
LIST = Kind("a comma-separated list", _list, (tuple, list))
NAMES = Kind("a comma-separated list of names", _lowered_list, (tuple, list))
PAIRS = Kind("a list of key=value pairs separated by commas", _pairs, (dict,))
HEADERS = Kind("a list of name=value pairs separated by commas", _headers, (dict,))
HEADER_NAME = Kind(
    "a name of an HTTP header",
    str,
    (),
    lambda value: (
        isinstance(value, str)
        and 0 < len(value) <= 64
        and all(c.isascii() and (c.isalnum() or c == "-") for c in value)
    ),
)
