#!/usr/bin/env python3
"""What `ingest load` takes beside what others take for the same files.

    benches/whole/peers.py 0.1 [--rounds N]

DuckDB and sqlite-utils are taken from the Python this runs with, cumulus-etl
from PATH; who is not there is left out. INGEST and INGEST_BENCH_DATA are as for
`benches/whole/run`.

DuckDB does the same work as far as it can: parse, key, hash, upsert by key where
the hash differs. Its hash is of the text as it is, not of a canonical form, and
it keeps no versions and no Provenance. sqlite-utils upserts by key into columns
and hashes nothing; cumulus-etl takes identities out and writes NDJSON again.
Nobody can read a store of DuckDB or sqlite-utils while it is written: what compares
with that is `--exclusive`.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from measure import Memory, Rounds, Turn, build, fresh, generate, join, ratio, ratio_heading

ALONE = "ingest --exclusive"
OURS = ["ingest", ALONE]
DUCKDB = """
CREATE TABLE IF NOT EXISTS resources (key VARCHAR PRIMARY KEY, hash VARCHAR, body VARCHAR);
INSERT INTO resources
SELECT (json ->> 'resourceType') || '/' || (json ->> 'id'), sha256(json::VARCHAR), json::VARCHAR
FROM read_json_objects($1, format = 'newline_delimited', maximum_object_size = 67108864)
ON CONFLICT (key) DO UPDATE SET hash = excluded.hash, body = excluded.body
WHERE resources.hash <> excluded.hash
"""


def main():
    if sys.argv[1:2] == ["--duckdb"]:
        return duckdb_job(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gigabytes", type=float)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", help="folder for input and stores; a temporary one in it is removed")
    args = parser.parse_args()
    ingest, tools = build()
    with tempfile.TemporaryDirectory(prefix="ingest-peers-", dir=args.work) as folder:
        work = Path(folder)
        files, resources, size = generate(tools, work / "several", args.gigabytes)
        one = join(files, work / "one.ndjson", True)
        load = [ingest, "load", "--json", "--quiet", "--db", "ingest.db", one]
        commands = {"ingest": load, ALONE: [*load, "--exclusive"], **peers(one, files)}
        Turn.memory = Memory(work)
        compare(work, commands, resources, size, args.rounds)


def peers(one, files):
    """Commands of those that are installed; a line on each that is not."""
    utils = [sys.executable, "-m", "sqlite_utils", "upsert", "peer.db", "resources", one, "--nl", "--alter"]
    found = {
        "DuckDB": [sys.executable, __file__, "--duckdb", one, "peer.duckdb"],
        "sqlite-utils": [*utils, "--pk", "resourceType", "--pk", "id"],
        "cumulus-etl": ["cumulus-etl", "etl", files[0].parent, "out", "phi", *CUMULUS],
    }
    there = {
        "DuckDB": importlib.util.find_spec("duckdb"),
        "sqlite-utils": importlib.util.find_spec("sqlite_utils"),
        "cumulus-etl": shutil.which("cumulus-etl"),
    }
    for name in [name for name in found if not there[name]]:
        print(f"{name} skipped: it is not installed")
        del found[name]
    return found


CUMULUS = [
    "--output-format=ndjson",
    "--allow-missing-resources",
    "--export-group=bench",
    "--export-timestamp=2020-01-01T00:00:00Z",
]


def compare(work, commands, resources, size, number):
    rounds = Rounds()
    for _ in range(number):
        for name, command in list(commands.items()):
            try:
                turns(rounds, name, command, fresh(work / "store"), resources)
            except SystemExit as failure:
                # A peer may lack what it needs; what was measured of it would mislead.
                if name in OURS:
                    raise
                print(f"{name} skipped: {failure}")
                del commands[name]
                rounds.turns = {job: of for job, of in rounds.turns.items() if not job.endswith(name)}
    print(f"\n{resources} resources, {size / 1e9:.3f} GB, {number} rounds; medians, of memory the most\n")
    rounds.table(resources, size, [])
    ratio_heading()
    for own, job in [("ingest", "first load"), (ALONE, "first load"), ("ingest", "reload")]:
        for name in commands:
            if name not in OURS:
                ratio(f"CPU of {name} to {own}, {job}", rounds.quotients(f"{job}, {name}", f"{job}, {own}"))


def turns(rounds, name, command, store, resources):
    for job in ("first load", "reload"):
        # cumulus-etl does all of it again, and into an empty folder only.
        shutil.rmtree(store / "out", ignore_errors=True)
        turn = Turn(command, store)
        if name in OURS:
            turn.counts(created=resources if job == "first load" else 0, updated=0)
        rounds.add(f"{job}, {name}", turn)


def duckdb_job(file, store):
    import duckdb

    connection = duckdb.connect(store)
    for statement in DUCKDB.strip().split(";"):
        connection.execute(statement, [file] if "$1" in statement else None)
    connection.close()


main()
