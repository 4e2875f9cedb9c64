"""A whole vault for development and tests in one folder: token, tenant, certificate, configuration, running service.

    with DevelopmentVault.start(folder) as vault:
        token = vault.issue_token("alice")

Never for production: SoftHSM keeps keys in files, and one user runs front and keepers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from deploy.development import vault_folder
from deploy.development.health import is_serving
from deploy.development.tenant import (
    ACCOUNT_SCOPE,
    DevelopmentTenant,
    generate_tenant,
    issue_account_token,
    load_tenant_key,
    write_tenant,
    write_tenant_key,
)
from deploy.development.token import create_development_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

AUDIENCE: Final = "https://vault.localhost"
CONFIG_NAME: Final = "strongroom.toml"
_TOKEN_LABEL: Final = "development"  # noqa: S105  a PKCS#11 token's name
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultShape:
    """What the vault is to be like.

    Attributes:
        keepers: how many keeper processes.
        rp_id, origins: of the tenant.
        policy: lines of the tenant's [policy] beside on_exhaustion, such as {"budget": 3, "cool_down_seconds": [1]}.
        settings: further lines at the head of strongroom.toml.
        keeper_settings, limits, checkpoints: further lines of its [keepers], [limits], [checkpoints].
        postgresql: lines of its [postgresql]; settings then names the database and the data_dir.
        browser: whether browsers are served too, in plain text on loopback; pages may call from `origins`.
        owners, tracing: lines of its [owners] and [tracing], which are left out if there are none.
        rates: lines of its [rates.peer] and so on, by default so high that nobody meets them, and of [rates.redis].
    """

    keepers: int = 2
    rp_id: str = "localhost"
    origins: tuple[str, ...] = ("http://localhost",)
    policy: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    settings: Mapping[str, int | float | str] = field(default_factory=dict)
    keeper_settings: Mapping[str, int | float] = field(default_factory=dict)
    limits: Mapping[str, int | float] = field(default_factory=dict)
    postgresql: Mapping[str, float | str] = field(default_factory=dict)
    checkpoints: Mapping[str, float | str | Sequence[str]] = field(default_factory=dict)
    browser: bool = False
    owners: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    tracing: Mapping[str, float | str] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFiles:
    """Where things are in the folder, and what they say.

    Attributes:
        config_file: strongroom.toml.
        ca_file: certificate of the authority that signed the server's; clients trust it.
        tenant: the one tenant, able to sign account tokens.
        address: host:port of gRPC.
        metrics_url, browser_url: where metrics and browsers are served; None if browsers are not.
    """

    folder: Path
    config_file: Path
    ca_file: Path
    tenant: DevelopmentTenant
    address: str
    metrics_url: str
    browser_url: str | None = None

    @property
    def identity_fingerprint(self) -> str:
        """What clients pin, 64 hex digits; there once the vault is initialised."""
        return (self.folder / "data" / "identity.fingerprint").read_text(encoding="ascii").strip()

    @property
    def pins(self) -> tuple[str, ...]:
        """Identity fingerprints to pin."""
        return (self.identity_fingerprint,)

    def issue_token(self, account: str, *, lifetime_seconds: int = 3_600, scope: str = ACCOUNT_SCOPE) -> str:
        """Return an account token that holds from now on."""
        now, lifetime = int(time.time()), lifetime_seconds
        return issue_account_token(
            self.tenant, account=account, audience=AUDIENCE, now_seconds=now, lifetime_seconds=lifetime, scope=scope
        )


def make_files(folder: Path, shape: VaultShape) -> VaultFiles:
    """Make all files of a vault in `folder`, which is new or empty. Free ports are chosen now.

    Raises:
        FileExistsError: a vault was made here before.
        FileNotFoundError: SoftHSM is not installed.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    token = create_development_token(directory=folder / "token", label=_TOKEN_LABEL)
    tenant = generate_tenant()
    write_tenant_key(tenant, folder / "tenant-key.pem")
    tenant_file = write_tenant(tenant, folder / "tenants", rp_id=shape.rp_id, origins=shape.origins)
    with tenant_file.open("a", encoding="utf-8") as file:
        file.write(vault_folder.toml_lines(shape.policy))  # [policy] is the last table
    vault_folder.write_certificates(folder)
    for name in ("data", "keeper"):
        (folder / name).mkdir(mode=0o700)
    port, metrics_port, browser_port = vault_folder.free_ports(3)
    tables: dict[str, Mapping[str, object]] = {
        "": {
            "audience": AUDIENCE,
            "database": "sqlite:///data/vault.db",
            "run_dir": "run",
            "tenants_dir": "tenants",
            "single_user": True,
            **shape.settings,
        },
        "listen": vault_folder.listen_table(port),
        "metrics": {"port": metrics_port},
        "keepers": {"count": shape.keepers, "log_file": "keeper/fulfilled.log", **shape.keeper_settings},
        **vault_folder.token_tables(token),
        "postgresql": shape.postgresql,
        "limits": shape.limits,
        "checkpoints": shape.checkpoints,
        **({"browser": vault_folder.browser_table(browser_port)} if shape.browser else {}),
        **({"owners": shape.owners} if shape.owners else {}),
        **({"tracing": shape.tracing} if shape.tracing else {}),
        **vault_folder.rate_tables(shape.rates),
    }
    (folder / CONFIG_NAME).write_text(vault_folder.toml_text(tables), encoding="utf-8")
    return find_files(folder)


