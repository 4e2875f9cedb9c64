"""docs/integrate.md does what it says: its commands are run, its programs run or compiled, its data read."""

from __future__ import annotations

import base64
import json
import os
import plistlib
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fido2.webauthn import PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions

from deploy.development.vault_folder import free_ports
from strongroom_client.envelope import PRF_INPUT
from strongroom_service.config.tenant_file import TenantFile
from tests.integration.examples.guide import GUIDE, ROOT, block_named, blocks, script

_DATA = {
    "app.entitlements",
    "assertion.json",
    "creation.json",
    "tenants/notes.toml",
    "well-known/apple-app-site-association",
    "well-known/assetlinks.json",
    "well-known/webauthn",
}
_PROGRAMS = {"library.py", "web.ts"}


def test_no_block_goes_unchecked() -> None:
    assert {block.name for block in blocks() if block.language != "bash"} == _DATA | _PROGRAMS
    assert not [block for block in blocks() if block.language == "bash" and block.name]
    for name in _DATA | _PROGRAMS:  # which no reader sees beside the block
        assert f"`$HOUR/{name}`" in GUIDE.read_text(), name


@pytest.mark.verify
@pytest.mark.timeout(400)
def test_hour_as_it_stands(tmp_path: Path) -> None:
    [port] = free_ports(1)
    hour = tmp_path / "hour"
    following = subprocess.Popen(
        ["bash", "-c", script(hour, port=port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = following.communicate(timeout=300)
    finally:
        _end_session(following.pid)
    assert following.returncode == 0, said
    assert "Restored: what I must not lose" in said
    assert "events, and every signature holds." in said
    assert re.search(r"^android:apk-key-hash:[\w-]{43}$", said, re.MULTILINE)
    assert re.search(r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$", said, re.MULTILINE)
    assert not hour.exists()


def _end_session(leader: int) -> None:
    """End what the script has left running, if it did not come to its end."""
    try:
        os.killpg(leader, signal.SIGTERM)
    except ProcessLookupError:
        return


def test_code_of_the_page_compiles(tmp_path: Path) -> None:
    web = ROOT / "clients" / "web"
    (tmp_path / "web.ts").write_text(block_named("web.ts"))
    configuration = json.loads((web / "tsconfig.json").read_text())
    options = {
        **configuration["compilerOptions"],
        "module": "preserve",  # what bundlers of pages do
        "paths": {"@strongroom/client": [str(web / "src" / "index.ts")]},
        "typeRoots": [str(web / "node_modules" / "@types")],
    }
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": options, "files": ["web.ts"]}))

    def compiled() -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [web / "node_modules" / ".bin" / "tsc", "--project", project]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)

    ended = compiled()
    assert (ended.returncode, ended.stdout) == (0, "")
    (tmp_path / "web.ts").write_text(block_named("web.ts").replace("client.release()", "client.open()"))
    assert "Property 'open' does not exist on type 'StrongroomClient'" in compiled().stdout


def test_options_for_the_platforms_are_what_webauthn_takes() -> None:
    creation: dict[str, Any] = json.loads(block_named("creation.json"))
    made = PublicKeyCredentialCreationOptions.from_dict(creation)
    assert made.authenticator_selection is not None
    assert made.authenticator_selection.user_verification == "required"
    assert [one.alg for one in made.pub_key_cred_params] == [-7, -257]
    assert len(made.challenge) == len(made.user.id) == 32
    assertion: dict[str, Any] = json.loads(block_named("assertion.json"))
    used = PublicKeyCredentialRequestOptions.from_dict(assertion)
    assert used.user_verification == "required"
    assert used.rp_id == made.rp.id
    for options in (creation, assertion):
        assert options["extensions"] == {"prf": {"eval": {"first": _base64url(PRF_INPUT)}}}


def test_files_of_the_platforms_belong_together() -> None:
    tenant = TenantFile.model_validate_json(json.dumps(_toml("tenants/notes.toml")), context={"folder": Path("/")})
    [link] = json.loads(block_named("well-known/assetlinks.json"))
    [fingerprint] = link["target"]["sha256_cert_fingerprints"]
    assert f"android:apk-key-hash:{_base64url(bytes.fromhex(fingerprint.replace(':', '')))}" in tenant.origins
    entitlements = plistlib.loads(block_named("app.entitlements").encode())
    assert entitlements == {"com.apple.developer.associated-domains": [f"webcredentials:{tenant.rp_id}"]}
    [app] = json.loads(block_named("well-known/apple-app-site-association"))["webcredentials"]["apps"]
    assert re.fullmatch(r"[A-Z0-9]{10}\.[\w.-]+", app)
    related = json.loads(block_named("well-known/webauthn"))["origins"]
    assert f"https://{tenant.rp_id}" in related
    assert json.loads(block_named("creation.json"))["rp"]["id"] == tenant.rp_id


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(block_named(name))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
