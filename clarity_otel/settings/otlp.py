"""Where and how OTLP is sent: the exporter's variables turned into one plain dict.

Rules: OpenTelemetry specification, "OpenTelemetry Protocol Exporter". On top of
them, port 4317 means gRPC where no protocol is set (most deployments still name
that port), and JAEGER_ENDPOINT stands in where no OTLP endpoint is set.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypedDict

    class ExporterConfig(TypedDict):
        """What an OTLP exporter needs; `endpoint` is a complete URL, the path included."""

        protocol: str
        endpoint: str
        headers: dict[str, str]
        timeout_ms: int
        gzip: bool
        ca_file: str | None
        client_cert: str | None
        client_key: str | None
        insecure: bool


# A timeout of 0 is "no limit" (specification, Timeout): the longest that 32 bits hold.
NO_LIMIT_MS = 2**31 - 1


class Endpoint:
    """An address in its parts. `scheme` is empty where the text had none."""

    __slots__ = ("authority", "host", "path", "port", "scheme", "userinfo")

    def __init__(self, scheme: str, userinfo: str, host: str, port: int | None, path: str) -> None:
        self.scheme = scheme
        self.userinfo = userinfo
        self.host = host
        self.port = port
        self.path = path
        self.authority = host if port is None else f"{host}:{port}"


def parse_endpoint(text: str) -> Endpoint:
    """Split an address; raise ValueError with the second half of a sentence.

    The query stays in the path. `urllib.parse` would do most of this for 16 ms of
    imports, in every process.
    """
    text = text.strip()
    if any(c <= " " or c == "\x7f" for c in text):
        raise ValueError("holds a space or a control character")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    scheme = scheme.lower()
    if scheme not in ("", "http", "https"):
        raise ValueError(f"begins with {scheme}:// where http:// or https:// is needed")
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:].partition("#")[0]
    userinfo, _, hostport = authority.rpartition("@")
    host, port = hostport, ""
    if hostport.startswith("["):
        host, bracket, port = hostport.partition("]")
        host += bracket
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("has a bracket that is not closed")
        port = port[1:]
    elif ":" in hostport:
        host, _, port = hostport.rpartition(":")
    if not host or (":" in host and not host.startswith("[")):
        raise ValueError("has no host; write http://HOST:PORT")
    if not port:
        return Endpoint(scheme, userinfo, host, None, path)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        # What is no number may be the begin of a password with a `/` in it.
        shown = f"the port {port}, which" if port.isascii() and port.isdigit() else "a port that"
        raise ValueError(f"has {shown} is not a number from 1 to 65535")
    return Endpoint(scheme, userinfo, host, int(port), path)


def check_endpoint(text: str, protocol: str | None) -> None:
    """Raise ValueError with a reason where `text` cannot be sent to over `protocol`."""
    endpoint = parse_endpoint(text)
    if not endpoint.scheme and (protocol or _protocol_of(endpoint)) != "grpc":
        address = without_userinfo(text.strip().removeprefix("://"))
        raise ValueError(f"has no scheme; write http://{address}")


def resolve(
    signal: str,
    values: Mapping[str, object],
    warn: Callable[[str], None],
    note: Callable[[str], None],
) -> ExporterConfig:
    """Return the exporter's configuration for `signal` (traces, metrics or logs).

    `values` holds the parsed variables by name. What is wrong is said through
    `warn` and replaced by the default; what may surprise is said through `note`.
    """
    infix = f"{signal.upper()}_"

    def option(name: str) -> object:
        specific = values.get(f"OTEL_EXPORTER_OTLP_{infix}{name}")
        return specific if specific is not None else values.get(f"OTEL_EXPORTER_OTLP_{name}")

    protocol = option("PROTOCOL")
    endpoint, as_it_is = _endpoint(signal, values, protocol, warn, note)
    if protocol is None:
        protocol = "http/protobuf" if endpoint is None else _protocol_of(endpoint)
    if endpoint is None:
        endpoint = Endpoint("http", "", "localhost", 4317 if protocol == "grpc" else 4318, "")
        as_it_is = False

    headers = dict(option("HEADERS") or {})  # type: ignore[call-overload]
    if endpoint.userinfo and "authorization" not in headers:
        headers["authorization"] = _basic(endpoint.userinfo)
    scheme = endpoint.scheme or ("http" if option("INSECURE") else "https")
    if protocol == "grpc":
        path = ""
    elif as_it_is:
        path = endpoint.path if endpoint.path.startswith("/") else f"/{endpoint.path}"
    else:
        path = f"{endpoint.path.rstrip('/')}/v1/{signal}"
    return {
        "protocol": str(protocol),
        "endpoint": f"{scheme}://{endpoint.authority}{path}",
        "headers": headers,
        "timeout_ms": int(option("TIMEOUT") or NO_LIMIT_MS),  # type: ignore[call-overload]
        "gzip": option("COMPRESSION") == "gzip",
        "ca_file": _text(option("CERTIFICATE")),
        "client_cert": _text(option("CLIENT_CERTIFICATE")),
        "client_key": _text(option("CLIENT_KEY")),
        "insecure": scheme == "http",
    }


def _endpoint(
    signal: str,
    values: Mapping[str, object],
    protocol: object,
    warn: Callable[[str], None],
    note: Callable[[str], None],
) -> tuple[Endpoint | None, bool]:
    """Return the endpoint that counts, and whether its path is used as it is."""
    for name, as_it_is in (
        (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", True),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", False),
    ):
        text = values.get(name)
        if text is None:
            continue
        try:
            check_endpoint(str(text), _text(protocol))
        except ValueError as error:
            warn(f"{name}={without_userinfo(str(text))} {error}; the default is used.")
            continue
        if values.get("JAEGER_ENDPOINT") and signal == "traces":
            note(f"JAEGER_ENDPOINT is not used, because {name} is set.")
        return parse_endpoint(str(text)), as_it_is
    jaeger = values.get("JAEGER_ENDPOINT")
    if jaeger is None or signal != "traces":
        return None, False
    return _jaeger(str(jaeger), warn, note)


def _jaeger(
    text: str, warn: Callable[[str], None], note: Callable[[str], None]
) -> tuple[Endpoint | None, bool]:
    try:
        given = parse_endpoint(text)
    except ValueError as error:
        warn(f"JAEGER_ENDPOINT={without_userinfo(text)} {error}; the default is used.")
        return None, False
    if given.port in (4317, 4318) or given.path.endswith("/v1/traces"):
        scheme = given.scheme or "http"
        as_it_is = given.path not in ("", "/")
        return Endpoint(scheme, given.userinfo, given.host, given.port, given.path), as_it_is
    otlp = Endpoint(given.scheme or "http", given.userinfo, given.host, 4318, "")
    note(
        f"JAEGER_ENDPOINT={without_userinfo(text)} is Jaeger's older interface; spans go to the "
        f"same host over OTLP, to {otlp.scheme}://{otlp.authority}/v1/traces."
    )
    return otlp, False


def without_userinfo(text: str) -> str:
    """Return an address without the credentials that it may hold.

    A password that was not encoded may hold `/` and `?`: all before the last `@` goes.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"


def _protocol_of(endpoint: Endpoint) -> str:
    return "grpc" if endpoint.port == 4317 else "http/protobuf"


def _basic(userinfo: str) -> str:
    from binascii import b2a_base64

    from clarity_otel.settings.kinds import percent_decode

    try:
        decoded = percent_decode(userinfo)
    except ValueError:
        decoded = userinfo  # a lone % in a password is itself
    return f"Basic {b2a_base64(decoded.encode(), newline=False).decode()}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
