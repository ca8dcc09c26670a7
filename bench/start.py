"""How long `get` takes to ask for its first chunk: program start, description, tracker, connection."""
import time
from statistics import median

from clock import Clock
from content import Content, size_text
from processes import Failed, Process, wait_for
from relay import Relay
from report import made_by, markdown, noise, whole
from setting import Measured
from systems import HERE, HttpTorrent, free_port

SIZE = 64 << 20
RUNS = 9
RUN_S = 30
COLUMNS = ("from the start of the process", "median, ms", "least, ms", "most, ms")
FIRST, FLOOR = "`get`, to its first request for a chunk", "`http-torrent --version`, to its end"


class Start:
    name = "start"
    on_disk = by_request = False

    def measured(self, setting):
        content = Content(setting.work / "data.bin", SIZE)
        results = setting.in_turn(self, [FirstChunk(setting.binary), Version(setting.binary)], RUNS,
                                  lambda what, folder: what.run(folder, content))
        content.path.unlink()
        text = whole(f"to the first request for a chunk, {size_text(SIZE)} shared", table(results),
                     f"{RUNS} interleaved runs. A relay before the seed's port notes the time. The second row is what starting a "
                     "process, and noticing it, takes alone; it is in the first as well.\n"
                     f"{noise({FIRST: results[FIRST]}, of_walls=False)}",
                     made_by(setting.command(self), [HttpTorrent(setting.binary).version()], setting.work))
        return Measured(text, results)

    @staticmethod
    def words(result):
        return f"{result['wall_s'] * 1000:.1f} ms"


class FirstChunk:
    name = FIRST

    def __init__(self, binary):
        self.system = HttpTorrent(binary)

    def run(self, folder, content):
        """The relay is how others reach the seed, as the tracker tells it."""
        for name in ("seed", "leecher"):
            (folder / name).mkdir()
        relay, port = Relay(), free_port()
        relay.target = port
        try:
            [seed] = self.system.seed(folder / "seed", content, "--peer-port", port, "--advertise", f"http://{HERE}:{relay.port}")
            seed.mark()
            clock = Clock()
            leecher = Process("leecher", self.system.getting(folder / "leecher", False), folder, at_once=True)
            was_asked = relay.asked.wait(RUN_S)
            if not was_asked:
                raise leecher.complain(f"asked for no chunk in {RUN_S} s")
            # That the download ends well says that the relay hid nothing.
            wait_for([leecher], [seed], time.monotonic() + RUN_S)
            clock.stop()
            seed.kill()
            if not content.is_at(folder / "leecher" / content.path.name):
                raise Failed("the leecher got something else than was shared (SHA-256 differs)")
        finally:
            relay.close()
        return {"wall_s": relay.first - clock.start, **clock.noise(seed.cpu_s + leecher.cpu_s)}


class Version:
    name = FLOOR

    def __init__(self, binary):
        self.binary = binary

    def run(self, folder, content):
        start = time.monotonic()
        process = Process("version", [self.binary, "--version"], folder, at_once=True)
        wait_for([process], [], time.monotonic() + RUN_S)
        return {"wall_s": time.monotonic() - start}


def table(results):
    rows = ((name, [r["wall_s"] * 1000 for r in runs]) for name, runs in results.items())
    return markdown(COLUMNS, [(name, *(f"{f(ms):.1f}" for f in (median, min, max))) for name, ms in rows])
