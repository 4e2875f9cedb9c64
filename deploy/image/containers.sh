# What build.sh and run of the image share: containers of this tree alone, in build/image, by runc without systemd.
# To be sourced at the root of the repository.
image_dir=$PWD/build/image
mkdir -p "$image_dir"
export CONTAINERS_STORAGE_CONF=$image_dir/storage.conf CONTAINERS_CONF=$image_dir/containers.conf
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "overlay"
graphroot = "$image_dir/containers"
runroot = "$image_dir/run"
END
# runc and cgroupfs run where systemd does not; limits are stated, since raising them may be forbidden; the host's network
# is the one that works without a firewall.
cat >"$CONTAINERS_CONF" <<END
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
volume_path = "$image_dir/volumes"
END
