"""clients/web/README.md: its blocks compile as they stand, and do what the page says when run one after the other."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "clients/web"
NODE = Path(sys.executable).with_name("node")


def blocks() -> list[str]:
    """Every block of the page that is a program."""
    return re.findall(r"^```ts\n(.*?)^```$", (WEB / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder in which the library is found under its name, as in a product that has installed it."""
    described = json.loads((WEB / "package.json").read_text("utf-8"))
    (tmp_path / "package.json").write_text(json.dumps({name: described[name] for name in ("name", "type", "exports")}))
    for name in ("src", "node_modules"):
        (tmp_path / name).symlink_to(WEB / name)
    return tmp_path


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(NODE.parent), os.environ["PATH"]))
    return subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_blocks_compile_as_they_stand(package: Path) -> None:
    program = "\n".join(blocks())
    assert len(blocks()) > 5
    (package / "readme.ts").write_text(program, encoding="utf-8")
    # The control, in the same run: a member that no function takes.
    wrong = program.replace("client.enroll({ ", "client.enroll({ password: 1, ", 1)
    (package / "wrong.ts").write_text(wrong, encoding="utf-8")
    settings = {"extends": str(WEB / "tsconfig.json"), "include": ["readme.ts", "wrong.ts"]}
    (package / "tsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    found = run(WEB / "node_modules/.bin/tsc", "--project", package, folder=package).stdout.splitlines()
    assert [line.partition("(")[0] for line in found if not line.startswith(" ")] == ["wrong.ts"], found
    assert "error TS2353" in found[0]


def test_blocks_do_what_the_page_says(development_vault: DevelopmentVault, package: Path) -> None:
    account = f"readme-{secrets.token_hex(8)}"
    token = package / "token"
    token.write_text(development_vault.issue_token(account), encoding="ascii")
    program = "\n".join(blocks())
    # What only a browser and a product have.
    for shown, meant in {
        "https://vault.notes.example": str(development_vault.files.browser_url),
        '"alice"': json.dumps(account),
        '(await fetch("/vault-token", { method: "POST" })).text()': f"(await readFile({str(token)!r})).toString()",
        re.findall(r'pins: \["(\w+)"\]', program)[0]: development_vault.files.identity_fingerprint,
        "new BrowserAuthenticator()": "new SoftwareAuthenticator()",
        "new IndexedDbStore(owner)": "new InMemoryStore()",
        "import { BrowserAuthenticator, IndexedDbStore,": "import { InMemoryStore,",
    }.items():
        assert shown in program
        program = program.replace(shown, meant)
    made = f'import {{ SoftwareAuthenticator }} from "{WEB / "tests/software-authenticator.ts"}";\n'
    files = 'import { readFile } from "node:fs/promises";\n'
    told = (
        "console.info(await restored.get('note.txt')?.text());\n"
        "console.info(said(new Declined('')), (await client.receipts()).split('\\n').length > 5);\n"
    )
    (package / "run.ts").write_text(files + made + program + told, encoding="utf-8")
    ended = run(NODE, "run.ts", folder=package)
    assert ended.returncode == 0, ended.stderr
    shown_rows = re.findall(r"^[0-9a-f]{4} [0-9a-f]{4}-[0-9a-f]$", ended.stdout, re.MULTILINE)
    assert len(shown_rows) == 8
    assert "20 bytes\n" in ended.stdout
    assert "register granted" in ended.stdout
    assert "This laptop" in ended.stdout
    assert ended.stdout.endswith(
        "note.txt\nwhat I must not lose\nNothing happened. Try again when you are ready. true\n"
    )
