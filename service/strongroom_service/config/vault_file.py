"""The vault's own file, `strongroom.toml`: read by every process of one vault.

Whether the files it names exist is not asked here: in separate containers the front has no PIN file and the keeper no
TLS key. Who opens a file says so when it cannot.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from strongroom_service.config.browser import Browser
from strongroom_service.config.checkpoints import Checkpoints
from strongroom_service.config.databases import Database, PostgresDatabase, Postgresql, SqliteDatabase
from strongroom_service.config.faults import FaultyFile, PathFromFile, Section, misconfigured, read_section
from strongroom_service.config.files import DISK, ConfigFiles
from strongroom_service.config.rates import Rates
from strongroom_service.config.tracing import TracingTable
from strongroom_service.domain.clock import Millis

# A Unix socket's address holds 107 bytes; the rest is for the names of the sockets in the folder.
_MAX_RUN_DIR_BYTES = 80
# PKCS#11 section 3.5: a label is 32 bytes.
_MAX_TOKEN_LABEL_BYTES = 32
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_SECRET_WORDS = re.compile(r"PIN|PASS|SECRET|TOKEN|CREDENTIAL|KEY|AUTH")

Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Id = Annotated[int, Field(ge=1, le=2**32 - 2)]
Seconds = Annotated[float, Field(gt=0, le=3_600)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Listen(Section):
    """Where the front serves gRPC."""

    host: Text = Field(description="Address to listen on, an IP address or a host name; 0.0.0.0 or :: for all.")
    port: Port = Field(description="TCP port.")
    tls_certificate_file: PathFromFile = Field(description="PEM certificate chain, the server's own first.")
    tls_key_file: PathFromFile = Field(description="PEM private key of that certificate; the front alone reads it.")


class Metrics(Section):
    """Where the front serves /metrics, and nothing else. Keep it from the public network: it has no authentication."""

    host: Text = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=9464, description="TCP port.")


class Health(Section):
    """Where the front serves the health service alone, in plain text, for whoever starts and ends it."""

    host: Text = Field(default="127.0.0.1", description="Address to listen on; nothing secret is told there.")
    port: Port = Field(description="TCP port.")


class Keepers(Section):
    """The processes with the token session."""

    count: int = Field(default=2, ge=1, le=64, description="How many; each is one thread with one token session.")
    call_deadline_seconds: Seconds = Field(
        default=2.0,
        description="A call not answered by then has failed, and its keeper is replaced: PKCS#11 has no timeouts.",
    )
    heartbeat_timeout_seconds: Seconds = Field(
        default=5.0, description="A keeper silent for so long is replaced; longer than a call may take."
    )
    lock_memory: Literal["where_possible", "required", "no"] = Field(
        default="where_possible",
        description="Keep the keepers' memory out of swap. Where that is not possible (RLIMIT_MEMLOCK) they say so and"
        " go on, unless it is required.",
    )
    log_file: PathFromFile = Field(description="Where keepers log (record id, version, head) of all that they fulfil.")
    reopen_seconds: float = Field(
        default=30.0,
        ge=0.1,
        le=3_600,
        description="How often keepers are given the vault's row anew. A key change waits for three times as long, so"
        " that every keeper goes by it. The same on every replica.",
    )

    @property
    def spread_ms(self) -> int:
        """Until every keeper of every replica has the newest row of the vault, one try having failed."""
        return int(3_000 * self.reopen_seconds)

    @model_validator(mode="after")
    def _outlives_a_call(self) -> Self:
        if self.heartbeat_timeout_seconds <= self.call_deadline_seconds:
            message = (
                "heartbeat_timeout_seconds must be longer than call_deadline_seconds: a keeper in a call is silent"
            )
            raise ValueError(message)
        return self


class Pkcs11(Section):
    """The token that holds the vault's keys. Only keepers use it."""

    module_file: PathFromFile = Field(description="The vendor's PKCS#11 library.")
    token_label: str = Field(min_length=1, description="Label of the token, at most 32 bytes of UTF-8.")
    pin_file: PathFromFile = Field(description="File with the user PIN; readable by the keeper's user alone.")
    profile: Literal["auto", "gcm", "derived"] = Field(
        default="auto",
        description="How new KEK epochs wrap: AES-GCM in the token, or for tokens without it under one-time keys"
        " derived there; auto takes gcm where it works. Epochs that exist keep theirs. See docs/tokens.md.",
    )
    environment: dict[str, str] = Field(
        default_factory=dict,
        description="Environment variables that the library needs, such as SOFTHSM2_CONF. Not for secrets: others can"
        " read a process's environment.",
    )

    @field_validator("token_label")
    @classmethod
    def _fits_a_label(cls, label: str) -> str:
        if len(label.encode()) > _MAX_TOKEN_LABEL_BYTES:
            message = f"must be at most {_MAX_TOKEN_LABEL_BYTES} bytes"
            raise ValueError(message)
        return label

    @field_validator("environment")
    @classmethod
    def _holds_no_secret(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not _ENVIRONMENT_NAME.fullmatch(name) or "\0" in value:
                message = "must have names of A-Z, 0-9 and _ and values without NUL"
                raise ValueError(message)
            if _SECRET_WORDS.search(name):
                message = f"{name} looks like a secret, and others can read a process's environment: use pin_file"
                raise ValueError(message)
        return environment


class Users(Section):
    """User and group ids of the children when `strongroomd serve` is started as root."""

    front_uid: Id = Field(description="User of the front.")
    front_gid: Id = Field(description="Group of the front.")
    keeper_uid: Id = Field(description="User of the keepers.")
    keeper_gid: Id = Field(description="Group of the keepers.")


class Limits(Section):
    """What one front takes on at once."""

    max_deadline_seconds: Seconds = Field(default=10.0, description="A caller's longer deadline counts as this.")
    max_concurrent_calls: Count = Field(default=256, description="Calls at once; above that callers are told to wait.")
    max_concurrent_streams: Count = Field(default=100, description="HTTP/2 streams per connection.")
    max_request_bytes: int = Field(
        default=131_072,
        ge=98_304,
        le=1_048_576,
        description="Size of a request; an addition brings two ceremonies, an attestation and an envelope.",
    )
    max_metadata_bytes: int = Field(
        default=16_384, ge=8_192, le=65_536, description="Size of a request's metadata; a token is at most 4 KiB."
    )
    max_connection_age_seconds: Seconds = Field(
        default=1_800.0, description="Connections are then closed kindly, so that clients spread over the fronts again."
    )
    max_connection_age_grace_seconds: Seconds = Field(default=30.0, description="What calls then have to finish.")
    max_connection_idle_seconds: Seconds = Field(default=300.0, description="Idle connections are closed after this.")
    min_ping_interval_seconds: Seconds = Field(default=10.0, description="More frequent pings close the connection.")


class ClockRules(Section):
    """How far the host's clock is believed. The same for front and keepers, which measure it alike."""

    tolerance_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3_600,
        description="How far the clock may be set forward or back, from where it stood at the service's start, before"
        " front and keepers no longer follow it; also the largest error that require_synchronised lets pass.",
    )
    require_synchronised: bool = Field(
        default=False,
        description="Keepers neither begin nor judge while the kernel says that nothing keeps its clock right."
        " Recommended wherever a time server can be had.",
    )

    @property
    def tolerance(self) -> Millis:
        """The tolerance in milliseconds."""
        return Millis(round(self.tolerance_seconds * 1_000))


