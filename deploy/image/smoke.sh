#!/usr/bin/env bash
# Runs the rendered pod on the image of target development, as root, and has somebody enroll and restore.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/image/build.sh development
# shellcheck source=deploy/image/containers.sh
. deploy/image/containers.sh
exec .venv/bin/python -m tests.image.smoke
