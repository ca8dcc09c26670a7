"""Whether memory grows with a file: 20 GiB, shared and fetched once; peak memory of both ends beside the number of chunks.

The file is sparse and lies in memory, where holes cost nothing. What is fetched has no holes, so it goes to a disk.
"""
import json
import os
import shutil
import time

from clock import Clock
from content import STEP, Content, size_text
from hashing import available_bytes
from processes import Failed, wait_for
from report import file_system, made_by, markdown, noise, whole
from setting import Measured
from systems import HttpTorrent, answers

SIZE = 20 << 30
RANDOM = 320        # times STEP, spread evenly: so much comes over the wire, the rest is one chunk of zeros again and again
LEFT_ON_DISK = 10 << 30
LEAST = 1 << 30     # a smaller file says nothing
# Holes that somebody reads through a mapping become memory; before the machine is out of it, the case ends.
LEFT_IN_MEMORY = 2 << 30
READY_S = 600       # to hash it
RUN_S = 1800        # to write it on a slow disk
LOOK_S = 1
PER_CHUNK, BESIDES = 64, 32 << 20       # the memory that a chunk, and all else, is compared with
COLUMNS = ("process", "RSS peak, MiB", "32 MiB and 64 bytes a chunk, MiB", "chunks", "wall s", "CPU s")


class Sparse(Content):
    """`size` bytes of which RANDOM steps are random and the rest is a hole."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        with open(path, "wb", buffering=0) as file:
            file.truncate(size)
            for at in range(RANDOM):
                file.seek(size // RANDOM * at)
                file.write(os.urandom(STEP))
        self.digests = self.digests_of(path)


class Large:
    name = "large"
    on_disk = False     # the copy only
    by_request = True

    def measured(self, setting):
        size = size_for(shutil.disk_usage(setting.disk).free)
        if available_bytes() < LEFT_IN_MEMORY + RANDOM * STEP:
            raise Failed("too little memory is free for this case")
        content = Sparse(setting.work / "data.bin", size)
        system = HttpTorrent(setting.binary)
        system.ready_s = READY_S
        runs = setting.in_turn(self, [system], 1, lambda system, folder: run(system, content, folder, setting.disk))[system.name]
        content.path.unlink()
        smaller = "" if size == SIZE else f"Not {size_text(SIZE)}: {size_text(LEFT_ON_DISK)} of the disk are left free.\n"
        title = f"1 → 1, a file of {size_text(size)}, {size_text(RANDOM * STEP)} of it random and the rest holes"
        text = whole(title, table(runs[0]),
                     f"{smaller}One run. The original is in memory, the copy on {file_system(setting.disk)}; the seed had hashed "
                     "the file before the clock, which is in its memory only. Chunks of zeros are all the same, so that one "
                     f"comes over the wire and the others are copied.\n{noise({self.name: runs}, of_walls=False)}",
                     made_by(setting.command(self), [system.version()], setting.work))
        return Measured(text, {self.name: runs})

    @staticmethod
    def words(result):
        return (f"{result['wall_s']:.1f} s, {result['chunks']} chunks, the seed's peak {result['seed_rss'] >> 20} MiB, "
                f"the leecher's {result['leecher_rss'] >> 20} MiB")


def run(system, content, folder, disk):
    """Both live until they are looked at for the last time: that is exact."""
    (folder / "seed").mkdir()
    copy = disk / "copy"
    copy.mkdir()
    leecher = None
    try:
        [seed] = system.seed(folder / "seed", content)
        chunks = len(json.loads(answers(system.link))["chunks"])
        seed.mark()
        clock = Clock()
        [leecher] = system.leech(copy, 0, True)
        wait_with_room(leecher, seed, clock.start + RUN_S, disk)
        wall = clock.stop()
        for process in (seed, leecher):
            process.sample()
            process.kill()
        noise = clock.noise(seed.cpu_s + leecher.cpu_s)
        if not content.is_at(copy / content.path.name):
            raise Failed("the leecher got something else than was shared (SHA-256 differs)")
    finally:
        # Before what it was still writing to is removed.
        if leecher:
            leecher.kill()
        shutil.rmtree(copy, ignore_errors=True)
    return {"wall_s": wall, "chunks": chunks, "size": content.size, "seed_rss": seed.peak_rss, "leecher_rss": leecher.peak_rss,
            "seed_cpu_s": seed.cpu_s, "leecher_cpu_s": leecher.cpu_s, **noise}


def wait_with_room(leecher, seed, deadline, disk):
    """Until the leecher is complete; ends it all when memory or disk is nearly full."""
    while True:
        try:
            return wait_for([leecher], [seed], time.monotonic() + LOOK_S, late_is_fine=True)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise leecher.complain("was not done in time") from None
            if available_bytes() < LEFT_IN_MEMORY:
                raise Failed("memory is running out: somebody keeps the holes of the file in it") from None
            if shutil.disk_usage(disk).free < LEFT_ON_DISK // 2:
                raise Failed(f"{disk} is running full") from None


def allowance(chunks):
    return BESIDES + PER_CHUNK * chunks


def table(result):
    rows = ((who, f"{result[who + '_rss'] / 2**20:.1f}", f"{allowance(result['chunks']) / 2**20:.1f}", f"{result['chunks']:,}",
             f"{result['wall_s']:.1f}", f"{result[who + '_cpu_s']:.1f}") for who in ("seed", "leecher"))
    return markdown(COLUMNS, rows)


def size_for(free):
    """The size, or what the disk has room for, in whole GiB."""
    size = min(SIZE, (free - LEFT_ON_DISK) >> 30 << 30)
    if size < LEAST:
        raise Failed(f"the disk has too little room: this case leaves {size_text(LEFT_ON_DISK)} free; give --disk")
    return size
