"""What is measured on shaped links: who takes part over which links, what goes wrong, and what arithmetic allows at best.

Nothing here starts anything. Rates are in Mbit/s (10^6), sizes in bytes, times in seconds.
"""
from dataclasses import dataclass

from content import size_text

MIB = 1 << 20
# 1,448 bytes of payload (1,500 less IP, TCP and its timestamps) travel in a frame of 1,514, and `tbf` counts frames.
HEADERS = 1514 / 1448


@dataclass(frozen=True)
class Group:
    """Leechers with links of one kind."""
    count: int
    up: int
    down: int


@dataclass(frozen=True)
class Case:
    name: str
    size: int
    seed_up: int
    groups: tuple
    every_s: float = 0      # between one leecher's start and the next one's
    liars: int = 0          # so many of the leechers serve wrong bytes
    seed_dies_at: float = 0     # copies of the payload, after which the seed is killed unless somebody is complete
    peers: tuple = ("aria2", "libtorrent")      # what this project is measured beside

    @property
    def is_fault(self):
        return bool(self.liars or self.seed_dies_at)

    @property
    def links(self):
        """(up, down) of each leecher, in the order in which they start; equal groups would start one after the other."""
        waiting = [[(g.up, g.down)] * g.count for g in self.groups]
        return [links.pop() for _ in range(max(map(len, waiting))) for links in waiting if links]

    @property
    def lies(self):
        """Of each leecher in the same order, whether it lies; evenly spread, the first one among them."""
        of, honest_between = len(self.links), len(self.links) // self.liars if self.liars else 0
        places = {n * honest_between for n in range(self.liars)}
        return [n in places for n in range(of)]

    @property
    def honest(self):
        """How many must be complete in the end."""
        return len(self.links) - self.liars

    @property
    def seed_down(self):
        return max(g.down for g in self.groups)

    @property
    def bound_s(self):
        """The same where liars take the file as everybody else does, and for whom there are none."""
        return self.bound_s_if(liars_take=True)

    def bound_s_if(self, liars_take):
        """The least time in which all can have the file, if it could be cut as finely as one likes (Kumar and Ross,
        "Peer-Assisted File Distribution: The Minimum Distribution Time", 2006): payload only, and as if all came at once.

        What liars send is of no use to anybody. Those that claim to have the file already need not be served either.
        """
        megabits = self.size * 8 / 1e6
        of_use = sum(up for (up, _), lies in zip(self.links, self.lies) if not lies)
        served = len(self.links) if liars_take else self.honest
        return max(megabits / self.seed_up, megabits / min(down for _, down in self.links),
                   served * megabits / (self.seed_up + of_use))

    @property
    def last_start_s(self):
        return self.every_s * (len(self.links) - 1)

    @property
    def limit_s(self):
        """Of one run: who is not complete by then is counted as not complete."""
        # Where something goes wrong, some systems never end, and all runs of them would take this long.
        return 2 * self.bound_s + 10 if self.is_fault else self.last_start_s + 3 * self.bound_s + 15

    @property
    def title(self):
        leechers = " + ".join(f"{g.count} × {g.up}/{g.down}" for g in self.groups)
        words = f"seed {self.seed_up}, {leechers}, {size_text(self.size)}"
        if self.every_s:
            words += f", one every {self.every_s:g} s"
        if self.liars:
            words += f", {self.liars} of them lie"
        if self.seed_dies_at:
            words += f", the seed is killed after {self.seed_dies_at:g} copies"
        return words


CASES = (
    # Nearly everything is scarce at once: the seed's uplink first, the sum of all uplinks 12 % later.
    Case("8", 128 * MIB, 50, (Group(8, 50, 200),)),
    # Every uplink has to be busy all the time.
    Case("16", 64 * MIB, 40, (Group(16, 20, 80),)),
    # Nobody to share with: what is left of one connection when everything is verified.
    Case("one", 64 * MIB, 100, (Group(1, 100, 100),), peers=("nginx + curl", "aria2", "libtorrent")),
    # Most of what is sent comes from half of them, and the others must not be waited for.
    Case("unequal", 32 * MIB, 40, (Group(5, 40, 100), Group(5, 8, 100))),
    # They come while others are on the way: the first finds nobody but the seed.
    Case("staggered", 64 * MIB, 50, (Group(8, 50, 200),), every_s=1),
    # The seed alone gives more than all others together: here sending a chunk twice is right.
    Case("fast-seed", 32 * MIB, 200, (Group(12, 10, 50),)),
    # With half of its uplink each they need the seed to the end: it has sent more than one copy long before anybody is complete.
    Case("seed-dies", 64 * MIB, 50, (Group(8, 25, 100),), seed_dies_at=1.05),
    Case("liars", 32 * MIB, 50, (Group(10, 50, 200),), liars=3),
)
