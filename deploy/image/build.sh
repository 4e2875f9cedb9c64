#!/usr/bin/env bash
# Builds the image with buildah, as root, on a Debian that debootstrap makes here: no registry is asked.
#
#   build.sh [TARGET]     service (default) or development; the result is localhost/strongroom:TARGET
#   BASE=name@sha256:...  another base, which buildah can pull
#
# Leaves build/image/TARGET.cdx.json, the image's bill of materials.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:-service}
case $target in service | development) ;; *) echo "Unknown target: $target" >&2; exit 1 ;; esac
# shellcheck source=deploy/image/containers.sh
. deploy/image/containers.sh

exec 9<deploy/image/build.sh
flock 9

if [ -z "${BASE:-}" ]; then
  BASE=localhost/debian:bookworm
  if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
    base_dir=$image_dir/base
    rm -rf "$base_dir"
    debootstrap --variant=minbase bookworm "$base_dir" >"$image_dir/debootstrap.log"
    tar -C "$base_dir" -c . | podman import --quiet - "$BASE"
    rm -rf "$base_dir"
  fi
fi

# How this host reaches packages goes along for the build, and not into the image.
along=()
if [ -e /etc/pip.conf ]; then along+=(--volume /etc/pip.conf:/etc/pip.conf:ro); fi
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  along+=(--volume /etc/ssl/certs/ca-certificates.crt:/host-authorities.crt:ro --build-arg PIP_CERT=/host-authorities.crt)
fi

buildah bud --isolation chroot --layers --file deploy/image/Dockerfile --build-arg BASE="$BASE" --target "$target" \
  "${along[@]}" --ignorefile deploy/image/ignore --tag "localhost/strongroom:$target" .

container=$(buildah from "localhost/strongroom:$target")
trap 'buildah rm "$container" >/dev/null' EXIT
cp "$(buildah mount "$container")/usr/share/strongroom/strongroom.cdx.json" "$image_dir/$target.cdx.json"
buildah umount "$container" >/dev/null
