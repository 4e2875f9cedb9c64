"""PostgreSQL under Patroni with etcd on three hosts, a quorum of one standby confirming each commit."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from tests.fixtures.postgres import BIN
from tests.ha.network import SUBNET, Host, network

ROOT: Final = Path(__file__).resolve().parents[2]
PATRONI: Final = ROOT / ".venv-ha" / "bin" / "patroni"
# Patroni's floor. A lost host is noticed by the others when the leader's lease has run out.
TTL_SECONDS: Final = 20
_PATIENCE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.25


@dataclass
class Cluster:
    """The three hosts with all that runs on them; `folder` holds their disks."""

    folder: Path
    hosts: Sequence[Host]
    _logs: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    @contextlib.contextmanager
    def started(cls, folder: Path) -> Iterator[Cluster]:
        """A cluster whose standbys follow. Everything on its hosts is ended with it."""
        with contextlib.ExitStack() as logs, network() as hosts:  # which ends the processes that the other waits for
            cluster = cls(folder=folder, hosts=hosts, _logs=logs)
            os.chown(folder, _user().pw_uid, _user().pw_gid)
            for host in hosts:
                cluster.start_etcd(host)
            for host in hosts:
                cluster.start_patroni(host)
            cluster.wait_until_whole()
            yield cluster

    def url(self, database: str, *, user: str = "postgres") -> str:
        """Of whichever server is the primary."""
        hosts = ",".join(f"{host.address}:5432" for host in self.hosts)
        return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=2"

    def start_etcd(self, host: Host) -> None:
        """Start etcd; what it knew is on its disk."""
        peers = ",".join(f"{each.name}=http://{each.address}:2380" for each in self.hosts)
        options = {
            "name": host.name,
            "data-dir": str(self.folder / f"etcd-{host.number}"),
            "listen-peer-urls": f"http://{host.address}:2380",
            "listen-client-urls": f"http://{host.address}:2379,http://127.0.0.1:2379",
            "advertise-client-urls": f"http://{host.address}:2379",
            "initial-advertise-peer-urls": f"http://{host.address}:2380",
            "initial-cluster": peers,
            "initial-cluster-state": "new",
            "heartbeat-interval": "100",
            "election-timeout": "1000",
        }
        self._start(host, "etcd", *(part for name, value in options.items() for part in (f"--{name}", value)))

    def start_patroni(self, host: Host) -> None:
        """Start Patroni, which starts PostgreSQL."""
        sockets = self.folder / f"sockets-{host.number}"
        sockets.mkdir(exist_ok=True)
        os.chown(sockets, _user().pw_uid, _user().pw_gid)
        file = self.folder / f"patroni-{host.number}.json"  # JSON is YAML
        file.write_text(json.dumps(_configuration(host, self.hosts, self.folder, sockets)), encoding="utf-8")
        self._start(host, "patroni", str(PATRONI), str(file))

    def members(self) -> list[dict[str, Any]]:
        """What any of them says of all; empty if none answers."""
        return next((told for host in self.hosts if (told := _members(host))), [])

    def leader(self, *, seen_by: Sequence[Host] | None = None) -> Host | None:
        """Who leads, as these hosts (default: all) see it."""
        for host in seen_by or self.hosts:
            for member in _members(host):
                if member["role"] == "leader" and member["state"] == "running":
                    return next(each for each in self.hosts if each.name == member["name"])
        return None

    def is_whole(self) -> bool:
        """Whether there is a leader that two standbys follow, and that a commit waits for one of them."""
        members = self.members()
        roles = sorted(member["role"] for member in members)
        following = [member for member in members if member["role"] != "leader"]
        return roles == ["leader", "quorum_standby", "quorum_standby"] and all(
            member["state"] == "streaming" for member in following
        )

    def wait_until_whole(self) -> None:
        """Wait for that."""
        self._until(self.is_whole, "the cluster is whole")

    def wait_for_leader(self, *, other_than: Host) -> Host:
        """Wait until the others have a leader among them, and return it."""
        others = [host for host in self.hosts if host != other_than]
        self._until(lambda: self.leader(seen_by=others) in others, "the others have a leader")
        leader = self.leader(seen_by=others)
        assert leader is not None
        return leader

    def postgres_of(self, host: Host) -> list[psutil.Process]:
        """PostgreSQL's processes on the host."""
        found = []
        for pid in host.pids():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.name() == "postgres":
                    found.append(process)
        return found

    def _until(self, condition: Any, what: str) -> None:  # noqa: ANN401  a predicate
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                tails = "\n".join(f"{log}:\n{log.read_text()[-1_500:]}" for log in sorted(self.folder.glob("*.log")))
                raise AssertionError(f"never: {what}; {self.members()}\n{tails}")
            time.sleep(_POLL_SECONDS)

    def _start(self, host: Host, name: str, *argv: str) -> None:
        log = self._logs.enter_context((self.folder / f"{name}-{host.number}.log").open("ab"))
        user = _user()
        become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        command = argv if name == "patroni" else (name, *argv)
        process = subprocess.Popen(
            host.command(*become, *command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"},
        )
        self._logs.callback(process.wait)


@contextlib.contextmanager
def paused(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Have these processes stand still inside."""
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def execute(url: str, statement: str) -> None:
    """Run one statement on whichever server is the primary."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _members(host: Host) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://{host.address}:8008/cluster", timeout=1) as answer:
            told: list[dict[str, Any]] = json.load(answer)["members"]
            return told
    except (OSError, ValueError, KeyError):
        return []


def _user() -> pwd.struct_passwd:
    return pwd.getpwnam("postgres")


def _configuration(host: Host, hosts: Sequence[Host], folder: Path, sockets: Path) -> dict[str, Any]:
    parameters = {
        "wal_log_hints": "on",
        "synchronous_commit": "on",
        "max_connections": 100,
        "wal_keep_size": "256MB",
        "wal_retrieve_retry_interval": "500ms",
        "wal_receiver_timeout": "5s",
        "wal_sender_timeout": "5s",
        "shared_buffers": "32MB",
    }
    return {
        "scope": "vault",
        "name": host.name,
        "restapi": {"listen": f"{host.address}:8008", "connect_address": f"{host.address}:8008"},
        "etcd3": {"hosts": [f"{each.address}:2379" for each in hosts]},
        "bootstrap": {
            "dcs": {
                "ttl": TTL_SECONDS,
                "loop_wait": 3,
                "retry_timeout": 5,
                "maximum_lag_on_failover": 1_048_576,
                # A primary that died is not started again: what it had not told the others must not come back.
                "primary_start_timeout": 0,
                "synchronous_mode": "quorum",
                "synchronous_mode_strict": True,
                "synchronous_node_count": 1,
                "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": parameters},
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"{host.address}:5432",
            "connect_address": f"{host.address}:5432",
            "data_dir": str(folder / f"data-{host.number}"),
            "bin_dir": str(BIN),
            "pgpass": str(folder / f"pgpass-{host.number}"),
            "pg_hba": ["local all all trust", f"host all all {SUBNET} trust", f"host replication all {SUBNET} trust"],
            "authentication": {
                name: {"username": user, "password": "in a private network"}
                for name, user in (("superuser", "postgres"), ("replication", "replicator"), ("rewind", "rewinder"))
            },
            # A socket folder for each: a shared one lets the nodes take each other's.
            "parameters": {"unix_socket_directories": str(sockets)},
        },
    }
