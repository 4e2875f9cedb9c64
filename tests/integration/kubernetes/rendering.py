"""The chart, rendered by helm, and its objects."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
BIN: Final = ROOT / ".venv-kube/bin"
CHART: Final = ROOT / "deploy/chart/strongroom"
PRODUCTION: Final = ROOT / "deploy/chart/values/production.yaml"
SECONDS: Final = 120


def run(tool: str, *arguments: str | Path, fails: bool = False) -> str:
    done = subprocess.run(
        [str(BIN / tool), *map(str, arguments)], check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def template(folder: Path, *values: Mapping[str, Any], fails: bool = False) -> str:
    files: list[str | Path] = []
    for index, each in enumerate(values):
        path = folder / f"values-{index}.json"
        path.write_text(json.dumps(each), encoding="utf-8")
        files += ["--values", path]
    return run("helm", "template", "vault", CHART, "--values", PRODUCTION, *files, fails=fails)


def objects_of(rendered: str) -> list[dict[str, Any]]:
    """Read YAML by the environment that has a reader of it."""
    program = "import json, sys, yaml; json.dump([each for each in yaml.safe_load_all(sys.stdin) if each], sys.stdout)"
    done = subprocess.run(
        [str(BIN / "python"), "-c", program], input=rendered, check=True, capture_output=True, text=True
    )
    objects: list[dict[str, Any]] = json.loads(done.stdout)
    return objects


def one(objects: list[dict[str, Any]], kind: str, name: str = "vault") -> dict[str, Any]:
    (found,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)
    return copy.deepcopy(found)
