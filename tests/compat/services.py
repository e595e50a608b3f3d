"""The real servers that a suite's tests ask for: Redis in the shapes of redis-py's fixtures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.redis_server import RedisCluster, RedisServer, ask, redis_binary
from tests.backends.tls import make_certificates

Places = dict[str, object]

# What redis-py's tests call the service that the sentinels watch.
MASTER = "redis-py-test"
SENTINELS = 3
# As redis-py's tests look for them, below a folder for each kind of server.
_KINDS = ("standalone", "cluster")
_AUTHORITY, _SERVER, _CLIENTS = "ca.crt", "redis", ("client", "test_user")
# As the servers of redis-py's CI have it: tests ask a server for errors by DEBUG.
_DEBUG = ("--enable-debug-command", "yes")
_lock = Lock()
_certified: set[Path] = set()


@contextmanager
def service(name: str | None, scratch: Path, tests: Path) -> Iterator[Places]:
    """What a suite's row calls its service, running, and the words of its arguments for it.

    `tests` is the folder of the unpacked suite: certificates go where its tests read them.
    """
    with ExitStack() as stack:
        yield _SERVICES[name](stack, scratch, tests) if name else {}


def _standalone(stack: ExitStack, scratch: Path, tests: Path) -> Places:
    """A server with a port for TLS, a replica of it, and three sentinels that watch it."""
    tls_port = free_port()
    server = RedisServer(scratch / "server", *_DEBUG, *_tls(tests, tls_port))
    stack.callback(server.stop)
    replica = RedisServer(scratch / "replica", "--replicaof", LOOPBACK, str(server.port))
    stack.callback(replica.stop)
    ports = [_sentinel(stack, scratch / f"sentinel-{n}", server.port) for n in range(SENTINELS)]
    for port in ports:
        wait_until(lambda port=port: _sees_all(port), "the sentinels know each other", 60)
    return {
        "redis_port": server.port,
        "redis_tls_port": tls_port,
        "sentinels": ",".join(f"localhost:{port}" for port in ports),
    }


def _sees_all(port: int) -> bool:
    return ask(port, f"SENTINEL CKQUORUM {MASTER}").startswith(f"+OK {SENTINELS} usable")


def _sentinel(stack: ExitStack, folder: Path, master: int) -> int:
    port = free_port()
    folder.mkdir(parents=True)
    file = folder / "sentinel.conf"
    # Tests stop the master for seconds: nobody else is to become it.
    file.write_text(
        f"bind {LOOPBACK}\nport {port}\ndir {folder}\n"
        f"sentinel monitor {MASTER} {LOOPBACK} {master} 2\n"
        f"sentinel down-after-milliseconds {MASTER} 3600000\n"
    )
    command = [redis_binary("redis-server"), file, "--sentinel"]
    stack.enter_context(Process(command, folder, ready_port=port))
    return port


def _cluster(stack: ExitStack, scratch: Path, tests: Path) -> Places:
    """Six nodes, three of them replicas; a second cluster and two servers for its MultiDBClient."""
    tls_port = free_port()
    cluster = RedisCluster(scratch / "cluster", replicas=1, extra=(*_DEBUG, *_tls(tests, tls_port)))
    stack.callback(cluster.stop)
    second = RedisCluster(scratch / "second")
    stack.callback(second.stop)
    servers = []
    for name in ("one", "two"):
        servers.append(RedisServer(scratch / name))
        stack.callback(servers[-1].stop)
    return {
        "redis_port": cluster.port,
        "redis_tls_port": tls_port,
        "clusters": f"{cluster.url},{second.url}",
        "servers": ",".join(server.url for server in servers),
    }


def _tls(tests: Path, port: int) -> tuple[str, ...]:
    folder = _certificates(tests)
    return (
        *("--tls-port", str(port)),
        *("--tls-cert-file", str(folder / f"{_SERVER}.crt")),
        *("--tls-key-file", str(folder / f"{_SERVER}.key")),
        *("--tls-ca-cert-file", str(folder / _AUTHORITY)),
        *("--tls-auth-clients", "optional"),
    )


def _certificates(tests: Path) -> Path:
    """Certificates where the suite reads them, once for all runs of this process."""
    folders = [tests / "dockers" / kind / "tls" for kind in _KINDS]
    with _lock:
        if tests not in _certified:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            made = make_certificates(folders[0])
            names = {
                made.authority: (_AUTHORITY,),
                made.server_certificate: (f"{_SERVER}.crt",),
                made.server_key: (f"{_SERVER}.key",),
                made.client_certificate: tuple(f"{name}.crt" for name in _CLIENTS),
                made.client_key: tuple(f"{name}.key" for name in _CLIENTS),
            }
            for source, targets in names.items():
                for folder in folders:
                    for target in targets:
                        # A run of another process may be reading the one before.
                        fresh = folder / f"{target}.new"
                        shutil.copyfile(source, fresh)
                        fresh.replace(folder / target)
            _certified.add(tests)
    return folders[0]


_SERVICES: dict[str, Callable[[ExitStack, Path, Path], Places]] = {
    "redis": _standalone,
    "redis-cluster": _cluster,
}
