#!/usr/bin/env bash
# Fuzzes the parsers of untrusted bytes: scripts/fuzz.sh [TARGET] [MINUTES]; all targets, a minute each, by default.
#
# The stable toolchain is enough. `-Cpasses=sancov-module` and LLVM's options for coverage are stable; what needs a nightly is the
# address sanitizer, which has little to find where `unsafe` is forbidden: every panic, every overflow, every failed assertion
# and every hang is found without. So neither nightly nor cargo-fuzz nor RUSTC_BOOTSTRAP is used.
#
# Corpora grow in `fuzz/corpus/TARGET`, which is not in the repository, from the seeds in `tests/fuzz/seeds/TARGET`, which are.
# What fails is written to `fuzz/artifacts/TARGET`: it becomes a seed with the fix. The counts are in `fuzz/artifacts/runs.tsv`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || target="$(uname -m)-unknown-linux-gnu"

main() {
    local wanted="${1:-all}" minutes="${2:-1}" targets failed=0
    if [ "$wanted" = all ]; then
        targets="$(basename -s .rs -a fuzz/fuzz_targets/*.rs)"
    else
        [ -e "fuzz/fuzz_targets/$wanted.rs" ] || fail "no target is called $wanted"
        targets="$wanted"
    fi
    build "$wanted"
    for one in $targets; do
        run "$one" "$((minutes * 60))" || failed=1
    done
    return "$failed"
}

# With a target named, build scripts and macros are not instrumented.
build() {
    local which=(--bin "$1")
    [ "$1" != all ] || which=(--bins)
    RUSTFLAGS="-Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares \
        -Cllvm-args=-simplifycfg-branch-fold-threshold=0" \
        cargo build --locked --manifest-path fuzz/Cargo.toml --release --target "$target" "${which[@]}"
}

run() {
    local corpus="fuzz/corpus/$1" artifacts="fuzz/artifacts/$1" log status=0
    mkdir -p "$corpus" "$artifacts"
    log="$artifacts/last.log"
    nice -n 19 "fuzz/target/$target/release/$1" "$corpus" "tests/fuzz/seeds/$1" \
        -max_total_time="$2" -timeout=30 -rss_limit_mb=4096 -max_len="$(max_len "$1")" \
        -artifact_prefix="$artifacts/" -print_final_stats=1 >"$log" 2>&1 || status=$?
    local executions
    executions="$(sed -n 's/^stat::number_of_executed_units: //p' "$log")"
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "${executions:-0}" "$status" | tee -a fuzz/artifacts/runs.tsv
    [ "$status" = 0 ] || { tail -n 40 "$log" >&2; return 1; }
}

# Longer inputs than the parsers need make each execution slow.
max_len() {
    case "$1" in
    configuration | users | openapi | jwks) echo 8192 ;;
    *) echo 2048 ;;
    esac
}

fail() {
    echo "fuzz.sh: $*" >&2
    exit 1
}

main "$@"
