"""What is delivered: random files and folders, and the check that a copy is one."""
import hashlib
import os
import random
import re
import shutil
from pathlib import Path

STEP = 1 << 20
# A file longer than this would not be a small one: sizes are even between 1 byte and this, 16 KiB in the middle.
SMALL_FILE = 32 << 10
PER_FOLDER = 100


def size_of(text):
    """`64K`, `512M`, `1G` in bytes."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    if not match:
        raise ValueError(f"'{text}' is not a size; give a number with K, M or G")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def size_text(size):
    for unit, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << unit and size % (1 << unit) == 0:
            return f"{size >> unit} {name}"
    return f"{size} bytes"


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while part := file.read(STEP):
            digest.update(part)
    return digest.hexdigest()


class Content:
    """A random file of `size` bytes, or a folder of `files` random files, each of `size` bytes or small ones of any, at `path`."""

    def __init__(self, path, size=0, files=0):
        self.path = Path(path)
        if files:
            for name, length in folder_plan(files, size):
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).write_bytes(os.urandom(length))
        else:
            with open(self.path, "wb", buffering=0) as file:
                for at in range(0, size, STEP):
                    file.write(os.urandom(min(STEP, size - at)))
        self.digests = self.digests_of(self.path)
        self.size = sum(p.stat().st_size for p in self.path.rglob("*") if p.is_file()) if files else size

    @staticmethod
    def digests_of(path):
        if not path.is_dir():
            return {"": sha256_of(path)} if path.exists() else {}
        return {str(p.relative_to(path)): sha256_of(p) for p in sorted(path.rglob("*")) if not p.is_dir()}

    def is_at(self, path):
        """Whether `path` has the same names with the same bytes, and nothing else."""
        return self.digests_of(Path(path)) == self.digests

    def give(self, folder):
        """Put it into a seed's folder: as hard links, which cost nothing, and which no system under test writes to."""
        if self.path.is_dir():
            shutil.copytree(self.path, folder / self.path.name, copy_function=os.link)
        else:
            os.link(self.path, folder / self.path.name)
        return folder / self.path.name


def folder_plan(files, size=0):
    """The same names and lengths in every run."""
    lengths = random.Random(2000)
    return [(f"{n // PER_FOLDER:03}/file-{n:05}", size or lengths.randint(1, SMALL_FILE)) for n in range(files)]


def warm_memory(folder, size):
    """Touch as much memory as the run will write.

    In a virtual machine the first touch of a page can cost several times a copy, because the host has to find it; pages
    freed a moment ago are used first. So the first system of a round does not pay for the others.
    """
    zeros, path = bytes(STEP), folder / "warm"
    with open(path, "wb", buffering=0) as file:
        for _ in range(size // STEP):
            file.write(zeros)
    path.unlink()
