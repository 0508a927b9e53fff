#!/usr/bin/env bash
# Builds docker/Dockerfile with Buildah, without a daemon, and runs the tests of the image on what came of it. See usage().
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/image.sh [--stand-in] [--no-pgo | --quick] [--out FOLDER]

Builds the image as root with Debian's `buildah` (chroot isolation, storage in a folder: it runs in a container as well), and writes
FOLDER (default: target/image) with
  rootfs/        the files of the image
  config.json    its configuration: user, command, health check, labels
Then it runs the tests of the image on these (GATELATCH_TEST_IMAGE).

  --stand-in    do not pull the base of the build stage: make one under the same name, of Debian's packages (mmdebstrap) and
                this machine's Rust and trust roots. For machines that reach no registry of images; it takes the package `mmdebstrap`.
  --no-pgo      do not train the optimiser: a third of the time.
  --quick       the profile `bounded` in place of `release`: a larger binary, in a part of the time.
  --out FOLDER  where to write.
END
}

stand_in=no
profile=release
pgo=yes
out=target/image

main() {
    read_arguments "$@"
    [[ $EUID -eq 0 ]] || fail "it takes root: chroot isolation without user namespaces"
    command -v buildah >/dev/null || fail "buildah is missing: apt-get install buildah"
    mkdir -p "$out/tmp"
    out=$(realpath "$out")
    # layers, and what the cache mounts of the Dockerfile keep
    export TMPDIR="$out/tmp"
    [[ $stand_in == no ]] || make_base
    note "building docker/Dockerfile"
    build
    unpack
    list
    GATELATCH_TEST_IMAGE="$out" cargo test --locked --test it image::
}

read_arguments() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            --stand-in) stand_in=yes ;;
            --no-pgo) pgo=no ;;
            --quick) profile=bounded ;;
            --out) out=${2:?--out needs a folder}; shift ;;
            --help | -h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
}

# Nothing of this machine's own containers is touched.
images() {
    buildah --root "$out/storage" --runroot "$out/run" --storage-driver vfs "$@"
}

# The name that the build stage begins with.
base_name() {
    sed -n 's/^FROM \(.*\) AS build$/\1/p' docker/Dockerfile
}

# Debian with a linker, and the Rust that runs here, which must be the one that the Dockerfile asks for.
make_base() {
    local name folder="$out/base" container rust each
    name=$(base_name)
    [[ -z $(images images --quiet "$name" 2>/dev/null) ]] || return 0
    command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
    rust=$(rustc --version | cut -d ' ' -f 2)
    [[ $name == *:"${rust%.*}"-* ]] || fail "this machine's Rust is $rust, not the one of $name"
    note "NOT the published $name: a stand-in of Debian's packages, Rust $rust and the trust roots of this machine"
    rm -rf "$folder"
    mmdebstrap --quiet --variant=minbase --include=gcc,libc6-dev,ca-certificates,python3,nghttp2-client "${name##*-}" "$folder"
    cp --archive "$(rustc --print sysroot)"/{bin,lib} "$folder/usr/local/"
    # a profile is merged with it, where this machine has one: there is no rustup to bring it
    for each in $(profdata); do
        install -D -m 0755 "$each" "$folder$each"
    done
    # a proxy in front of the packages may have an authority of its own
    cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
    container=$(images from scratch)
    images copy --quiet "$container" "$folder" / >/dev/null
    images config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env CARGO_HOME=/usr/local/cargo "$container"
    images commit --quiet --rm "$container" "$name" >/dev/null
    rm -rf "$folder"
}

# An `llvm-profdata` of this compiler's LLVM, and the libraries that it is linked to.
profdata() {
    local found
    found=$(command -v "llvm-profdata-$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')") || return 0
    echo "$found"
    ldd "$found" | grep -o '/[^ ]*'
}

# The health check is in Docker's format only.
build() {
    local pull=(--pull)
    [[ $stand_in == no ]] || pull=(--pull-never)
    images build --isolation chroot --format docker "${pull[@]}" --file docker/Dockerfile --tag gatelatch \
        --build-arg PROFILE="$profile" --build-arg PGO="$pgo" --build-arg VERSION="$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)" \
        --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" .
}

unpack() {
    local container mounted
    container=$(images from --pull-never localhost/gatelatch)
    mounted=$(images mount "$container")
    rm -rf "$out/rootfs"
    cp --archive "$mounted" "$out/rootfs"
    images inspect --type image localhost/gatelatch | python3 -c \
        'import json, sys; json.dump(json.load(sys.stdin)["Docker"]["config"], sys.stdout, indent=1)' >"$out/config.json"
    images rm "$container" >/dev/null
}

list() {
    (cd "$out/rootfs" && find . -type f -printf '%M %10s %P\n' | sort -k 3)
    note "$(du --summarize --bytes "$out/rootfs" | cut -f 1) bytes, in $out"
}

note() {
    echo "image.sh: $*" >&2
}

fail() {
    note "$@"
    exit 1
}

main "$@"
