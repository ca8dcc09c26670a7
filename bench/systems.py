"""How each system under test is run. All of them listen and connect on 127.0.0.1 only.

A system has `seed`, which returns once a leecher can be served, and `leech`, which returns the processes of one leecher:
they count as done when each of them has said its word or has ended, as the case wants it.
"""
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from content import sha256_of
from processes import Failed, Process, until, wait_for

HERE = "127.0.0.1"
TOP = Path(__file__).resolve().parent.parent
READY_S = 60        # to hash 1 GiB and to announce it, on a slow machine
SEED_ON = "1h"      # longer than any run may take; it is ended when the run is


def program(name):
    # Debian keeps servers where a plain user's PATH does not look, and scripts/setup-bench its own where nobody's does.
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:{TOP / 'target/b3sum/bin'}")
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


def answers(url, body=None):
    """What comes back: of a GET, or with a body of a POST; None where nobody answers, or with an error."""
    try:
        return urllib.request.urlopen(url, body, timeout=2).read()
    except OSError:
        return None


class HttpTorrent:
    """This project: `share` and `get`, as people type them."""
    name = "http-torrent"
    ready_s = READY_S

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

    def seed(self, folder, content, *words):
        seed = Process("seed", [self.binary, "share", content.give(folder), "--bind", HERE, "--port", 0, "--page-port", 0,
                                "--metrics", "", "--json", *(words or ("--peer-port", 0))], folder, word=b'"link"')
        wait_for([seed], [], time.monotonic() + self.ready_s)
        self.link = said(seed, "link")["link"]
        return [seed]

    def leech(self, folder, number, seeds_on, *words):
        return [Process("leecher", self.getting(folder, seeds_on, *words), folder, word=b'"complete"' if seeds_on else None)]

    def getting(self, folder, seeds_on, *words):
        return [self.binary, "get", self.link, "-o", folder, "--bind", HERE, "--json", *words,
                *(("--seed-time", SEED_ON) if seeds_on else ("--no-seed",))]


class HttpTorrentSha256(HttpTorrent):
    """The same with the hash that other programs know: a description made beforehand, its tracker, and a client as the seed."""
    name = "http-torrent --hash sha256"

    def seed(self, folder, content):
        file, self.link = content.give(folder), folder / "torrent.json"
        tracker = Process("tracker", [self.binary, "tracker", 0, "--bind", HERE, "--json"], folder, word=b'"listening"')
        wait_for([tracker], [], time.monotonic() + READY_S)
        url = said(tracker, "listening")["url"]
        subprocess.run([self.binary, "torrentify", file, url.removeprefix("http://"), "-o", self.link, "--hash", "sha256"],
                       check=True, capture_output=True, timeout=READY_S)
        seed = Process("seed", [self.binary, "client", "has_file", "--torrent", self.link, "--dir", folder, "--bind", HERE,
                                "--metrics", "", "--json"], folder, word=b'"complete"')
        wait_for([seed], [tracker], time.monotonic() + READY_S)
        first = json.loads(self.link.read_text())["chunks"][0]["hash"]
        until(lambda: json.loads(answers(f"{url}/chunk", json.dumps([first]).encode()) or b"null"), seed, READY_S,
              "known to the tracker")
        return [seed, tracker]


def said(process, event):
    """The first event of that name that the process has told of."""
    events = (json.loads(line) for line in process.said.splitlines() if f'"{event}"'.encode() in line)
    return next(e for e in events if e["event"] == event)


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


class NginxBareLoop(NginxCurl):
    """The least that a program can do which looks at every byte: nginx serves, each leecher receives, hashes (BLAKE3) and writes."""
    name = "nginx + bare loop"
    loop = TOP / "target/release/examples/bare_loop"

    def __init__(self):
        if not self.loop.exists():
            raise Failed(f"{self.loop} is not there: cargo build --release -p store --example bare_loop makes it")

    def version(self):
        return "crates/store/examples/bare_loop.rs"

    def leech(self, folder, number, seeds_on):
        argv = [self.loop, self.base.removeprefix("http://"), f"/{self.file}", folder / self.file]
        return [Process("leecher", argv, folder)]


class NginxCurlSync(NginxCurl):
    """As it is on a disk when nothing must be lost: each curl is followed by fsync of the file and of its folder."""
    name = "nginx + curl + sync"

    def leech(self, folder, number, seeds_on):
        file = folder / self.file
        script = f'{program("curl")} -sSf -o "$0" "$1" && exec {program("sync")} "$0" "$2"'
        return [Process("leecher", ["sh", "-c", script, file, f"{self.base}/{self.file}", folder], folder,
                        is_script=True)]


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
