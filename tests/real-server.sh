#!/usr/bin/env bash
# What a FHIR server that others wrote makes of being the store.
#
#   tests/real-server.sh sekmet     installed with pip, under target/; a minute
#   tests/real-server.sh helios     installed with cargo, under target/; ten minutes
#   tests/real-server.sh URL        any other server, best an empty one for tests:
#                                   what was written stays there
#
# Of the first two, whole commands are compared with the same ones into SQLite
# (load, bulk, ADT; all of it twice), and ours and the server are killed in turn.
#
#   REAL_STORE_DATA=DIR:DIR   folders of NDJSON to load instead of a sample
#   REAL_STORE_KILLS=N        how many kills (4)
#   HELIOS_HFS=FILE           a helios-hfs that is there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

HELIOS_VERSION=0.2.7

main() {
    case ${1-} in
    sekmet) whole ;;
    helios)
        HELIOS_HFS=${HELIOS_HFS:-$(helios)}
        export HELIOS_HFS
        whole
        ;;
    http://* | https://*)
        FHIR_STORE_URL=$1 cargo test -p fhir-resource-store --features server --test it -- real
        ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
}

whole() {
    # The tests share the server's processor, and their moments are counted in requests.
    INGEST_REAL_SERVERS=require \
        cargo test -p ingest-tests --test real -- store --test-threads 1 --nocapture
}

# Prints where the program is, which is installed unless it is there. Without
# optimization: that takes eight times as long.
helios() {
    local root=$PWD/target/helios-hfs
    if ! "$root/bin/hfs" --version 2>/dev/null | grep -qF "$HELIOS_VERSION"; then
        CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 cargo install helios-hfs \
            --version "$HELIOS_VERSION" --locked --debug \
            --no-default-features --features R4,sqlite \
            --root "$root" --target-dir "$root/build" >&2
        rm -rf "$root/build"
    fi
    printf '%s\n' "$root/bin/hfs"
}

main "$@"
