#!/usr/bin/env bash
# Builds what is released: one static binary, its digest, its bill of materials and the licences, in dist/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/build-release.sh [--pgo | --no-pgo] [--profile NAME] [--cpu LEVEL] [--out FOLDER]
       scripts/build-release.sh --verify [--profile NAME] [--cpu LEVEL]

Builds the release profile (LTO over everything, one codegen unit) as a static binary for this machine's
architecture, and writes FOLDER (default: dist) with
  gatelatch                   the binary; it runs in an empty root
  gatelatch.sha256            its digest
  gatelatch.cdx.json          what it is made of (SBOM, CycloneDX 1.6)
  THIRD-PARTY.md              the licences of all that
  LICENSE, licenses/          the project's own, and those of the embedded files
  man/, completions/          the manual pages, and the completions for bash, zsh and fish

A load trains the optimiser first (PGO), which takes three times as long as a build without and makes the binary of
BENCHMARKS.md. That takes an `llvm-profdata` that reads the compiler's profiles: it comes with
`rustup component add llvm-tools`, or with Debian's package `llvm-N` of the compiler's LLVM version.

  --pgo           fail where there is none; by default the script says so and builds without
  --no-pgo        build without
  --profile NAME  another profile than `release`: `bounded` is built in a part of the time, without training
  --cpu LEVEL     use the instructions of e.g. x86-64-v3; such a binary does not run on older processors.
                  Default: every processor of the architecture.
  --out FOLDER    where to write
  --verify        build twice, from two copies of the tree in two folders, and compare the bytes. Without PGO: a
                  trained build is as reproducible as its profile, which no two runs of a load make alike.
END
}

pgo=
profile=release
cpu=
out=dist
verify=no

main() {
    read_arguments "$@"
    target="$(uname -m)-unknown-linux-gnu"
    export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(date_of_source)}"
    export CARGO_INCREMENTAL=0
    if [[ $verify == yes ]]; then
        build_twice
        return
    fi
    work="$PWD/target/dist"
    local trained=
    if [[ $pgo != no && $profile == release ]]; then
        if profdata=$(find_profdata); then
            trained=$(train)
        else
            [[ -z $pgo ]] || fail "no training, as --pgo asks for"
            note "building without training"
        fi
    fi
    build "$PWD" "$work/final" ${trained:+"-Cprofile-use=$trained"}
    collect "$work/final/$target/$profile/gatelatch"
    stands_alone "$out/gatelatch"
}

read_arguments() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            --pgo) pgo=yes ;;
            --no-pgo) pgo=no ;;
            --profile) profile=${2:?--profile needs a name}; shift ;;
            --verify) verify=yes ;;
            --cpu) cpu=${2:?--cpu needs a level, such as x86-64-v3}; shift ;;
            --out) out=${2:?--out needs a folder}; shift ;;
            --help | -h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    if [[ $pgo == yes && $verify == yes ]]; then
        fail "--verify is of builds without --pgo"
    fi
    if [[ $pgo == yes && $profile != release ]]; then
        fail "--pgo is of the profile \`release\`"
    fi
}

date_of_source() {
    git log -1 --format=%ct 2>/dev/null || echo 0
}

# The flags of a build. No path of this machine is in the binary, nor a path that differs between two.
flags() {
    local source=$1
    shift
    local cargo_home="${CARGO_HOME:-$HOME/.cargo}"
    printf '%s\x1f' -Ctarget-feature=+crt-static \
        "--remap-path-prefix=$source=/gatelatch" "--remap-path-prefix=$cargo_home=/cargo" \
        "--remap-path-prefix=$(rustc --print sysroot)=/rust" ${cpu:+"-Ctarget-cpu=$cpu"} "$@"
}

# build SOURCE TARGET_FOLDER [FLAG...]
build() {
    local source=$1 folder=$2 encoded
    shift 2
    encoded=$(flags "$source" "$@")
    note "building ${folder##*/}"
    # the target is named although it is the host's: without it the flags would reach build scripts and proc macros,
    # which cannot be static; C sources name their paths in assertions
    (
        cd "$source"
        CARGO_ENCODED_RUSTFLAGS="${encoded%$'\x1f'}" CARGO_TARGET_DIR="$folder" \
            CFLAGS="-ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}=/cargo -ffile-prefix-map=$folder=/target" \
            cargo build --profile "$profile" --locked --bin gatelatch --target "$target" >&2
    )
}

