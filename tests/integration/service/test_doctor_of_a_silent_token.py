"""`strongroomd doctor` whose PKCS#11 library hangs or crashes: the other checks are told, and which call it was in."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.vault_folder import toml_lines
from tests.fakes.pkcs11_fault.fault_module import FaultModule
from tests.integration.service.evidence import strongroomd

CRASH = "#include <stdlib.h>\nstatic void __attribute__((constructor)) crash(void) { abort(); }\n"
CHECKS = ("module", "mechanisms", "token_login", "profile", "key_attributes", "check_values")


@pytest.fixture(scope="module")
def vault() -> Iterator[DevelopmentVault]:
    with TemporaryDirectory(prefix="silent-") as folder:
        made = DevelopmentVault(make_files(Path(folder) / "vault", VaultShape(keepers=1)))
        made.init()
        yield made


def with_module(vault: DevelopmentVault, module: Path, environment: dict[str, str]) -> Path:
    """Write the vault's file anew with another module, and little patience: fifteen times a fifth of a second."""
    text = vault.files.config_file.read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("module_file = ")]
    text = text.replace(line, toml_lines({"module_file": str(module)}).strip())
    text = text.replace("[pkcs11.environment]\n", "[pkcs11.environment]\n" + toml_lines(environment))
    text = text.replace("[keepers]\n", "[keepers]\ncall_deadline_seconds = 0.2\n")
    path = vault.files.folder / "silent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def examined(config_file: Path) -> dict[str, dict[str, str]]:
    said = strongroomd(config_file, "doctor", "--output", "json")
    assert (said.code, said.errors) == (2, "")  # the service is down besides
    return {finding["check"]: finding for finding in json.loads("\n".join(said.lines))}


def real_module(vault: DevelopmentVault) -> Path:
    text = vault.files.config_file.read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("module_file = ")]
    return Path(line.split('"')[1])


def users_of(library: Path) -> list[str]:
    """Return the processes that have the library loaded."""
    maps = Path("/proc").glob("[0-9]*/maps")
    found = []
    for path in maps:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found += [str(path)] if str(library) in path.read_text(encoding="utf-8", errors="replace") else []
    return found


def outcomes(found: dict[str, dict[str, str]]) -> list[str]:
    return [found[check]["outcome"] for check in CHECKS]


def test_check_that_the_token_hangs_in_is_named_and_nothing_is_left_running(
    vault: DevelopmentVault, tmp_path: Path
) -> None:
    module = FaultModule.build(tmp_path, real_module=real_module(vault))
    config_file = with_module(vault, module.path, module.environment)
    assert outcomes(examined(config_file)) == ["ok"] * 6  # control
    module.stall("C_Login")
    found = examined(config_file)
    assert outcomes(found) == ["ok", "ok", "fail", "skip", "skip", "skip"]
    assert found["token_login"]["found"] == "the PKCS#11 library has not answered for 3 s"
    assert "by its maker's tools" in found["token_login"]["remedy"]
    assert found["database"]["outcome"] == "ok"
    assert "checkpoint_age" in found  # what comes after it
    assert users_of(module.path) == []


def test_library_that_crashes_takes_no_other_check_with_it(vault: DevelopmentVault, tmp_path: Path) -> None:
    module = tmp_path / "crash.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-x", "c", "-o", str(module), "-"], input=CRASH, text=True, check=True, timeout=60
    )
    found = examined(with_module(vault, module, {}))
    assert outcomes(found) == ["fail", "skip", "skip", "skip", "skip", "skip"]
    assert found["module"]["found"].startswith("the process that asks the token has ended")
    assert "checkpoint_age" in found
