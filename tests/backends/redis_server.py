"""Real redis-server processes: one alone, or a cluster with three masters."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .build import UnavailableError
from .process import LOOPBACK, Process, free_port, wait_until

CLUSTER_MASTERS = 3


def redis_binary(name: str) -> str:
    """The path of ``redis-server`` or ``redis-cli``; UnavailableError when absent."""
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"no {name!r} on PATH: install Debian's package redis-server")
    return path


def ask(port: int, line: str) -> str:
    """The first line of a server's answer to an inline command, such as ``PING``."""
    with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
        connection.sendall(line.encode() + b"\r\n")
        with connection.makefile("rb") as answer:
            return answer.readline().decode().rstrip()


class RedisServer:
    """A redis-server without persistence on a loopback port of its own.

    It is driven over a plain socket, never through redis-py, which is what the
    tests instrument.
    """

    def __init__(self, folder: Path, *extra_arguments: str) -> None:
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self._folder = folder
        self._extra_arguments = extra_arguments
        self._process: Process | None = None
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def output(self) -> str:
        return self._process.output if self._process else ""

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        arguments = {
            "--bind": LOOPBACK,
            "--port": str(self.port),
            "--dir": str(self._folder),
            "--save": "",
            "--appendonly": "no",
        }
        command = [redis_binary("redis-server")]
        command += [part for pair in arguments.items() for part in pair]
        command += self._extra_arguments
        self._process = Process(command, self._folder, ready_port=self.port)

    def stop(self) -> None:
        """Ends it: clients are then refused. Nothing happens when it is not running."""
        if self._process is not None and self.running:
            self._process.stop(signal.SIGTERM)

    def restart(self) -> None:
        """Stops it and starts it again, empty, on the same port."""
        self.stop()
        self.start()

    def command(self, line: str) -> str:
        """The first line of Redis's answer to an inline command, such as ``PING``."""
        return ask(self.port, line)

    def reset(self) -> None:
        """Makes it run, without a key or a script."""
        if not self.running:
            self.start()
        for line in ("FLUSHALL SYNC", "SCRIPT FLUSH"):
            self.command(line)


class RedisCluster:
    """Three masters that share the slots, and ``replicas`` of each.

    ``extra`` are further arguments of the first one.
    """

    def __init__(self, folder: Path, replicas: int = 0, extra: Sequence[str] = ()) -> None:
        self.servers: list[RedisServer] = []
        try:
            for number in range(CLUSTER_MASTERS * (1 + replicas)):
                bus = str(free_port())
                self.servers.append(
                    RedisServer(
                        folder / str(number),
                        *("--cluster-enabled", "yes", "--cluster-port", bus),
                        *(() if number else extra),
                    )
                )
            self._join(replicas)
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        """The first master's: enough for a client to find the others."""
        return self.servers[0].port

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}"

    def reset(self) -> None:
        for server in self.servers:
            server.command("FLUSHALL SYNC")

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def _join(self, replicas: int) -> None:
        nodes = [f"{LOOPBACK}:{server.port}" for server in self.servers]
        command = [redis_binary("redis-cli"), "--cluster", "create", *nodes]
        done = subprocess.run(
            [*command, "--cluster-replicas", str(replicas), "--cluster-yes"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(
            lambda: all(_cluster_is_ok(server) for server in self.servers),
            "every node knows all slots",
            timeout_s=30,
        )


def _cluster_is_ok(server: RedisServer) -> bool:
    with socket.create_connection((LOOPBACK, server.port), timeout=5) as connection:
        connection.sendall(b"CLUSTER INFO\r\n")
        return b"cluster_state:ok" in connection.recv(4096)
