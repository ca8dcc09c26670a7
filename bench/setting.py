"""Where and how a case is measured: what the arguments say, and the folders, which go with the tool."""
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from clock import wait_for_quiet
from processes import Failed, kill_all
from report import file_system
from systems import TOP

PREFIX = "http-torrent-bench-"
MEMORY = ("tmpfs", "ramfs")


class Measured(NamedTuple):
    text: str           # of the case's section
    results: dict       # lists of runs by what was measured


class Setting:
    """Every case is measured in one: `run` makes it, and closes it at the end, however that comes."""

    def __init__(self, work_dir, disk_dir, repeats, patience, tell):
        self.disk_dir, self.repeats, self.patience, self.tell = disk_dir, repeats, patience, tell
        self.work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=work_dir))

    def close(self):
        for folder in (self.work, self.__dict__.get("disk")):
            if folder:
                shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def disk(self):
        """A folder on a disk: only the cases that want one make it."""
        parent = Path(self.disk_dir or TOP)
        if (kind := file_system(parent)) in MEMORY:
            raise Failed(f"{parent} is memory ({kind}) and no disk: give a folder on a disk with --disk")
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))

    def command(self, case):
        return f"bench/run --cases {case.name} --repeats {self.repeats}"

    def in_turn(self, case, systems, repeats, run):
        """`run(system, folder)` of all systems in turn, in an empty folder each: a dict of lists of results by name."""
        results, patience, folder = {system.name: [] for system in systems}, self.patience, self.folder_of(case) / "run"
        for round_ in range(repeats):
            # Each round begins with another system, so that none is always the one after the slowest.
            for at in range(len(systems)):
                system = systems[(round_ + at) % len(systems)]
                patience -= wait_for_quiet(patience)
                try:
                    folder.mkdir()
                    result = run(system, folder)
                finally:
                    kill_all()
                    shutil.rmtree(folder, ignore_errors=True)
                self.tell(f"{case.name} {round_ + 1}/{repeats} {system.name}: {case.words(result)}")
                results[system.name].append(result)
        return results

    def folder_of(self, case):
        return self.disk if case.on_disk else self.work
