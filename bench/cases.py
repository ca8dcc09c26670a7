"""What is measured: which content goes to how many leechers, and one run of it with its clock."""
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from content import Content, size_text, warm_memory
from processes import Failed, kill_all, machine_s, wait_for
from systems import Aria2, HttpTorrent, NginxCurl, TarNginxCurlTar

RUN_S = 300         # one run; the slowest takes some seconds
QUIET_S = 0.5       # for so long
QUIET_SHARE = 0.1   # no more than this of the machine's CPU time may be in use


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    peers: tuple        # of this project; the first one is what ratios are taken against
    leechers: int = 1
    size: int = 0
    files: int = 0
    often: int = 1      # times --repeats: short runs vary more, and cost less

    def systems(self, binary):
        return [HttpTorrent(binary)] + [peer() for peer in self.peers]

    def content(self, folder):
        return Content(folder / ("folder" if self.files else "data.bin"), self.size, self.files)

    def needs_bytes(self):
        """On the work folder: the original and each leecher's copy, a tar, and some room."""
        return (self.size + self.files * (64 << 10)) * (self.leechers + 2)


CASES = (
    Case("one", f"1 → 1, {size_text(1 << 30)}", (NginxCurl, Aria2), size=1 << 30),
    Case("eight", f"1 → 8, {size_text(512 << 20)} each", (NginxCurl, Aria2), leechers=8, size=512 << 20),
    Case("small", f"one file of {size_text(1 << 20)}", (NginxCurl, Aria2), size=1 << 20, often=3),
    Case("folder", "a folder of 2,000 small files", (TarNginxCurlTar,), files=2000, often=3),
    Case("many", "a folder of 50,000 files of 2 KiB", (TarNginxCurlTar,), size=2 << 10, files=50_000),
)


def measure(case, repeats, binary, work, patience, tell):
    """All systems in turn, `repeats` times: a dict of lists of results by the system's name; and what was delivered."""
    if shutil.disk_usage(work).free < case.needs_bytes():
        raise Failed(f"{work} has too little room: this case wants {case.needs_bytes() >> 20} MiB; give --work-dir")
    content = case.content(work)
    systems = case.systems(binary)
    results = {system.name: [] for system in systems}
    for round_ in range(repeats):
        # Each round begins with another system, so that none is always the one after the slowest.
        for at in range(len(systems)):
            system = systems[(round_ + at) % len(systems)]
            patience -= wait_for_quiet(patience)
            folder = work / "run"
            try:
                result = run(case, system, content, folder)
            finally:
                kill_all()
                shutil.rmtree(folder, ignore_errors=True)
            tell(f"{case.name} {round_ + 1}/{repeats} {system.name}: {result['wall_s']:.3f} s")
            results[system.name].append(result)
    remove(content.path)
    return results, content


def run(case, system, content, folder):
    """One system once. The clock runs from the first leecher's start until the last one is done; then it is checked."""
    for name in ("seed", *(f"leecher-{n}" for n in range(case.leechers))):
        (folder / name).mkdir(parents=True)
    servers = system.seed(folder / "seed", content)
    warm_memory(folder, content.size * case.leechers)
    seeds_on = case.leechers > 1
    copies = [folder / f"leecher-{n}" for n in range(case.leechers)]

    for server in servers:
        server.mark()
    busy, stolen = machine_s()
    start = time.monotonic()
    leechers = [system.leech(copy, n, seeds_on) for n, copy in enumerate(copies)]
    wait_for([p for leecher in leechers for p in leecher], servers, start + RUN_S)
    wall = time.monotonic() - start
    processes = servers + [p for leecher in leechers for p in leecher]
    for process in processes:
        process.sample()
    for process in processes:
        process.kill()
    busy, stolen = (after - before for after, before in zip(machine_s(), (busy, stolen)))

    for copy in copies:
        if not content.is_at(copy / content.path.name):
            raise Failed(f"{system.name}: {copy.name} got something else than was sent (SHA-256 differs)")
    cpu = sum(p.cpu_s for p in processes)
    return {"wall_s": wall, "cpu_s": cpu, "cpu_s_per_gib": cpu / (content.size * case.leechers / 2**30),
            "leecher_rss": max(sum(p.peak_rss for p in leecher) for leecher in leechers), "seed_rss": servers[0].peak_rss,
            "other_share": max(0.0, busy - cpu) / (wall * os.cpu_count()), "stolen_s": stolen}


def wait_for_quiet(most):
    """Until the machine has little else to do, for at most so many seconds; how long it was."""
    start = time.monotonic()
    while time.monotonic() - start < most:
        busy, at = machine_s()[0], time.monotonic()
        time.sleep(QUIET_S)
        if machine_s()[0] - busy < QUIET_SHARE * os.cpu_count() * (time.monotonic() - at):
            break
    return time.monotonic() - start


def remove(path):
    shutil.rmtree(path) if path.is_dir() else Path(path).unlink()
