#!/usr/bin/env bash
# Runs the checks of the project, all of them or those that need nothing but Rust. See usage().
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=target/test-venv
requirements=scripts/requirements.txt
node=target/test-node
node_packages=tests/apps/openid
optimised=target/bounded/gatelatch
# what the tests print, and what they skip: binary, test and reason, with tabs in between
record=target/test-output.txt
skipped=target/test-skipped.tsv

usage() {
    cat <<'END'
usage: scripts/test.sh [--fast | --bound]

Without an option, every check: format, lints, and all tests, as CI does. The tests start nginx, HAProxy, Caddy, Envoy,
Apache, Redis, fail2ban, Chromium, valgrind, Python applications and an OpenID provider from npm; as root on Debian or Ubuntu
the script installs what is missing, elsewhere it says what that is.

  --bound   with the bound on instructions as well, which needs an optimised build: minutes the first time. Where there
            is one from before, it is kept up to date and the bound is part of every whole run.
  --fast    while you work: format, unit tests, and the tests of access, analysis, config, docs, house and it that start
            no other program. It needs a Rust toolchain and installs nothing.
  --help    this text

The end says how many tests ran, and which of them skipped something and why. For one test: cargo test --test it NAME.
CARGO_BUILD_JOBS (2) and RUST_TEST_THREADS (two a processor) say how much is done at the same time.
END
}

main() {
    [[ $# -le 1 ]] || fail "one option at most; see scripts/test.sh --help"
    case "${1-}" in
    --fast) fast ;;
    --bound) whole with_bound ;;
    --help | -h) usage ;;
    "") whole ;;
    *) fail "unknown option: $1; see scripts/test.sh --help" ;;
    esac
}

fast() {
    unset GATELATCH_TEST_ALL
    export GATELATCH_TEST_FAST=1
    provide_rust
    step cargo fmt --check
    run_tests --tests
    conclude "not run: lints, documentation tests, and whatever starts another program"
}

whole() {
    provide_packages
    provide_rust
    provide_python
    provide_node
    unset GATELATCH_TEST_FAST
    # a test that lacks what it needs fails, where it would otherwise be skipped
    export GATELATCH_TEST_ALL=1
    export GATELATCH_TEST_PYTHON="$PWD/$venv/bin/python"
    export GATELATCH_TEST_NODE="$PWD/$node"
    export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
    step cargo fmt --check
    step cargo clippy --all-targets --locked -- -D warnings
    unset GATELATCH_TEST_OPTIMISED
    if [[ -n ${1-} || -e $optimised ]]; then
        step cargo build --locked --profile bounded --bin gatelatch
        export GATELATCH_TEST_OPTIMISED="$PWD/$optimised"
    fi
    run_tests
    conclude
}

step() {
    echo "--- $* ($(date +%T))"
    "$@"
}

# Runs tests, all binaries even if some fail, and keeps what they print.
run_tests() {
    export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
    export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) * 2))}"
    mkdir -p target
    : >"$record" >"$skipped"
    export GATELATCH_TEST_SKIPPED="$PWD/$skipped"
    step cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$record" || failed=1
}

# The totals: what ran, and what was skipped and why.
conclude() {
    local passed failures ignored skips
    read -r passed failures ignored < <(awk '
        /^test result: / { passed += $4; failures += $6; ignored += $8 }
        END { print passed + 0, failures + 0, ignored + 0 }' "$record")
    skips=$(cut -f1,2 "$skipped" | sort -u | wc -l)
    if [[ $skips -gt 0 ]]; then
        echo "--- skipped, whole or in part"
        sort -u -t $'\t' -k 3,3 -k 1,2 "$skipped" |
            awk -F '\t' '$3 != reason { reason = $3; print reason ":" } { print "    " $1 " " $2 }'
    fi
    [[ $# -gt 0 ]] && echo "$1"
    local total="$passed tests passed, $skips of them skipped something, $failures failed, $ignored ignored, in $SECONDS s"
    [[ -z ${failed-} ]] || fail "$total"
    echo "all checks passed: $total"
}

# The Debian packages whose commands are missing, one a line.
missing_packages() {
    command -v cc >/dev/null || echo gcc libc6-dev
    command -v curl >/dev/null || echo curl ca-certificates
    command -v jq >/dev/null || echo jq
    command -v python3 >/dev/null || echo python3
    command -v nginx >/dev/null || echo nginx-light
    command -v haproxy >/dev/null || echo haproxy
    command -v caddy >/dev/null || echo caddy
    command -v hitch >/dev/null || echo hitch
    command -v stunnel >/dev/null || echo stunnel4
    command -v apache2 >/dev/null || echo apache2-bin
    command -v redis-server >/dev/null || echo redis-server
    command -v slapd >/dev/null || echo slapd
    command -v ldapmodify >/dev/null || echo ldap-utils
    command -v faketime >/dev/null || echo faketime
    command -v oathtool >/dev/null || echo oathtool
    command -v zbarimg >/dev/null || echo zbar-tools
    command -v prlimit >/dev/null || echo util-linux
    command -v chromium >/dev/null || echo chromium
    command -v valgrind >/dev/null || echo valgrind
    command -v h2load >/dev/null || echo nghttp2-client
    command -v systemd-analyze >/dev/null || echo systemd
    command -v ip >/dev/null || echo iproute2
    command -v npm >/dev/null || echo npm
    command -v fail2ban-regex >/dev/null || echo fail2ban
    command -v promtool >/dev/null || echo prometheus
    command -v git >/dev/null || echo git
    command -v wget >/dev/null || echo wget
    command -v rclone >/dev/null || echo rclone
    command -v restic >/dev/null || echo restic
    command -v cadaver >/dev/null || echo cadaver
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

# A real OpenID provider, and a Node that is new enough for it. Nothing of the packages runs while they are installed.
provide_node() {
    cmp -s "$node_packages/package-lock.json" "$node/installed.json" && return
    rm -rf "$node"
    mkdir -p "$node"
    cp "$node_packages/package.json" "$node_packages/package-lock.json" "$node"
    npm ci --prefix "$node" --ignore-scripts --no-audit --no-fund --silent ||
        fail "cannot install $node_packages/package.json: is the registry of npm reachable?"
    cp "$node_packages/package-lock.json" "$node/installed.json"
}

fail() {
    echo "test.sh: $*" >&2
    exit 1
}

main "$@"
