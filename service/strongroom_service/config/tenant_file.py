"""Tenants: one TOML file each in a folder, and the JWK set that it names. Front and keepers both read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from strongroom_service.config.faults import ConfigFault, FaultyFile, PathFromFile, Section, misconfigured, read_section
from strongroom_service.config.files import DISK, ConfigFiles
from strongroom_service.config.jwks import TokenKey, load_keys
from strongroom_service.config.origins import check_origin, check_rp_id
from strongroom_service.domain.credentials import AssertionPolicy
from strongroom_service.domain.policy import (
    DEFAULT_BUDGET,
    DEFAULT_COOL_DOWN_SECONDS,
    DEFAULT_RELEASES_PER_DAY,
    DEFAULT_RESET_GRACE_SECONDS,
    OnExhaustion,
    Policy,
)

ALGORITHMS = (-7, -8, -257)
"""COSE algorithms on offer: ES256, EdDSA, RS256; the order is the preference told to authenticators."""

MAX_ORIGINS = 64
_WEB = ("https://", "http://")


def _origin(origin: str, info: ValidationInfo) -> str:
    # Without a right rp_id there is nothing to compare with, and its own fault is told already.
    if "rp_id" in info.data:
        check_origin(origin, rp_id=info.data["rp_id"], development=info.data.get("development", False))
    return origin


class PolicyTable(Section):
    """Limits that records of this tenant get at enrollment. Later changes here do not touch records that exist."""

    on_exhaustion: OnExhaustion = Field(
        strict=False,
        description='What happens when the budget is used up: "destroy" erases envelopes and credentials for good,'
        ' "lock" closes the vault for 7 days. Has no default: read docs/threat-model.md, then state it.',
    )
    budget: int = Field(default=DEFAULT_BUDGET, description="Wrong signatures until exhaustion, 1 to 100.")
    cool_down_seconds: tuple[int, ...] = Field(
        default=DEFAULT_COOL_DOWN_SECONDS,
        strict=False,
        description="Waiting times after the fourth wrong signature, the fifth, and so on; the last repeats.",
    )
    releases_per_day: int = Field(default=DEFAULT_RELEASES_PER_DAY, description="Releases per record and UTC day.")
    reset_grace_seconds: int = Field(
        default=DEFAULT_RESET_GRACE_SECONDS,
        description="How long a reset sets the old state aside before it is erased.",
    )

    @field_validator("budget", "cool_down_seconds", "releases_per_day", "reset_grace_seconds")
    @classmethod
    def _keeps_the_rule(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401  a field's value as declared
        Policy(on_exhaustion=OnExhaustion.DESTROY, **{str(info.field_name): value})
        return value

    def to_policy(self) -> Policy:
        """Return it as the value that is copied into records."""
        return Policy(
            budget=self.budget,
            cool_down_seconds=self.cool_down_seconds,
            on_exhaustion=self.on_exhaustion,
            releases_per_day=self.releases_per_day,
            reset_grace_seconds=self.reset_grace_seconds,
        )


class TenantFile(Section):
    """All of a tenant's file."""

    name: str = Field(
        pattern=r"^[a-z0-9-]{1,64}$",
        description="The tenant's id: a-z, 0-9 and -. Part of every record's id: renaming a tenant loses its records.",
    )
    issuer: str = Field(
        pattern=r"^[\x21-\x7e]{1,255}$", description="What the tenant's tokens carry as `iss`; each tenant has its own."
    )
    jwks_file: PathFromFile = Field(
        description="JWK set: public keys (EC P-256 or Ed25519) of the tenant's tokens, 1 to 16, each with its own kid."
    )
    development: bool = Field(default=False, description="Allows localhost. Shown by doctor; never for real users.")
    rp_id: str = Field(description="WebAuthn relying party id: the domain that the passkeys belong to.")
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(
        min_length=1,
        max_length=MAX_ORIGINS,
        strict=False,
        description="Where passkeys may be used, compared exactly: https://host[:port] at or below rp_id,"
        " android:apk-key-hash:..., in development http://localhost[:port].",
    )
    algorithms: tuple[int, ...] = Field(
        default=ALGORITHMS,
        min_length=1,
        strict=False,
        description="COSE algorithms of passkeys, preferred first: -7 (ES256), -8 (EdDSA), -257 (RS256).",
    )
    policy: PolicyTable = Field(description="Limits of the tenant's records.")

    @field_validator("rp_id")
    @classmethod
    def _is_a_domain(cls, rp_id: str, info: ValidationInfo) -> str:
        check_rp_id(rp_id, development=info.data.get("development", False))
        return rp_id

    @field_validator("origins")
    @classmethod
    def _are_different(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(origins)) != len(origins):
            message = "must differ from each other"
            raise ValueError(message)
        return origins

    @field_validator("algorithms")
    @classmethod
    def _are_offered(cls, algorithms: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(algorithms)) != len(algorithms) or not set(algorithms) <= set(ALGORITHMS):
            message = f"must be different ones of {', '.join(map(str, ALGORITHMS))}"
            raise ValueError(message)
        return algorithms


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A product that uses the vault.

    Attributes:
        name: its id, 1 to 64 of a-z, 0-9 and -.
        issuer: the `iss` of its tokens.
        keys: public keys of its tokens, by `kid`.
        assertion_policy: RP ID, origins and algorithms; live, not copied into records.
        policy: limits that its records get at enrollment.
        development: whether it may use localhost.
    """

    name: str
    issuer: str
    keys: Mapping[str, TokenKey]
    assertion_policy: AssertionPolicy
    policy: Policy
    development: bool


class Tenants:
    """The tenants of a vault. Names and issuers are unique: `load_tenants` sees to it.

    Not for several threads: who holds this object asks it anew for each call, and so sees tenants that are replaced.
    """

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._by_name = {tenant.name: tenant for tenant in tenants}
        self._by_issuer = {tenant.issuer: tenant for tenant in self._by_name.values()}
        self._pages = frozenset(
            origin for tenant in self for origin in tenant.assertion_policy.origins if origin.startswith(_WEB)
        )

    def replace(self, newer: Tenants) -> None:
        """Be `newer` from now on, for everybody who holds this object."""
        self._by_name, self._by_issuer, self._pages = newer._by_name, newer._by_issuer, newer._pages

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def named(self, name: str) -> Tenant | None:
        """Return the tenant with that name."""
        return self._by_name.get(name)

    def issuing_as(self, issuer: str) -> Tenant | None:
        """Return the tenant whose tokens carry that `iss`."""
        return self._by_issuer.get(issuer)

    def allow_page(self, origin: str) -> bool:
        """Return whether pages of that origin may call: those of one where passkeys of some tenant may be used."""
        return origin in self._pages

    def in_development(self) -> tuple[str, ...]:
        """Return the names of tenants marked development, for `doctor` to point at."""
        return tuple(tenant.name for tenant in self if tenant.development)


def load_tenants(folder: Path, *, files: ConfigFiles = DISK) -> Tenants:
    """Read every `*.toml` in `folder`; names that begin with a dot are left alone.

    Raises:
        Misconfigured: every fault in every file, a line each (a JWK set is read once its tenant's file is right).
    """
    try:
        names = files.names(folder)
    except OSError as error:
        rule = f"cannot be read: {error.strerror}"
        raise misconfigured([ConfigFault(file=folder, key="", rule=rule)]) from error
    paths = [folder / name for name in names if Path(name).suffix == ".toml" and not name.startswith(".")]
    faults = [] if paths else [ConfigFault(file=folder, key="", rule="must hold a .toml file for at least one tenant")]
    tenants: dict[Path, Tenant] = {}
    for path in paths:
        try:
            tenants[path] = _load_tenant(path, files)
        except FaultyFile as faulty:
            faults.extend(faulty.faults)
    faults.extend(_duplicates(tenants))
    if faults:
        raise misconfigured(faults)
    return Tenants(tenants.values())


def _load_tenant(path: Path, files: ConfigFiles) -> Tenant:
    file = read_section(path, TenantFile, files)
    return Tenant(
        name=file.name,
        issuer=file.issuer,
        keys=load_keys(file.jwks_file, files=files),
        assertion_policy=AssertionPolicy(rp_id=file.rp_id, origins=frozenset(file.origins), algorithms=file.algorithms),
        policy=file.policy.to_policy(),
        development=file.development,
    )


def _duplicates(tenants: Mapping[Path, Tenant]) -> Iterator[ConfigFault]:
    first: dict[tuple[str, str], Path] = {}
    for path, tenant in tenants.items():
        for key, value in (("name", tenant.name), ("issuer", tenant.issuer)):
            other = first.setdefault((key, value), path)
            if other != path:
                yield ConfigFault(file=path, key=key, rule=f"must be its own; {other.name} has the same")