class Owners(Section):
    """What two people who own the vault have signed of its keys, for clients that pin theirs. Their keys stay away."""

    bundles_dir: PathFromFile = Field(
        description="Folder with every bundle that they signed, as `bundle sign` wrote it, and nothing else but names"
        " with a dot in front. The front reads it again when it changes."
    )
    key_files: list[PathFromFile] = Field(
        min_length=2, max_length=16, description="Their public keys in PEM, by which the front checks these files."
    )


class VaultConfig(Section):
    """All of `strongroom.toml`."""

    audience: Text = Field(description="The vault's name: what account tokens must carry as `aud`.")
    database: Database
    data_dir: PathFromFile | None = Field(
        default=None,
        description="Folder for what commands write beside the database: the identity fingerprint and, unless they have"
        " their own, checkpoints. Needed with PostgreSQL; else where the SQLite file is.",
    )
    run_dir: PathFromFile = Field(description="Folder for the sockets between front and keepers; not for other users.")
    tenants_dir: PathFromFile = Field(description="Folder with one TOML file per tenant.")
    drain_wait_seconds: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="How long the front, told to stop, says that it serves no more and serves still: whoever sends"
        " calls here learns of it meanwhile.",
    )
    drain_grace_seconds: float = Field(
        default=10.0, ge=0, le=600, description="What calls under way have to finish when the front is told to stop."
    )
    token_proof_max_age_days: int = Field(
        default=400,
        ge=1,
        le=3_650,
        description="How old the proof of a second token may be before `doctor` fails: losing the only token loses"
        " every envelope.",
    )
    single_user: bool = Field(
        default=False,
        description="Front and keepers may run under one user id. For development: who owns one owns both.",
    )
    listen: Listen = Field(description="Where gRPC is served.")
    metrics: Metrics = Field(default_factory=Metrics, description="Where metrics are served.")
    health: Health | None = Field(
        default=None, description="Where health is told whatever comes over the other port; it is told there too."
    )
    browser: Browser | None = Field(default=None, description="Where browsers are served; nowhere without it.")
    keepers: Keepers = Field(description="The keepers.")
    pkcs11: Pkcs11 = Field(description="The token.")
    postgresql: Postgresql = Field(default_factory=Postgresql, description="What is asked of a PostgreSQL database.")
    users: Users | None = Field(default=None, description="User ids of the children; needed when started as root.")
    clock: ClockRules = Field(default_factory=ClockRules, description="How far the host's clock is believed.")
    limits: Limits = Field(default_factory=Limits, description="Limits of one front.")
    checkpoints: Checkpoints = Field(default_factory=Checkpoints, description="Checkpoints of all records.")
    owners: Owners | None = Field(default=None, description="What the vault's owners signed; nothing without it.")
    tracing: TracingTable | None = Field(default=None, description="Where spans are sent; nowhere without it.")
    rates: Rates = Field(default_factory=Rates, description="Rates of one front, by peer, tenant and account.")

    @field_validator("run_dir")
    @classmethod
    def _leaves_room_for_socket_names(cls, run_dir: Path) -> Path:
        if len(bytes(run_dir)) > _MAX_RUN_DIR_BYTES:
            message = f"must be at most {_MAX_RUN_DIR_BYTES} bytes: a Unix socket's address is short"
            raise ValueError(message)
        return run_dir

    @model_validator(mode="after")
    def _fits_the_database(self) -> Self:
        if isinstance(self.database, PostgresDatabase):
            if self.data_dir is None:
                message = "data_dir is needed with PostgreSQL"
                raise ValueError(message)
            if not self.database.trusted_transport and not self.postgresql.unverified_transport:
                message = "database must have sslmode=verify-full for a host that is not this one"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _separates_users(self) -> Self:
        if self.users is not None and not self.single_user and self.users.front_uid == self.users.keeper_uid:
            message = "users.front_uid and users.keeper_uid must differ, unless single_user is true"
            raise ValueError(message)
        return self

    @property
    def folder(self) -> Path:
        """Where commands write what belongs beside the database."""
        if self.data_dir is not None:
            return self.data_dir
        assert isinstance(self.database, SqliteDatabase)  # noqa: S101  by the rule above
        return self.database.path.parent


def load_vault_config(path: Path, *, files: ConfigFiles = DISK) -> VaultConfig:
    """Read the vault's file.

    Raises:
        Misconfigured: every fault in it, a line each, with file, key and rule.
    """
    try:
        return read_section(path, VaultConfig, files)
    except FaultyFile as faulty:
        raise misconfigured(faulty.faults) from faulty
