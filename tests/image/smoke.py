"""The pod that the chart renders, run by podman on the built image: people enroll and restore against it.

    python -m tests.image.smoke     as root, after deploy/image/build.sh development

PostgreSQL, and the token's files in a volume, are made here; all that was made is removed in the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psycopg

from deploy.development.environment import AUDIENCE, DevelopmentVault, VaultFiles, VaultShape, make_files
from deploy.development.vault_folder import free_ports
from tests.fakes.connect_stub import Wire
from tests.fakes.hand_client import HandClient
from tests.fixtures.postgres import own_postgres
from tests.fixtures.replicas import SERVICE_ROLE, migrate

_ROOT: Final = Path(__file__).resolve().parents[2]
_BIN: Final = _ROOT / ".venv-kube/bin"
_KEEPER: Final = 10_002
_GROUP: Final = 10_000
_SERVING_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 120
_TOKEN: Final = "strongroom-smoke-token"
_SHARED: Final = ("sockets", "checkpoints")
_IMAGE: Final = "localhost/strongroom:development"
_MODULE: Final = "/usr/lib/softhsm/libsofthsm2.so"


def say(*words: object) -> None:
    """Tell it now: what fails later is read beside it."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def _run(*command: str | Path, stdin: str | None = None) -> str:
    done = subprocess.run(
        [*map(str, command)],
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        start_new_session=True,  # Ctrl-C is for us, who remove what is there, not for the command that removes it
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def _podman(*arguments: str | Path, stdin: str | None = None) -> str:
    return _run("podman", *arguments, stdin=stdin)


def _values(files: VaultFiles, url: str, ports: tuple[int, int, int, int]) -> Mapping[str, Any]:
    tenant = tomllib.loads((files.folder / "tenants" / f"{files.tenant.name}.toml").read_text(encoding="utf-8"))
    return {
        "development": True,
        "image": {"repository": "localhost/strongroom", "tag": "development", "pullPolicy": "Never"},
        "replicas": 1,
        "autoscaling": {"enabled": False},
        "audience": AUDIENCE,
        "tenants": {
            files.tenant.name: {
                "issuer": tenant["issuer"],
                "rp_id": tenant["rp_id"],
                "origins": tenant["origins"],
                "development": True,
                "jwks": files.tenant.jwks(),
                "policy": tenant["policy"],
            }
        },
        "database": {
            "url": url,
            "secretName": "smoke-database",
            "ownerUrl": url,
            "ownerSecretName": "smoke-database",
            "singleNode": True,
        },
        "pkcs11": {
            "moduleFile": _MODULE,
            "tokenLabel": "development",
            "pinSecretName": "smoke-pin",
            "environment": {"SOFTHSM2_CONF": "/token/softhsm2.conf"},
            "volumes": [{"name": "token", "persistentVolumeClaim": {"claimName": _TOKEN}}],
            "volumeMounts": [{"name": "token", "mountPath": "/token"}],
        },
        "tls": {"secretName": "smoke-tls"},
        "listenHost": "127.0.0.1",
        "browser": {"enabled": True},
        "ports": dict(zip(("grpc", "health", "metrics", "browser"), ports, strict=True)),
    }


def _secrets(files: VaultFiles) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    yield "smoke-database", {"pgpass": b"# trusted\n"}
    yield "smoke-pin", {"pin": (files.folder / "token" / "development.pin").read_bytes()}
    yield (
        "smoke-tls",
        {
            "tls.crt": (files.folder / "server.pem").read_bytes(),
            "tls.key": (files.folder / "server-key.pem").read_bytes(),
        },
    )


def _rendered(values: Mapping[str, Any], folder: Path) -> str:
    path = folder / "values.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    chart = _ROOT / "deploy/chart/strongroom"
    shown = [
        argument for name in ("configuration", "deployment") for argument in ("--show-only", f"templates/{name}.yaml")
    ]
    rendered = _run(_BIN / "helm", "template", "smoke", chart, "--values", path, *shown)
    # By a Deployment's own policy podman starts init containers that have ended again.
    mark = "      enableServiceLinks: false"
    rendered = rendered.replace(mark, f"      restartPolicy: OnFailure\n{mark}")
    # In the host's network, which podman knows no ports to map in.
    return re.sub(r"^ +ports:\n(?: +- .*containerPort.*\n)+", "", rendered, flags=re.MULTILINE)


def _make_token_volume(files: VaultFiles, held: contextlib.ExitStack) -> None:
    _podman("volume", "create", _TOKEN)
    held.callback(_podman, "volume", "rm", "--force", _TOKEN)
    place = Path(_podman("volume", "inspect", _TOKEN, "--format", "{{.Mountpoint}}").strip())
    shutil.copytree(files.folder / "token" / "tokens", place / "tokens")
    conf = (files.folder / "token" / "softhsm2.conf").read_text(encoding="utf-8")
    (place / "softhsm2.conf").write_text(conf.replace(str(files.folder / "token"), "/token"), encoding="utf-8")
    for path in (place, *place.rglob("*")):
        os.chown(path, _KEEPER, _GROUP)


def _make_shared_volume(name: str, held: contextlib.ExitStack) -> None:
    """As a kubelet does by fsGroup, which podman 4 does not know: it gives the volume to whoever mounts it first."""
    _podman("volume", "create", name)
    held.callback(_podman, "volume", "rm", "--force", name)
    once = f"{_KEEPER}:{_GROUP}"
    _podman("run", "--rm", "--network", "none", "--user", once, "--volume", f"{name}:/mnt", _IMAGE, "version")
    place = Path(_podman("volume", "inspect", name, "--format", "{{.Mountpoint}}").strip())
    os.chown(place, 0, _GROUP)
    place.chmod(0o2770)


def _remove_volumes_but(before: list[str]) -> None:
    """Those of the pod; others in this storage are not ours."""
    for name in set(_podman("volume", "ls", "--quiet").split()) - set(before):
        _podman("volume", "rm", "--force", name)


def _restore(files: VaultFiles, port: int, browser_port: int) -> None:
    found = replace(files, address=f"localhost:{port}", browser_url=f"https://localhost:{browser_port}")
    vault = DevelopmentVault(found)
    deadline = time.monotonic() + _SERVING_SECONDS
    while not vault.is_serving():
        if time.monotonic() > deadline:
            raise RuntimeError("the pod does not serve")
        time.sleep(0.2)
    for wire in (None, Wire.CONNECT_JSON):
        with HandClient(vault, wire=wire) as client:
            client.enroll()
            released = client.release()
        if released != [b"an envelope"]:
            raise RuntimeError("what was stored is not what was released")


def _play(held: contextlib.ExitStack) -> None:
    server = held.enter_context(own_postgres())
    folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-smoke-")))
    database = server.create_database()
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN".encode())
    migrate(server.url(database), "--unverified-transport")
    url = server.url(database, user=SERVICE_ROLE)
    shape = VaultShape(settings={"database": url, "data_dir": "data"}, postgresql={"single_node": True})
    files = make_files(folder / "vault", shape)
    DevelopmentVault(files).init()
    _make_token_volume(files, held)
    for name in _SHARED:
        _make_shared_volume(name, held)
    for name, content in _secrets(files):
        # As they are: podman 4 does not decode what Kubernetes has in base64.
        data = {key: value.decode() for key, value in content.items()}
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        _podman("secret", "create", name, "-", stdin=json.dumps(document))
        held.callback(_podman, "secret", "rm", name)
    first, second, third, fourth = free_ports(4)
    manifest = folder / "pod.yaml"
    manifest.write_text(_rendered(_values(files, url, (first, second, third, fourth)), folder), encoding="utf-8")
    held.callback(_remove_volumes_but, _podman("volume", "ls", "--quiet").split())
    held.callback(_podman, "pod", "rm", "--force", "--ignore", "--time", "5", "smoke-pod-0")
    say(_podman("kube", "play", "--network", "host", manifest))
    try:
        _restore(files, first, fourth)
    except BaseException:
        for name in _podman("ps", "--all", "--format", "{{.Names}}").split():
            say(name, subprocess.run(["podman", "logs", name], check=False, capture_output=True, text=True))
        raise
    say(_podman("ps", "--format", "{{.Names}} {{.Status}}"))
    say("The pod that the chart renders serves: enrolled, stored, restored, by gRPC and as from a page.")


def main() -> int:
    """Run it; 0 if the envelope came back."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # so that what was made is removed
    with contextlib.ExitStack() as held:
        try:
            _play(held)
        finally:  # a second signal would leave half of it behind
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
