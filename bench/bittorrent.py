"""How BitTorrent programs are run on 127.0.0.1: aria2 and libtorrent, with Debian's opentracker between their peers.

What a torrent is, and each program's arguments, is also what `swarms.py` uses on shaped links.
"""
import hashlib
import urllib.parse
from pathlib import Path

from processes import Failed, Process, until
from systems import HERE, READY_S, answers, first_line, free_port, program

FOLDER = Path(__file__).resolve().parent
PYTHON = FOLDER.parent / "target/libtorrent/bin/python"     # where scripts/setup-bench puts the library


class Torrent:
    """What BitTorrent programs share out, and Debian's opentracker, which tells them of each other."""
    pieces = None       # its hashes, made once: a system lives as long as its case's content

    def publish(self, file, content, tracker):
        """Writes the torrent beside `file`; the tracker (host:port) will know it by what is returned."""
        info = self.describe(file, content)
        self.torrent = file.parent / "content.torrent"
        self.torrent.write_bytes(bencode({"announce": f"http://{tracker}/announce", "info": info}))
        digest = hashlib.sha1(bencode(info)).digest()
        self.scrape = f"http://{tracker}/scrape?info_hash=" + urllib.parse.quote(digest, safe="")
        return digest

    def describe(self, file, content):
        """A torrent of at most 1024 pieces, as usual programs make them."""
        length = 1 << 14
        while content.size // length > 1024:
            length *= 2
        if self.pieces is None:
            with open(file, "rb") as f:
                self.pieces = b"".join(hashlib.sha1(part).digest() for part in iter(lambda: f.read(length), b""))
        return {"name": file.name, "piece length": length, "length": content.size, "pieces": self.pieces}

    @staticmethod
    def tracker(folder, digest, address, port, udp):
        """Debian's opentracker serves listed torrents only. As root it goes into this folder and becomes `nobody`."""
        (folder / "whitelist").write_text(digest.hex() + "\n")
        return [program("opentracker"), "-i", address, "-p", port, "-P", udp, "-d", folder, "-w", "whitelist"]


class OnLoopback(Torrent):
    """One tracker, one seed, and leechers, all on 127.0.0.1; each program says how its peers are run."""

    def seed(self, folder, content):
        file = content.give(folder)
        port, udp = free_port(), free_port()
        digest = self.publish(file, content, f"{HERE}:{port}")
        tracker = Process("tracker", self.tracker(folder, digest, HERE, port, udp), folder)
        until(lambda: answers(self.scrape) is not None, tracker, READY_S, "ready")
        seed = Process("seed", self.seeding(folder, HERE, free_port()), folder)
        until(lambda: b"8:completei1e" in (answers(self.scrape) or b""), seed, READY_S, "known to the tracker")
        return [seed, tracker]

    def leech(self, folder, number, seeds_on):
        return [Process("leecher", self.leeching(folder, HERE, free_port()), folder, word=b"is-complete")]


class Aria2(OnLoopback):
    """BitTorrent: aria2 on both ends, opentracker between them. Pieces are verified (SHA-1)."""
    name = "aria2 (BitTorrent)"

    def version(self):
        return " ".join(first_line(program("aria2c"), "-v").split()[::2][:2]).replace("version", "").strip()

    def argv(self, folder, address, port):
        return [program("aria2c"), "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
                "--disable-ipv6=true", "--interface", address, "--listen-port", port, "--dir", folder,
                "--bt-tracker-timeout=5", "--file-allocation=none", "--console-log-level=warn", "--summary-interval=0",
                "--show-console-readout=false", "--download-result=hide", "--seed-ratio=0", "--seed-time=600", self.torrent]

    def seeding(self, folder, address, port):
        return self.argv(folder, address, port) + ["--check-integrity=true"]

    def leeching(self, folder, address, port):
        # Timed until it says that it is complete, also where others are timed until they end: it waits seconds before it
        # ends, which is no part of a download. The hook inherits its stdout.
        hook = folder / "hook"
        hook.write_text("#!/bin/sh\necho is-complete\n")
        hook.chmod(0o700)
        return self.argv(folder, address, port) + ["--on-bt-download-complete", hook]


class Libtorrent(OnLoopback):
    """The library with its own settings, in the smallest program that can be had. Chunks are verified (SHA-1)."""
    name = "libtorrent (BitTorrent)"

    def version(self):
        return f"libtorrent {first_line(PYTHON, '-c', 'import libtorrent; print(libtorrent.__version__)')}"

    def seeding(self, *where):
        return libtorrent_argv("seed", self.torrent, *where)

    def leeching(self, *where):
        return libtorrent_argv("leech", self.torrent, *where)


def libtorrent_argv(what, torrent, folder, address, port):
    if not PYTHON.exists():
        raise Failed("libtorrent is not installed: run scripts/setup-bench")
    return [PYTHON, FOLDER / "libtorrent_peer.py", what, torrent, folder, f"{address}:{port}"]


def bencode(x):
    """BEP 3."""
    if isinstance(x, int):
        return b"i%de" % x
    if isinstance(x, str):
        x = x.encode()
    if isinstance(x, bytes):
        return b"%d:%s" % (len(x), x)
    return b"d" + b"".join(bencode(key) + bencode(x[key]) for key in sorted(x)) + b"e"
