"""One case on shaped links: all systems in turn, and one run of each with its clock."""
import contextlib
import os
import shutil
import time

from clock import wait_for_quiet
from content import Content, warm_memory
from links import Gate, Network
from processes import Failed, kill_all, machine_s, wait_for
from shapes import HEADERS
from swarms import PEERS, HttpTorrent

TRACKER, SEED, FIRST_LEECHER = 1, 2, 256    # their numbers in the network; the tracker's link is not shaped
GATHER_S = 0.3      # for the last one to reach the gate
LOOK_S = 0.05       # between two looks at what the seed has sent, where it is to be killed


def measure(case, only, repeats, binary, work, patience, tell):
    """All systems in turn, `repeats` times: a dict of lists of results by the system's name."""
    swarms = [HttpTorrent(binary)] + [PEERS[name]() for name in case.peers]
    swarms = [s for s in swarms if s.name in only]
    content = Content(work / "data.bin", case.size)
    results = {swarm.name: [] for swarm in swarms}
    for round_ in range(repeats):
        # Each round begins with another system, so that none is always the one after the slowest.
        for at in range(len(swarms)):
            swarm = swarms[(round_ + at) % len(swarms)]
            patience -= wait_for_quiet(patience)
            try:
                result = run(case, swarm, content, work / "run")
            except Failed as error:
                # The others' figures are worth as much without this one; the table says that it is missing.
                tell(f"{case.name}: {swarm.name}: {error}")
                result = {"complete": 0, "wall_s": None, "bound_s": case.bound_s_if(swarm.liars_take), "copies": None,
                          "lies": 0.0, "killed": False, "other_share": 0.0, "stolen_s": 0.0}
            results[swarm.name].append(result)
            tell(f"{case.name} {round_ + 1}/{repeats} {swarm.name}: {words(case, result)}")
    content.path.unlink()
    return results, [s.version() for s in swarms]


def words(case, result):
    wall, copies = result["wall_s"], result["copies"]
    text = f"{result['complete']} of {case.honest} complete"
    if wall:
        text += f", {wall:.2f} s, {wall / result['bound_s']:.3f} times the bound"
    return text + (f", {copies:.3f} copies" if copies else "")


def run(case, swarm, content, folder):
    """One system once. Whatever it started, and the network, is gone afterwards."""
    network = Network()
    try:
        tracker = network.join(TRACKER, folder / "tracker")
        seed = network.join(SEED, folder / "seed", case.seed_up, case.seed_down)
        places = [network.join(FIRST_LEECHER + n, folder / f"leecher-{n}", up, down)
                  for n, (up, down) in enumerate(case.links)]
        warm_memory(folder, content.size * len(places))
        return Trial(case, swarm, content, seed, places).result(swarm.seed(tracker, seed, content))
    finally:
        kill_all()
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


class Trial:
    """From the moment at which the leechers are let go until the last honest one is complete, or out of time."""

    def __init__(self, case, swarm, content, seed, places):
        self.case, self.swarm, self.content, self.seed = case, swarm, content, seed
        self.coming = list(zip(places, case.lies))
        self.is_gathered = not case.every_s
        self.leechers, self.liars = [], []
        self.honest_places, self.lying_places = [], []

    def result(self, servers):
        self.servers, self.seed_process = servers, servers[0]
        for server in servers:
            server.mark()
        self.everybody = [self.seed] + [place for place, _ in self.coming]
        self.sent_before, all_before = self.seed.sent(), self.sent_by_all()
        self.gather()
        busy, stolen = machine_s()
        self.start = time.monotonic()
        with contextlib.suppress(TimeoutError):
            self.play(self.start + self.case.limit_s)
        wall = time.monotonic() - self.start
        complete = [p.has_said if p.word else p.code == 0 for p in self.leechers]
        sent_by_all = self.sent_by_all() - all_before
        copies, lies = self.copies(), sum(place.sent() for place in self.lying_places) / self.case.size
        processes = servers + self.leechers + self.liars
        for process in processes:
            process.kill()
        busy, stolen = (after - before for after, before in zip(machine_s(), (busy, stolen)))
        for place, done in zip(self.honest_places, complete):
            if done and not self.content.is_at(place.folder / self.content.path.name):
                # Not a Failed: with wrong bytes nothing else is worth knowing.
                raise ValueError(f"{self.swarm.name}: {place.folder.name} got something else than was sent (SHA-256 differs)")
        cpu = sum(p.cpu_s for p in processes)
        return {"complete": sum(complete), "wall_s": wall if sum(complete) == self.case.honest else None, "copies": copies,
                # Of all uplinks, for each copy that is to be delivered: what is above HEADERS is acknowledgements, requests,
                # gains and waste.
                "sent_per_copy": sent_by_all / self.case.size / len(self.coming),
                "bound_s": self.case.bound_s_if(self.swarm.liars_take), "lies": lies, "killed": self.seed_process not in self.servers,
                "other_share": max(0.0, busy - cpu) / (wall * os.cpu_count()), "stolen_s": stolen}

    def gather(self):
        """Who is to come at once is started before the clock, behind a gate."""
        self.gate = Gate()
        if self.is_gathered:
            for place, lies in self.coming:
                place.gate = self.gate
                self.come(place, lies)
            time.sleep(GATHER_S)

    def come(self, place, lies):
        if lies:
            self.liars += self.swarm.lie(place)
            self.lying_places.append(place)
        else:
            self.leechers.append(self.swarm.leech(place))
            self.honest_places.append(place)

    def play(self, limit):
        self.gate.open()
        for n, (place, lies) in enumerate([] if self.is_gathered else self.coming):
            if self.case.every_s:
                self.watch_until(self.start + n * self.case.every_s)
            self.come(place, lies)
        if self.case.seed_dies_at and self.is_due(limit):
            self.seed_process.kill()
            self.servers = self.servers[1:]
        self.wait(limit)

    def wait(self, until):
        """Until all who have come are complete; TimeoutError if that takes longer."""
        wait_for(self.leechers, self.servers + self.liars, until, late_is_fine=True)

    def watch_until(self, at):
        with contextlib.suppress(TimeoutError):
            self.wait(at)
        time.sleep(max(0.0, at - time.monotonic()))

    def is_due(self, limit):
        """Waits for the moment at which the seed is to be killed; whether it came before somebody was complete."""
        while self.copies() < self.case.seed_dies_at * HEADERS:
            self.watch_until(min(limit, time.monotonic() + LOOK_S))
            # A seed that sends hardly more than one copy may not be due before all are complete.
            if time.monotonic() >= limit or all(p.has_said for p in self.leechers):
                return False
        return not any(p.has_said for p in self.leechers)

    def sent_by_all(self):
        return sum(place.sent() for place in self.everybody)

    def copies(self):
        """What the seed's uplink has sent since the start, in sizes of the file; headers are in it."""
        return (self.seed.sent() - self.sent_before) / self.case.size