def find_files(folder: Path) -> VaultFiles:
    """Return the files that `make_files` made in `folder`.

    Raises:
        FileNotFoundError: none there.
    """
    folder = folder.resolve()
    config = tomllib.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    return VaultFiles(
        folder=folder,
        config_file=folder / CONFIG_NAME,
        ca_file=folder / "ca.pem",
        tenant=load_tenant_key(folder / "tenant-key.pem"),
        address=f"localhost:{config['listen']['port']}",
        metrics_url=f"http://127.0.0.1:{config['metrics']['port']}/metrics",
        browser_url=f"http://localhost:{config['browser']['port']}" if "browser" in config else None,
    )


class DevelopmentVault:
    """A vault with its service running as a child process; its output goes to `service.log` in the folder."""

    def __init__(self, files: VaultFiles) -> None:
        """Take a vault as `make_files` or an earlier run left it; nothing is started."""
        self.files = files
        self.address = files.address
        self.ca_file = files.ca_file
        self.tenant = files.tenant
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, *, shape: VaultShape | None = None) -> Self:
        """Make a vault in `folder`, initialise it and start its service; returns when it serves."""
        vault = cls(make_files(folder, shape or VaultShape()))
        vault.init()
        vault.serve()
        return vault

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pins(self) -> tuple[str, ...]:
        """Identity fingerprints for clients to pin, 64 hex digits each."""
        return self.files.pins

    @property
    def pid(self) -> int:
        """Process id of the service's parent process."""
        if self._process is None:
            raise RuntimeError("the service is not running")
        return self._process.pid

    @property
    def log_file(self) -> Path:
        """What the service's processes logged."""
        return self.files.folder / "service.log"

    def issue_token(self, account: str, *, lifetime_seconds: int = 3_600, scope: str = ACCOUNT_SCOPE) -> str:
        """Return an account token that holds from now on."""
        return self.files.issue_token(account, lifetime_seconds=lifetime_seconds, scope=scope)

    def init(self) -> str:
        """Run `strongroomd init` and return what it said.

        Raises:
            RuntimeError: it failed; carries its message.
        """
        return self.run_command("init")

    def run_command(self, *command: str, patience_seconds: float = _START_SECONDS) -> str:
        """Run a `strongroomd` command on this vault and return what it said.

        Raises:
            RuntimeError: it failed; carries its exit code and message.
        """
        done = subprocess.run(
            [*_STRONGROOMD, *command, "--config", str(self.files.config_file)],
            check=False,
            capture_output=True,
            text=True,
            timeout=patience_seconds,
        )
        if done.returncode != 0:
            raise RuntimeError(f"strongroomd {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def serve(self, *, environment: Mapping[str, str] | None = None) -> None:
        """Start the service, with `environment` beside our own, and return when it serves.

        Raises:
            RuntimeError: it ended, or does not serve in time; carries the end of its log.
        """
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_STRONGROOMD, "serve", "--config", str(self.files.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        try:
            self._wait_until_serving()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int | None:
        """Have the service drain and end; return its exit code, None if it was not running."""
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait()
        self._process = None
        return code

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return what a client connects with."""
        return grpc.ssl_channel_credentials(root_certificates=self.ca_file.read_bytes())

    def is_serving(self) -> bool:
        """Ask the health service."""
        return is_serving(self.address, self.channel_credentials())

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_serving():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = self.log_file.read_text(encoding="utf-8", errors="replace")[-4_000:]
                raise RuntimeError(f"the service {'ended' if ended else 'does not serve'}:\n{tail}")
            time.sleep(_POLL_SECONDS)


_STRONGROOMD: Final = (sys.executable, "-P", "-m", "strongroom_service.cli.main")
