"""What is delivered: which content goes to how many leechers, and one run of it with its clock."""
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from bittorrent import Aria2, Libtorrent
from clock import Clock
from content import Content, size_text, warm_memory
from processes import Failed, wait_for
from report import section
from setting import Measured
from systems import HttpTorrent, HttpTorrentSha256, NginxBareLoop, NginxCurl, NginxCurlSync, TarNginxCurlTar

RUN_S = 300         # one run; the slowest takes some seconds


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    peers: tuple        # of this project; the first one is what ratios are taken against
    leechers: int = 1
    size: int = 0
    files: int = 0
    often: int = 1      # times --repeats: short runs vary more, and cost less
    ours: tuple = (HttpTorrent,)
    on_disk: bool = False       # else in memory
    by_request: bool = False    # not part of a run that names no cases
    note: str = ""

    def systems(self, binary):
        return [ours(binary) for ours in self.ours] + [peer() for peer in self.peers]

    def content(self, folder):
        return Content(folder / ("folder" if self.files else "data.bin"), self.size, self.files)

    def needs_bytes(self):
        """On the work folder: the original and each leecher's copy, a tar, and some room."""
        return (self.size + self.files * (64 << 10)) * (self.leechers + 2)

    def measured(self, setting):
        """All systems in turn."""
        folder = setting.folder_of(self)
        if shutil.disk_usage(folder).free < self.needs_bytes():
            option = "--disk" if self.on_disk else "--work-dir"
            raise Failed(f"{folder} has too little room: this case wants {self.needs_bytes() >> 20} MiB; give {option}")
        content = self.content(folder)
        systems = self.systems(setting.binary)
        results = setting.in_turn(self, systems, setting.repeats * self.often,
                                  lambda system, place: run(self, system, content, place))
        title = f"{self.title} ({content.size / 2**20:.1f} MiB)" if self.files else self.title
        remove(content.path)
        text = section(title, results, self.peers[0].name, setting.command(self), [s.version() for s in systems], folder,
                       self.note)
        return Measured(text, results)

    @staticmethod
    def words(result):
        return f"{result['wall_s']:.3f} s"


CASES = (
    Case("one", f"1 → 1, {size_text(1 << 30)}", (NginxCurl, NginxBareLoop, Aria2, Libtorrent), size=1 << 30),
    Case("eight", f"1 → 8, {size_text(512 << 20)} each", (NginxCurl, NginxBareLoop, Aria2, Libtorrent), leechers=8, size=512 << 20,
         ours=(HttpTorrent, HttpTorrentSha256)),
    Case("small", f"one file of {size_text(1 << 20)}", (NginxCurl, Aria2), size=1 << 20, often=3),
    Case("folder", "a folder of 2,000 small files", (TarNginxCurlTar,), files=2000, often=3),
    Case("many", "a folder of 50,000 files of 2 KiB", (TarNginxCurlTar,), size=2 << 10, files=50_000),
    Case("disk", f"1 → 8, {size_text(256 << 20)} each, on a disk", (NginxCurlSync, Aria2), leechers=8, size=256 << 20,
         on_disk=True, by_request=True,
         note="Original and copies are on one disk, and the original is in the page cache. http-torrent syncs by itself, and each "
              "curl is followed by `sync` of its file and folder: these are durable when the clock stops. aria2 does not "
              "sync: its copies are in the page cache then, some of them not yet on the disk."),
)


def run(case, system, content, folder):
    """One system once. The clock runs from the first leecher's start until the last one is done; then it is checked."""
    copies = [folder / f"leecher-{n}" for n in range(case.leechers)]
    for place in (folder / "seed", *copies):
        place.mkdir()
    servers = system.seed(folder / "seed", content)
    warm_memory(folder, content.size * case.leechers)
    if case.on_disk:
        os.sync()       # what the run before left to be written is not this one's
    seeds_on = case.leechers > 1

    for server in servers:
        server.mark()
    clock = Clock()
    leechers = [system.leech(copy, n, seeds_on) for n, copy in enumerate(copies)]
    wait_for([p for leecher in leechers for p in leecher], servers, time.monotonic() + RUN_S)
    wall = clock.stop()
    processes = servers + [p for leecher in leechers for p in leecher]
    for process in processes:
        process.sample()
    for process in processes:
        process.kill()
    cpu = sum(p.cpu_s for p in processes)
    noise = clock.noise(cpu)

    for copy in copies:
        if not content.is_at(copy / content.path.name):
            raise Failed(f"{system.name}: {copy.name} got something else than was sent (SHA-256 differs)")
    return {"wall_s": wall, "cpu_s": cpu, "cpu_s_per_gib": cpu / (content.size * case.leechers / 2**30),
            "leecher_rss": max(sum(p.peak_rss for p in leecher) for leecher in leechers), "seed_rss": servers[0].peak_rss,
            **noise}


def remove(path):
    shutil.rmtree(path) if path.is_dir() else Path(path).unlink()
