#!/usr/bin/env bash
# Runs every check of the project: format, lints, all tests. As root on Debian or Ubuntu it installs what is missing,
# elsewhere it says what that is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=target/test-venv
requirements=scripts/requirements.txt

main() {
    provide_packages
    provide_rust
    provide_python
    export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
    # a test that lacks what it needs fails, where it would otherwise be skipped
    export GATELATCH_TEST_ALL=1
    export GATELATCH_TEST_PYTHON="$PWD/$venv/bin/python"
    step cargo fmt --check
    step cargo clippy --all-targets --locked -- -D warnings
    step cargo test --locked
    echo "all checks passed"
}

step() {
    echo "--- $*"
    "$@"
}

# The Debian packages whose commands are missing, one a line.
missing_packages() {
    command -v cc >/dev/null || echo gcc libc6-dev
    command -v curl >/dev/null || echo curl ca-certificates
    command -v jq >/dev/null || echo jq
    command -v python3 >/dev/null || echo python3
    command -v nginx >/dev/null || echo nginx-light
    command -v haproxy >/dev/null || echo haproxy
    command -v redis-server >/dev/null || echo redis-server
    command -v prlimit >/dev/null || echo util-linux
    command -v chromium >/dev/null || echo chromium
    command -v valgrind >/dev/null || echo valgrind
    command -v systemd-analyze >/dev/null || echo systemd
    command -v ip >/dev/null || echo iproute2
    command -v promtool >/dev/null || echo prometheus
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

provide_packages() {
    local missing
    missing=$(missing_packages | xargs)
    [[ -z $missing ]] && return
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        fail "these packages are missing (Debian names): $missing"
    fi
    apt-get update -qq
    # word splitting is meant: one argument a package
    # shellcheck disable=SC2086
    # RUNLEVEL=1: what is installed for its tools is not started as a service
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

provide_rust() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs"
    cargo fmt --version >/dev/null 2>&1 || fail "rustfmt is missing: run rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || fail "clippy is missing: run rustup component add clippy"
}

# A FastAPI application stands behind the gateway in the end-to-end test, and a validator reads the JSON Schemas.
provide_python() {
    cmp -s "$requirements" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
        fail "cannot install $requirements: is PyPI reachable?"
    cp "$requirements" "$venv/installed.txt"
}

fail() {
    echo "test.sh: $*" >&2
    exit 1
}

main
