"""What it costs to do nothing: memory and context switches of a seed that nobody asks, and of a leecher that serves on."""
import contextlib
import os
import statistics
import time
from pathlib import Path

from clock import Clock
from content import Content, size_text
from processes import Failed, memory_of, wait_for
from report import made_by, markdown, memory, noise, spread, whole
from setting import Measured
from systems import HttpTorrent

SIZE = 64 << 20
REST_S = 5          # what a start or a download leaves to be done has ended by then
WATCH_S = 20
LOOK_S = 0.5        # threads are few and live longer, so that one which ends between two looks is missed by little
MOST_RUNS = 3       # each takes nearly a minute
READY_S = 60
SEED, LEECHER, AFTER = "share, nobody has asked", "get, complete, with --seed-time", "share, after that"
COLUMNS = ("process", "RSS now, MiB", "RSS peak, MiB", "context switches a second", "CPU ms a second", "threads")


class Idle:
    name = "idle"
    on_disk = by_request = False

    def measured(self, setting):
        content = Content(setting.work / "data.bin", SIZE)
        system = HttpTorrent(setting.binary)
        rounds = setting.in_turn(self, [system], min(MOST_RUNS, setting.repeats),
                                 lambda system, folder: run(system, content, folder))[system.name]
        content.path.unlink()
        results = {name: [of[name] for of in rounds] for name in (SEED, LEECHER, AFTER)}
        runs = len(rounds)
        text = whole(f"nothing to do, {size_text(SIZE)} shared", table(results),
                     f"Medians of {runs} {'run' if runs == 1 else 'runs'} [least–most], each {WATCH_S} s long after "
                     f"{REST_S} s of rest; memory is the most of all runs.\n{noise(results, of_walls=False)}",
                     made_by(setting.command(self), [system.version()], setting.work))
        return Measured(text, results)

    @staticmethod
    def words(result):
        return ", ".join(f"{of['switches_per_s']:.1f} switches/s" for of in result.values())


def run(system, content, folder):
    """The seed alone; then a leecher that has fetched everything, and the seed beside it."""
    for name in ("seed", "leecher"):
        (folder / name).mkdir()
    [seed] = system.seed(folder / "seed", content)
    alone = watched({SEED: seed})
    [leecher] = system.leech(folder / "leecher", 0, True, "--metrics", "")
    wait_for([leecher], [seed], time.monotonic() + READY_S)
    both = watched({LEECHER: leecher, AFTER: seed})
    if not content.is_at(folder / "leecher" / content.path.name):
        raise Failed("the leecher got something else than was shared (SHA-256 differs)")
    return {**alone, **both}


def watched(processes):
    """Figures by name, after a rest. The processes' stdout is not read meanwhile: it is a pipe, and they say little."""
    time.sleep(REST_S)
    counts = {name: Switches(process.pid) for name, process in processes.items()}
    for process in processes.values():
        process.mark()
    clock = Clock()
    while time.monotonic() - clock.start < WATCH_S:
        time.sleep(LOOK_S)
        for count in counts.values():
            count.look()
    wall = clock.stop()
    figures = {}
    for name, process in processes.items():
        if process.ended():
            raise process.complain(f"ended with {process.code}")
        cpu = process.since_mark()
        figures[name] = {"wall_s": wall, "rss": memory_of(process.pid, "VmRSS"), "peak_rss": memory_of(process.pid, "VmHWM"),
                         "switches_per_s": counts[name].sum / wall, "cpu_s": cpu,
                         "threads": len(os.listdir(f"/proc/{process.pid}/task")), **clock.noise(cpu)}
    return figures


class Switches:
    """Context switches of all threads of a process, voluntary or not, since this was made."""

    def __init__(self, pid):
        self.tasks, self.seen, self.sum = Path(f"/proc/{pid}/task"), {}, 0
        self.look()
        self.sum = 0

    def look(self):
        """Thread by thread: the kernel's sum goes down when a thread ends."""
        for task in self.tasks.iterdir():
            with contextlib.suppress(OSError):
                count = switches_in((task / "status").read_text())
                # A thread that was not there before has made all of its own since.
                self.sum += count - self.seen.get(task.name, 0)
                self.seen[task.name] = count


def switches_in(status):
    return sum(int(line.split()[1]) for line in status.splitlines() if "voluntary_ctxt_switches" in line)


def table(results):
    return markdown(COLUMNS, [
        (name, memory(runs, "rss"), memory(runs, "peak_rss"), spread([r["switches_per_s"] for r in runs], 1),
         f"{statistics.median(r['cpu_s'] / r['wall_s'] for r in runs) * 1000:.2f}", str(max(r["threads"] for r in runs)))
        for name, runs in results.items()])
