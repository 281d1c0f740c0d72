"""What `run` and `peers.py` have in common: programs to build, input to make,
processes to measure, tables to print."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GB = 1e9


def build():
    """Paths of `ingest` (INGEST names another) and of the tools."""
    tools = cargo("-p", "ingest-benches", "--example", "whole")
    ingest = os.environ.get("INGEST")
    return str(Path(ingest).resolve()) if ingest else cargo("-p", "ingest-cli", "--bin", "ingest"), tools


def cargo(*target):
    command = ["cargo", "build", "--release", "--locked", *target, "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(m["executable"] for m in reversed(messages) if m.get("executable"))


class Memory:
    """The memory that is free, taken once before anybody is measured.

    A virtual machine may get its memory page by page from its host, at the first
    touch, and give back what it doesn't use. Such a page costs whoever touches
    it several times what is done with it. A machine at work has few of them, as
    its cache of files has taken what is free; so it does here, by the reading of
    a file without content.
    """

    STEP = 64 << 20
    # Steps without effect after which there is no more to take.
    PATIENCE = 8

    def __init__(self, folder):
        self.file = open(folder / "nothing", "wb+", buffering=0)
        self.file.truncate(1 << 42)
        # Small: those who are measured begin with the memory of this process.
        self.buffer = bytearray(256 << 10)

    def take(self):
        least, idle = self.free(), 0
        while idle < self.PATIENCE:
            for _ in range(0, self.STEP, len(self.buffer)):
                self.file.readinto(self.buffer)
            free = self.free()
            idle = 0 if free < least - self.STEP // 4 else idle + 1
            least = min(least, free)

    @staticmethod
    def free():
        with open("/proc/meminfo") as info:
            return next(int(line.split()[1]) << 10 for line in info if line.startswith("MemFree:"))


class Turn:
    """One process: its wall and CPU seconds, most memory, and what it said."""

    # Unless it is to be measured with memory as it comes.
    memory = None

    def __init__(self, command, cwd):
        # What was written before is not this process's to wait for.
        os.sync()
        if self.memory:
            self.memory.take()
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE)
        self.said = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command}: exit code {process.returncode}\n{self.said}")
        self.cpu = usage.ru_utime + usage.ru_stime
        # In KiB on Linux. Never below what Python had when it forked, some 20 MiB.
        self.peak = usage.ru_maxrss / 1024

    def counts(self, **expected):
        """Ends everything where `ingest` says it did something else."""
        summary = json.loads(self.said)
        found = {name: summary[name] for name in expected}
        if found != expected:
            sys.exit(f"expected {expected}, found {found}")


class Rounds:
    """All turns of all contenders, in the order they were first seen."""

    def __init__(self):
        self.turns = {}

    def add(self, name, turn):
        self.turns.setdefault(name, []).append(turn)
        print(f"{name}: {turn.cpu:.2f} CPU s, {turn.wall:.2f} s", file=sys.stderr)

    def median(self, name, what):
        return statistics.median(getattr(turn, what) for turn in self.turns[name])

    def quotients(self, of, to, what="cpu"):
        """Round by round; two contenders of a round met the same machine."""
        pairs = zip(self.turns[of], self.turns[to])
        return [getattr(a, what) / max(getattr(b, what), 1e-3) for a, b in pairs]

    def table(self, resources, size, references):
        columns = ["job", "wall s", "CPU s/GB", "MB/s", "resources/s", "peak MiB"]
        columns += [f"CPU to {name}" for name in references]
        print(f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}")
        for name in self.turns:
            wall = self.median(name, "wall")
            peak = max(turn.peak for turn in self.turns[name])
            cells = [name, f"{wall:.2f}", f"{self.median(name, 'cpu') / size * GB:.2f}"]
            cells += [f"{size / 1e6 / wall:.0f}", f"{resources / wall:.0f}", f"{peak:.0f}"]
            for reference in references:
                cells.append(f"{statistics.median(self.quotients(name, reference)):.2f}")
            print(f"| {' | '.join(cells)} |")


def ratio_heading():
    print("\n| ratio, round by round | median | least | most |\n| --- | ---: | ---: | ---: |")


def ratio(what, quotients):
    middle, least, most = statistics.median(quotients), min(quotients), max(quotients)
    print(f"| {what} | {middle:.2f} | {least:.2f} | {most:.2f} |")


def generate(tools, folder, gigabytes, what="generate"):
    """A file of each type in the folder; these files, resources and bytes."""
    resources, size = map(int, Turn([tools, what, round(gigabytes * GB), folder], folder.parent).said.split())
    return several(folder), resources, size


def several(folder):
    """Patients first, as their records refer to them."""
    return sorted(folder.glob("*.ndjson"), key=lambda file: (file.stem != "Patient", file.name))


def join(files, target, keep):
    with open(target, "wb") as output:
        for file in files:
            with open(file, "rb") as part:
                shutil.copyfileobj(part, output, 1 << 20)
            if not keep:
                file.unlink()
    return target


def folder_size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
