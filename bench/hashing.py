"""How fast a file is described: `torrentify` and `verify` beside b3sum, which only hashes (BLAKE3), over one file in memory."""
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from clock import Clock
from content import Content, size_text
from processes import Failed, Process, wait_for
from report import made_by, markdown, medians_of, memory, noise, spread, whole
from setting import Measured
from systems import HttpTorrent, first_line, program

SIZE = 4 << 30
# Only one such file lies in memory, but it must stay there beside all else that the machine does.
FREE_TIMES = 3
LEAST_RUNS = 3
RUN_S = 300
NOBODY = "127.0.0.1:1"      # the tracker that the description names; nobody asks it
COLUMNS = ("program", "wall s", "GiB/s", "speed / b3sum's", "CPU s", "RSS, MiB")


class Hashing:
    name = "torrentify"
    on_disk = by_request = False

    def measured(self, setting):
        size = size_for(available_bytes())
        content = Content(setting.work / "data.bin", size)
        programs = [B3sum(), Torrentify(setting.binary), Verify(setting.binary)]
        # One description is made beforehand, so that `verify` can have its turn first.
        Torrentify.describe(setting.binary, content.path, setting.work / "torrent.json")
        results = setting.in_turn(self, programs, max(LEAST_RUNS, setting.repeats),
                                  lambda program, folder: run(program, content, folder))
        content.path.unlink()
        smaller = "" if size == SIZE else f"; not {size_text(SIZE)}, as the machine has too little free memory for that"
        text = whole(f"a cached file of {size_text(size)}", table(results),
                     f"{medians_of(results)}{smaller}.\n{noise(results)}",
                     made_by(setting.command(self), [HttpTorrent(setting.binary).version(), B3sum.version()], setting.work))
        return Measured(text, results)

    @staticmethod
    def words(result):
        return f"{result['wall_s']:.3f} s, {result['gib_per_s']:.2f} GiB/s"


class B3sum:
    name = "b3sum"

    @staticmethod
    def version():
        return first_line(program("b3sum"), "--version")

    def argv(self, file, folder):
        return [program("b3sum"), file]

    def check(self, file, folder):
        pass        # it is the measure


class Torrentify:
    name = "http-torrent torrentify"

    def __init__(self, binary):
        self.binary = binary

    def argv(self, file, folder):
        return [self.binary, "torrentify", file, NOBODY, "-o", folder / "torrent.json"]

    @staticmethod
    def describe(binary, file, output):
        subprocess.run([binary, "torrentify", file, NOBODY, "-o", output], check=True, capture_output=True, timeout=RUN_S)

    def check(self, file, folder):
        """The first and the last chunk's hashes are what b3sum says of these bytes, and no chunk is missing."""
        torrent = json.loads((folder / "torrent.json").read_text())
        size, chunk = os.path.getsize(file), torrent["chunkSize"]
        chunks = torrent["chunks"]
        if torrent["fileSize"] != size or len(chunks) != -(-size // chunk):
            raise Failed(f"{self.name}: the description is not one of {size} bytes")
        with open(file, "rb") as data:
            for at in (0, len(chunks) - 1):
                data.seek(at * chunk)
                hashed = subprocess.run([program("b3sum"), "--no-names"], input=data.read(chunk), capture_output=True, check=True)
                if hashed.stdout.decode().strip() != chunks[at]["hash"]:
                    raise Failed(f"{self.name}: chunk {at} has another hash than b3sum says")


class Verify(Torrentify):
    """All chunks against the description; one that is wrong would be exit code 4, which is an error here."""
    name = "http-torrent verify"

    def argv(self, file, folder):
        return [self.binary, "verify", file.parent / "torrent.json", "--dir", file.parent]

    def check(self, file, folder):
        pass        # its exit code was


def run(program, content, folder):
    """From the start of the process until it has ended."""
    clock = Clock()
    process = Process("program", program.argv(content.path, folder), folder)
    wait_for([process], [], time.monotonic() + RUN_S)
    wall = clock.stop()
    noise = clock.noise(process.cpu_s)
    program.check(content.path, folder)
    return {"wall_s": wall, "gib_per_s": content.size / 2**30 / wall, "cpu_s": process.cpu_s, "rss": process.peak_rss, **noise}


def table(results):
    def speed(name):
        return statistics.median(r["gib_per_s"] for r in results[name])

    return markdown(COLUMNS, [
        (name, spread([r["wall_s"] for r in runs]), f"{speed(name):.2f}",
         "–" if name == B3sum.name else f"{speed(name) / speed(B3sum.name):.2f}",
         f"{statistics.median(r['cpu_s'] for r in runs):.3f}", memory(runs, "rss")) for name, runs in results.items()])


def size_for(available):
    """The size, halved until it fits into the memory that is free."""
    size = SIZE
    while size * FREE_TIMES > available:
        size //= 2
    return size


def available_bytes():
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) << 10
