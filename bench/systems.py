"""How each system under test is run. All of them listen and connect on 127.0.0.1 only.

A system has `seed`, which returns once a leecher can be served, and `leech`, which returns the processes of one leecher:
they count as done when each of them has said its word or has ended, as the case wants it.
"""
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from content import sha256_of
from processes import Failed, Process, until, wait_for

HERE = "127.0.0.1"
READY_S = 60        # to hash 1 GiB and to announce it, on a slow machine
SEED_ON = "1h"      # longer than any run may take; it is ended when the run is


def program(name):
    # Debian keeps servers where a plain user's PATH does not look.
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise Failed(f"{name} is not installed: run scripts/setup-bench")
    return path


def first_line(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    return (done.stdout or done.stderr).splitlines()[0]


def free_port():
    """A port that was free a moment ago, for programs that cannot be told 0."""
    with socket.socket() as s:
        s.bind((HERE, 0))
        return s.getsockname()[1]


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).read()
    except OSError:
        return None


class HttpTorrent:
    """This project: `share` and `get`, as people type them."""
    name = "http-torrent"

    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        if not os.access(self.binary, os.X_OK):
            raise Failed(f"{binary} is not there: cargo build --release makes it (or give --binary)")

    def version(self):
        return f"{first_line(self.binary, '--version')} (binary's SHA-256 {sha256_of(self.binary)[:12]}…)"

    @classmethod
    def frozen(cls, binary, work):
        """A copy of the binary as it is now: one that is built anew during a run must not get into the same table."""
        cls(binary)
        return shutil.copy2(binary, work / "http-torrent")

    def seed(self, folder, content):
        seed = Process("seed", [self.binary, "share", content.give(folder), "--bind", HERE, "--port", 0, "--peer-port", 0,
                                "--page-port", 0, "--metrics", "", "--json"], folder, word=b'"link"')
        wait_for([seed], [], time.monotonic() + READY_S)
        events = (json.loads(line) for line in seed.said.splitlines() if b'"link"' in line)
        self.link = next(events)["link"]
        return [seed]

    def leech(self, folder, number, seeds_on):
        argv = [self.binary, "get", self.link, "-o", folder, "--bind", HERE, "--json"]
        argv += ["--seed-time", SEED_ON] if seeds_on else ["--no-seed"]
        return [Process("leecher", argv, folder, word=b'"complete"' if seeds_on else None)]


class NginxCurl:
    """No peer-to-peer, and nothing is verified: nginx serves the file, every leecher is one curl."""
    name = "nginx + curl"

    def version(self):
        return f"nginx {first_line(program('nginx'), '-v').split('/')[1]}, {' '.join(first_line('curl', '-V').split()[:2])}"

    def seed(self, folder, content):
        self.place(folder, content)
        port = free_port()
        seed = Process("seed", self.server(folder, f"{HERE}:{port}"), folder)
        self.base = f"http://{HERE}:{port}"
        until(lambda: answers(self.base + "/ready") is not None, seed, READY_S, "ready")
        return [seed]

    def server(self, folder, listen):
        """Writes its configuration; what is to be run."""
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in self.temp_kinds())
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
            f"events {{ worker_connections 1024; }}\n"
            f"http {{ sendfile on; tcp_nopush on; access_log off; {temporary}\n"
            f"  server {{ listen {listen}; root {folder}; location = /ready {{ return 204; }} }} }}\n")
        return [program("nginx"), "-e", "stderr", "-c", folder / "nginx.conf", "-p", folder]

    def place(self, folder, content):
        self.file = content.give(folder).name

    @staticmethod
    def temp_kinds():
        """Of nginx's folders for temporary files, those that this nginx was built with: not root's, but ours."""
        built = subprocess.run([program("nginx"), "-V"], capture_output=True, text=True, timeout=10).stderr
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return [kind for kind in kinds if f"--without-http_{kind}_module" not in built]

    def leech(self, folder, number, seeds_on):
        return [Process("leecher", [program("curl"), "-sSf", "-o", folder / self.file, f"{self.base}/{self.file}"], folder)]


class TarNginxCurlTar(NginxCurl):
    """For folders: nginx serves a tar, which was made before the clock was started; each leecher is `curl | tar -x`."""
    name = "nginx + curl + tar"

    def place(self, folder, content):
        self.file = "content.tar"
        subprocess.run([program("tar"), "-cf", folder / self.file, "-C", content.path.parent, content.path.name], check=True)

    def leech(self, folder, number, seeds_on):
        curl = Process("leecher-curl", [program("curl"), "-sSf", f"{self.base}/{self.file}"], folder, stdout=subprocess.PIPE)
        tar = Process("leecher-tar", [program("tar"), "-xf", "-"], folder, stdin=curl.popen.stdout)
        curl.popen.stdout.close()
        curl.popen.stdout = None
        return [curl, tar]


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


class Aria2(Torrent):
    """BitTorrent: aria2 on both ends, opentracker between them. Pieces are verified (SHA-1)."""
    name = "aria2 (BitTorrent)"

    def version(self):
        return " ".join(first_line(program("aria2c"), "-v").split()[::2][:2]).replace("version", "").strip()

    def seed(self, folder, content):
        file = content.give(folder)
        port, udp = free_port(), free_port()
        digest = self.publish(file, content, f"{HERE}:{port}")
        tracker = Process("tracker", self.tracker(folder, digest, HERE, port, udp), folder)
        until(lambda: answers(self.scrape) is not None, tracker, READY_S, "ready")
        seed = Process("seed", self.seeding(folder, HERE, free_port()), folder)
        until(lambda: b"8:completei1e" in (answers(self.scrape) or b""), seed, READY_S, "known to the tracker")
        return [seed, tracker]

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

    def leech(self, folder, number, seeds_on):
        return [Process("leecher", self.leeching(folder, HERE, free_port()), folder, word=b"is-complete")]


def bencode(x):
    """BEP 3."""
    if isinstance(x, int):
        return b"i%de" % x
    if isinstance(x, str):
        x = x.encode()
    if isinstance(x, bytes):
        return b"%d:%s" % (len(x), x)
    return b"d" + b"".join(bencode(key) + bencode(x[key]) for key in sorted(x)) + b"e"