# Builds with counters, runs a bounded load, and prints the merged profile's path.
train() {
    local raw="$work/profile"
    rm -rf "$raw"
    mkdir -p "$raw"
    build "$PWD" "$work/counting" "-Cprofile-generate=$raw" || return 1
    note "training"
    python3 scripts/bench/train.py "$work/counting/$target/$profile/gatelatch" >&2 || return 1
    "$profdata" merge -o "$work/gatelatch.profdata" "$raw" >&2 || return 1
    echo "$work/gatelatch.profdata"
}

# An `llvm-profdata` at least as new as the compiler's LLVM: it reads older profiles, not newer ones.
find_profdata() {
    local needed found version
    needed=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    for found in "$(rustc --print sysroot)/lib/rustlib/$target/bin/llvm-profdata" \
        "llvm-profdata-$needed" "llvm-profdata-$((needed + 1))" llvm-profdata; do
        command -v "$found" >/dev/null || continue
        version=$("$found" merge --version 2>/dev/null | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p' | head -n 1)
        if [[ ${version:-0} -ge $needed ]]; then
            echo "$found"
            return
        fi
    done
    note "no llvm-profdata for profiles of LLVM $needed: rustup component add llvm-tools, or apt-get install llvm-$needed"
    return 1
}

collect() {
    local binary=$1
    mkdir -p "$out/licenses/swagger-ui"
    install -m 0755 "$binary" "$out/gatelatch"
    (cd "$out" && sha256sum gatelatch > gatelatch.sha256)
    python3 scripts/sbom.py --target "$target" --sbom "$out/gatelatch.cdx.json" --licences "$out/THIRD-PARTY.md"
    install -m 0644 LICENSE "$out/LICENSE"
    install -m 0644 -t "$out/licenses/swagger-ui" assets/swagger-ui/LICENSE* assets/swagger-ui/NOTICE
    describe
    note "$(cat "$out/gatelatch.sha256"), $(stat -c %s "$out/gatelatch") bytes, in $out/"
}

# What the binary says of itself, under the names that shells and `man` look for.
describe() {
    mkdir -p "$out/man" "$out/completions"
    "$out/gatelatch" man "$out/man"
    "$out/gatelatch" completions bash >"$out/completions/gatelatch"
    "$out/gatelatch" completions zsh >"$out/completions/_gatelatch"
    "$out/gatelatch" completions fish >"$out/completions/gatelatch.fish"
}

# The binary names no loader and, where this user may enter one, runs in an empty root.
stands_alone() {
    local root
    if readelf --program-headers "$1" | grep --quiet INTERP; then
        fail "$1 is not static: it asks for a loader"
    fi
    root=$(mktemp -d)
    install -m 0755 "$1" "$root/gatelatch"
    if ! unshare --map-root-user --root="$root" /gatelatch --version >/dev/null 2>&1 \
        && unshare --map-root-user true 2>/dev/null; then
        fail "$1 does not run in an empty root"
    fi
    # a hash needs chance and bcrypt, without /dev and without /proc
    unshare --map-root-user true 2>/dev/null \
        && unshare --map-root-user --root="$root" /gatelatch hash --cost 4 <<<password >/dev/null \
        && note "static, and runs in an empty root"
    rm -rf "$root"
}

build_twice() {
    # not `local`: the trap runs when this function is over
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    local each
    for each in one another/folder; do
        mkdir -p "$scratch/$each"
        git ls-files -z | tar --create --null --files-from=- | tar --extract --directory "$scratch/$each"
        build "$scratch/$each" "$scratch/$each/target"
    done
    sha256sum "$scratch"/{one,another/folder}"/target/$target/$profile/gatelatch"
    if ! cmp "$scratch"/{one,another/folder}"/target/$target/$profile/gatelatch"; then
        fail "two builds of the same source differ"
    fi
    note "two builds from two folders are the same, byte for byte"
}

note() {
    echo "build-release.sh: $*" >&2
}

fail() {
    note "$@"
    exit 1
}

main "$@"
