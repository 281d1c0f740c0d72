#!/usr/bin/env bash
# Requests a second and latencies of `ingest jwks serve`, beside nginx serving
# the same document as a file, in turns on this machine.
#
#   benches/whole/jwks.sh [ROUNDS] [SECONDS]
#
# Wants nginx and wrk, and a release build of `ingest` (INGEST names another).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

ROUNDS=${1:-5} SECONDS_EACH=${2:-3}
INGEST=$(realpath "${INGEST:-target/release/ingest}")
for tool in nginx wrk "$INGEST"; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 1; }
done

work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

cd "$work"
export INGEST_KEY_PASSPHRASE='a passphrase for a benchmark'
printf '[tenants.acme]\nkeys = "keys"\n' >ingest.toml
"$INGEST" keys generate --alg RS384 --quiet >/dev/null
"$INGEST" keys rotate >/dev/null
"$INGEST" jwks export --out site >/dev/null
"$INGEST" --quiet jwks serve --listen 127.0.0.1:18282 >/dev/null &
pids+=($!)

cat >nginx.conf <<CONF
daemon off; worker_processes auto; pid $work/nginx.pid; error_log $work/nginx.err;
events { worker_connections 2048; }
http {
  access_log off; sendfile on; open_file_cache max=10;
  client_body_temp_path $work/a; proxy_temp_path $work/b; fastcgi_temp_path $work/c;
  uwsgi_temp_path $work/d; scgi_temp_path $work/e;
  server {
    listen 127.0.0.1:18283; root $work/site; keepalive_requests 100000;
    location / { default_type application/jwk-set+json; add_header Cache-Control "public, max-age=300"; }
  }
}
CONF
chmod 755 "$work"; chmod -R a+rX site
nginx -c "$work/nginx.conf" 2>/dev/null &
pids+=($!)

path=/jwks/acme.json
tag() { curl -sI "http://127.0.0.1:$1$path" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p'; }
for port in 18282 18283; do
    for _ in $(seq 50); do curl -sf "http://127.0.0.1:$port$path" >/dev/null && break; sleep 0.1; done
done

printf '%d bytes, 16 connections, %d rounds of %d s\n' \
    "$(curl -s "http://127.0.0.1:18282$path" | wc -c)" "$ROUNDS" "$SECONDS_EACH"
measure() { # NAME PORT [HEADER]
    local header=()
    if [ -n "${3:-}" ]; then header=(-H "If-None-Match: $3"); fi
    wrk -t1 -c16 -d"${SECONDS_EACH}s" --latency "${header[@]}" "http://127.0.0.1:$2$path" |
        awk -v name="$1" '/50%/ {p50=$2} /99%/ {p99=$2} /Requests\/sec/ {rps=$2} /Non-2xx/ {bad=$NF}
            END {printf "%-28s %10.0f/s  p50 %-9s p99 %-9s %s\n", name, rps, p50, p99, bad ? "non-2xx/3xx: " bad : ""}'
}
ours=$(tag 18282) theirs=$(tag 18283)
for _ in $(seq "$ROUNDS"); do
    measure 'ingest jwks serve' 18282
    measure 'nginx' 18283
    measure 'ingest, If-None-Match' 18282 "$ours"
    measure 'nginx, If-None-Match' 18283 "$theirs"
done | tee rounds.txt | sort
