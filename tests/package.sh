#!/usr/bin/env bash
# Packs every crate that is published, as `cargo publish --workspace` would, and
# looks at what is in the packages. With `--verify` each is built from its
# package as well: do so before a release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

verify=--no-verify
if [ "${1:-}" = --verify ]; then
    verify=
fi

private=()
for manifest in */Cargo.toml; do
    if grep -q '^publish = false$' "$manifest"; then
        private+=(--exclude "$(sed -n '0,/^name = "\(.*\)"$/s//\1/p' "$manifest")")
    fi
done

packages=${CARGO_TARGET_DIR:-target}/package
rm -f "$packages"/*.crate
# A change that is not committed yet is to be tried too.
cargo package --workspace "${private[@]}" --locked --allow-dirty --quiet $verify

count=0
for package in "$packages"/*.crate; do
    files=$(tar -tzf "$package" | cut -d/ -f2-)
    for wanted in Cargo.toml README.md LICENSE-APACHE LICENSE-MIT; do
        grep -qx "$wanted" <<<"$files" || {
            echo "$package lacks $wanted" >&2
            exit 1
        }
    done
    others=$(grep -vE '^(src/.*|Cargo\.(toml|toml\.orig|lock)|README\.md|LICENSE-(APACHE|MIT)|\.cargo_vcs_info\.json)$' <<<"$files" || true)
    if [ -n "$others" ]; then
        echo "$package also holds:" $others >&2
        exit 1
    fi
    count=$((count + 1))
done
printf '%d packages, %d KiB\n' "$count" "$(cat "$packages"/*.crate | wc -c | awk '{ print int($1 / 1024) }')"
