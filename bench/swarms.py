"""How each system is run on shaped links: one tracker, one seed, and leechers that go on serving once they are complete.

`seed` returns the servers, the seed first, once a leecher can be served; `leech` returns a process that says its word when
the leecher is complete. Everybody is told its own address, and nobody is told a limit: the links are the limit.
"""
import json
import subprocess
import time

import bittorrent
import systems
from bittorrent import libtorrent_argv
from content import sha256_of
from processes import until, wait_for
from systems import READY_S, first_line, program

TRACKER_PORT, PEER_PORT = 5000, 8000


class HttpTorrent:
    name = "http-torrent"
    liars_take = True       # the file, as everybody else does

    def __init__(self, binary):
        self.binary = str(binary)

    def version(self):
        return f"{first_line(self.binary, '--version')} (binary's SHA-256 {sha256_of(self.binary)[:12]}…)"

    def seed(self, tracker, place, content):
        file = content.give(place.folder)
        self.torrent = place.folder / "torrent.json"
        subprocess.run([self.binary, "torrentify", file, f"{tracker.address}:{TRACKER_PORT}", "-o", self.torrent],
                       check=True, capture_output=True, timeout=READY_S)
        servers = [tracker.start("tracker", [self.binary, "tracker", TRACKER_PORT, "--bind", tracker.address, "--json"],
                                 word=b'"listening"')]
        wait_for(servers, [], time.monotonic() + READY_S)
        servers.insert(0, self.client(place, "has_file"))
        wait_for(servers, [], time.monotonic() + READY_S)
        first = json.loads(self.torrent.read_text())["chunks"][0]["hash"]
        url, body = f"http://{tracker.address}:{TRACKER_PORT}/chunk", json.dumps([first]).encode()
        until(lambda: json.loads(place.ask(url, body) or b"null"), servers[0], READY_S, "known to the tracker")
        return servers

    def client(self, place, *words):
        return place.start("client", [self.binary, "client", *words, "--torrent", self.torrent, "--dir", place.folder, "--bind",
                                      place.address, "--port", PEER_PORT, "--metrics", "", "--json"], word=b'"complete"')

    def leech(self, place):
        return self.client(place)

    def lie(self, place):
        """An honest client that knows nothing of the proxy before it, which makes every chunk wrong. The proxy is there when all others
        are let go."""
        proxy = place.start("proxy", [self.binary, "stress-proxy", f"http://{place.address}:{PEER_PORT}", "--lie", "--bind",
                                      place.address, "--json"], word=b'"listening"', at_once=True)
        wait_for([proxy], [], time.monotonic() + READY_S)
        url = next(json.loads(line)["url"] for line in proxy.said.splitlines() if b'"listening"' in line)
        return [proxy, self.client(place, "--advertise", url)]


class NginxCurl(systems.NginxCurl):
    """For one leecher: what the link gives to programs that verify nothing and share nothing."""
    liars_take = True       # whatever they do with it

    def seed(self, tracker, place, content):
        self.place(place.folder, content)
        listen = f"{place.address}:{PEER_PORT}"
        seed = place.start("seed", self.server(place.folder, listen))
        self.base = f"http://{listen}"
        until(lambda: place.ask(self.base + "/ready") is not None, seed, READY_S, "ready")
        return [seed]

    def leech(self, place):
        return place.start("leecher", [program("curl"), "-sSf", "-o", place.folder / self.file, f"{self.base}/{self.file}"])


class BitTorrent:
    """What the two have in common; each says how its peers are run."""
    liars_take = False

    def seed(self, tracker, place, content):
        file = content.give(place.folder)
        self.file, self.size = file.name, content.size
        digest = self.publish(file, content, f"{tracker.address}:{TRACKER_PORT}")
        opentracker = tracker.start("tracker", self.tracker(tracker.folder, digest, tracker.address, TRACKER_PORT,
                                                            TRACKER_PORT))
        until(lambda: place.ask(self.scrape) is not None, opentracker, READY_S, "ready")
        seed = place.start("seed", self.seeding(place.folder, place.address, PEER_PORT))
        until(lambda: b"8:completei1e" in (place.ask(self.scrape) or b""), seed, READY_S, "known to the tracker")
        return [seed, opentracker]

    def leech(self, place):
        return place.start("leecher", self.leeching(place.folder, place.address, PEER_PORT), word=b"is-complete")

    def lie(self, place):
        """Ours lies about what it has fetched; this one about everything, from the beginning."""
        with open(place.folder / self.file, "wb") as file:
            file.truncate(self.size)
        return [place.start("liar", libtorrent_argv("lie", self.torrent, place.folder, place.address, PEER_PORT))]


class Aria2(BitTorrent, bittorrent.Aria2):
    name = "aria2"


class Libtorrent(BitTorrent, bittorrent.Libtorrent):
    name = "libtorrent"


PEERS = {peer.name: peer for peer in (NginxCurl, Aria2, Libtorrent)}
