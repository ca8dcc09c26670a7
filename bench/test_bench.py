"""That the measuring tool can say no, and changes nothing that it should not: `make bench` runs this first."""
import io
import os
import socket
import sys
import tempfile
import time
import unittest
import unittest.mock
import xml.etree.ElementTree as xml
from pathlib import Path

import cases
import hashing
import large
import picture
from content import Content, size_of
from idle import Switches, switches_in
from processes import Failed, Process, kill_all, wait_for
from relay import Relay
from report import file_system, put, table
from setting import Setting
from shaped_report import Measured, sections
from shapes import CASES, HEADERS, Case, Group
from simulated import result_of
from swarms import PEERS


class Copies(unittest.TestCase):
    def test_one_wrong_byte_a_missing_file_and_one_too_many_are_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            content = Content(Path(folder) / "folder", files=3)
            copy = content.give(Path(folder, "copy"))
            self.assertTrue(content.is_at(copy))
            extra = copy / "extra"
            extra.write_bytes(b"")
            self.assertFalse(content.is_at(copy))
            extra.unlink()
            file = next(p for p in copy.rglob("*") if p.is_file())
            data = file.read_bytes()
            file.unlink()           # it was a hard link
            self.assertFalse(content.is_at(copy))
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
            self.assertFalse(content.is_at(copy))
            file.write_bytes(data)
            self.assertTrue(content.is_at(copy))

    def test_a_file_that_is_not_there_is_no_copy(self):
        with tempfile.TemporaryDirectory() as folder:
            content = Content(Path(folder) / "data", size=5)
            self.assertTrue(content.is_at(content.path))
            self.assertFalse(content.is_at(Path(folder) / "nothing"))

    def test_sizes(self):
        self.assertEqual([size_of("7"), size_of("64k"), size_of("1G")], [7, 65536, 1 << 30])
        self.assertRaises(ValueError, size_of, "1.5G")


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(kill_all)
        self.folder = folder.name

    def shell(self, script, word=None):
        return Process("process", ["sh", "-c", script], self.folder, word)

    def test_a_word_is_enough_and_cpu_time_is_counted(self):
        script = f"{sys.executable} -c 'sum(range(3000000))'; echo done; exec sleep 60"
        process = self.shell(script, word=b"done")
        wait_for([process], [], time.monotonic() + 30)
        process.kill()
        self.assertEqual(process.code, -9)
        self.assertGreater(process.cpu_s, 0.01)
        self.assertGreater(process.peak_rss, 0)

    def test_who_ends_badly_or_without_the_word_or_too_late_has_failed(self):
        for script, word, seconds in (("echo why; exit 3", None, 30), ("exit 0", b"done", 30), ("exec sleep 60", None, 0.05)):
            with self.assertRaises(Failed):
                wait_for([self.shell(script, word)], [], time.monotonic() + seconds)

    def test_a_server_that_ends_during_a_run_has_failed(self):
        with self.assertRaises(Failed):
            wait_for([self.shell("exec sleep 60")], [self.shell("exit 0")], time.monotonic() + 30)

    def test_the_end_of_a_process_ends_what_it_started(self):
        process = self.shell("sleep 60 & echo $!; wait", word=b"\n")
        wait_for([process], [], time.monotonic() + 30)
        child = int(process.said)
        kill_all()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:      # a killed process disappears when its new parent has noticed
            state = Path(f"/proc/{child}/stat")
            if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
                return
            os.sched_yield()
        self.fail("the child lives")


class Tables(unittest.TestCase):
    def test_only_what_is_between_the_markers_changes(self):
        text = "a\n<!-- bench:x begin -->\nold\n<!-- bench:x end -->\nb\n<!-- bench:y begin -->\nkept\n<!-- bench:y end -->\n"
        self.assertEqual(put(text, "x", "new"), text.replace("old", "new"))
        self.assertEqual(put(put(text, "x", "new"), "x", "old"), text)

    def test_a_document_without_the_marker_is_refused(self):
        for text in ("", "<!-- bench:x end -->", "<!-- bench:x begin -->", "<!-- bench:x begin --><!-- bench:x end -->" * 2):
            self.assertRaises(ValueError, put, text, "x", "new")

    def test_ratios_are_of_medians_against_the_named_system(self):
        def result(wall):
            return {"wall_s": wall, "cpu_s": wall, "cpu_s_per_gib": 2 * wall, "leecher_rss": 1 << 20, "seed_rss": 2 << 20}
        text = table({"us": [result(w) for w in (1, 2, 9)], "peer": [result(4)]}, "peer")
        self.assertIn("| us | 2.000 [1.000–9.000] | 0.50 | 2.000 | 4.00 | 0.50 | 1 | 2 |", text)
        self.assertIn("| peer | 4.000 [4.000–4.000] | – |", text)


class Loopback(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(kill_all)
        self.folder = Path(folder.name)

    def test_cases_have_places_in_the_document(self):
        document = (Path(__file__).resolve().parent.parent / "docs/benchmarks.md").read_text()
        for name in [c.name for c in cases.CASES] + ["torrentify", "idle", "start", "large"]:
            self.assertIn("new", put(document, name, "new"))

    def test_memory_is_no_disk(self):
        for mount in ("/dev/shm", "/run"):
            if os.path.isdir(mount) and file_system(mount) == "tmpfs":
                setting = Setting(self.folder, mount, 1, 0, print)
                self.assertRaisesRegex(Failed, "is memory .tmpfs. and no disk", lambda: setting.disk)
                setting.close()
                break
        setting = Setting(self.folder, self.folder, 1, 0, print)
        self.assertEqual(list(self.folder.iterdir()), [setting.work])
        setting.close()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_systems_take_turns_and_nothing_is_left_of_a_run_that_failed(self):
        setting = Setting(self.folder, None, 1, 0, lambda words: None)
        case, order = cases.CASES[0], []

        class System:
            def __init__(self, name):
                self.name = name

        def run(system, folder):
            (folder / "left").write_text("")
            order.append(system.name)
            if len(order) == 5:
                raise Failed("the fifth")
            return {"wall_s": 1}
        systems = [System("a"), System("b")]
        self.assertEqual(len(setting.in_turn(case, systems, 2, run)["b"]), 2)
        self.assertEqual(order, ["a", "b", "b", "a"])
        self.assertRaises(Failed, setting.in_turn, case, systems, 2, run)
        self.assertEqual(list(setting.work.iterdir()), [])
        setting.close()

    def test_a_relay_notes_the_first_request_for_a_chunk_and_changes_no_byte(self):
        relay = Relay()
        self.addCleanup(relay.close)
        with socket.create_server(("127.0.0.1", 0)) as server:
            relay.target = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", relay.port)) as client:
                first = b"GET /torrent/chunk HTTP/1.1\r\n\r\nGET /ch"
                client.sendall(first)
                upstream, _ = server.accept()
                with upstream:
                    upstream.settimeout(30)
                    self.assertEqual(self.received(upstream, len(first)), first)
                    self.assertIsNone(relay.first)
                    before = time.monotonic()
                    client.sendall(b"unk/12 HTTP/1.1\r\n\r\n")
                    self.assertTrue(relay.asked.wait(30))
                    self.assertTrue(before <= relay.first <= time.monotonic())
                    client.settimeout(30)
                    upstream.sendall(b"answer")
                    self.assertEqual(self.received(client, 6), b"answer")

    @staticmethod
    def received(source, length):
        data = b""
        while len(data) < length:
            data += source.recv(length - len(data))
        return data

    def test_context_switches_of_all_threads_are_counted_also_of_one_that_came_later(self):
        self.assertEqual(switches_in("Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t3\n"), 8)
        count = Switches(os.getpid())
        count.tasks = self.folder

        def task(name, switches):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "status").write_text(f"voluntary_ctxt_switches:\t{switches}\n")
        count.seen, count.sum = {"1": 100, "2": 50}, 0
        task("1", 107)      # the second has ended, and a third one begun
        task("3", 4)
        count.look()
        self.assertEqual(count.sum, 11)

    def test_sizes_follow_what_is_free_and_too_little_is_refused(self):
        gib = 1 << 30
        self.assertEqual([hashing.size_for(free * gib) for free in (16, 12, 11)], [4 * gib, 4 * gib, 2 * gib])
        self.assertEqual([large.size_for(free * gib) for free in (52, 30, 20)], [20 * gib, 20 * gib, 10 * gib])
        self.assertRaises(Failed, large.size_for, 10 * gib)
        self.assertEqual(large.allowance(20480) / 2**20, 33.25)

    def test_a_sparse_file_has_its_size_and_its_random_bytes_and_little_else(self):
        with unittest.mock.patch.object(large, "RANDOM", 2):
            content = large.Sparse(self.folder / "sparse", 64 << 20)
        self.assertEqual(content.path.stat().st_size, 64 << 20)
        self.assertLess(content.path.stat().st_blocks * 512, 8 << 20)
        self.assertTrue(content.is_at(content.path))
        with open(content.path, "r+b") as file:
            file.seek(48 << 20)
            file.write(b"x")
        self.assertFalse(content.is_at(content.path))

    def test_a_description_with_another_hash_is_seen(self):
        (self.folder / "data").write_bytes(b"x" * 20)
        (self.folder / "torrent.json").write_text(
            '{"fileSize": 20, "chunkSize": 16, "chunks": [{"hash": "00"}, {"hash": "00"}]}')
        b3sum = self.folder / "b3sum"
        b3sum.write_text("#!/bin/sh\ncat >/dev/null; echo 00\n")
        b3sum.chmod(0o700)
        with unittest.mock.patch.object(hashing, "program", lambda name: b3sum):
            check = hashing.Torrentify("unused").check
            check(self.folder / "data", self.folder)
            b3sum.write_text("#!/bin/sh\ncat >/dev/null; echo 01\n")
            self.assertRaisesRegex(Failed, "another hash", check, self.folder / "data", self.folder)
            (self.folder / "data").write_bytes(b"x" * 33)
            self.assertRaisesRegex(Failed, "not one of 33 bytes", check, self.folder / "data", self.folder)

    def test_a_script_has_the_memory_of_the_program_that_it_runs(self):
        program = f"{sys.executable} -c 'x = bytes(range(256)) * 160000; print(1, flush=True); input()'"
        process = Process("process", ["sh", "-c", f"{program}; true"], self.folder, word=b"1", stdin=self.silence(), is_script=True)
        wait_for([process], [], time.monotonic() + 30)
        process.sample()
        self.assertGreater(process.sampled_rss, 40_000_000)

    def silence(self):
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        self.addCleanup(os.close, read)
        return read


class Picture(unittest.TestCase):
    TABLE = """<!-- bench:{name} begin -->
### 1 → 1, <1 GiB>

| system | wall s | ratio | CPU s | CPU s/GiB | ratio |
| --- | ---: | ---: | ---: | ---: | ---: |
| http-torrent | 1.500 [1.100–1.600] | 1.30 | 2.080 | 2.00 | 2.13 |
| a & b | 3.000 [2.800–3.100] | – | 0.977 | 1.00 | – |

Medians of 3 interleaved runs.

`bench/run --cases one --repeats 3`, 2026-11-26, 2 × CPU, files on tmpfs; nginx 1.
<!-- bench:{name} end -->
"""

    def drawn(self, *names):
        svg = picture.drawn("".join(self.TABLE.format(name=name) for name in names))
        xml.parse(io.StringIO(svg))     # it is well-formed
        return svg

    def test_bars_are_as_long_as_the_figures_of_the_table(self):
        svg = self.drawn("one")
        bars = [(r.get("class"), float(r.get("width"))) for r in xml.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")][1:]
        self.assertEqual([kind for kind, _ in bars], ["ours", "other"] * 2)
        widths = [width for _, width in bars]
        self.assertAlmostEqual(widths[0], 2 * widths[1], delta=0.1)     # CPU s/GiB
        self.assertAlmostEqual(widths[3], 2 * widths[2], delta=0.1)     # wall
        self.assertEqual(widths[0], widths[3])
        for words in (">2.00<", ">3.00<", "a &amp; b", "&lt;1 GiB&gt;", "bench/run --cases one --repeats 3, 2026-11-26, 2 × CPU"):
            self.assertIn(words, svg)

    def test_there_is_a_panel_for_each_table_and_none_for_nothing(self):
        self.assertEqual(self.drawn("one", "eight").count('class="panel"'), 2)
        self.assertEqual(self.drawn("eight").count('class="panel"'), 1)
        self.assertRaises(ValueError, picture.drawn, "<!-- bench:one begin -->\n<!-- bench:one end -->")


class Shapes(unittest.TestCase):
    def bound(self, seed_up, *groups, size=10**6, **rest):
        return Case("x", size, seed_up, groups, **rest).bound_s

    def test_the_bound_is_the_scarcest_of_three(self):
        self.assertEqual(self.bound(10, Group(4, 1000, 1000)), 0.8)             # the seed's uplink
        self.assertEqual(self.bound(1000, Group(4, 1000, 1000), Group(1, 1000, 10)), 0.8)   # the slowest downlink
        self.assertEqual(self.bound(100, Group(9, 100, 1000)), 0.08)            # 9 MB over all uplinks
        self.assertEqual(self.bound(100, Group(9, 0, 1000)), 0.72)

    def test_what_liars_send_does_not_count(self):
        self.assertEqual(self.bound(100, Group(10, 50, 1000), liars=10), 0.8)
        case = Case("x", 1, 1, (Group(10, 1, 1),), liars=3)
        self.assertEqual((sum(case.lies), case.honest), (3, 7))

    def test_liars_that_claim_to_have_it_need_not_be_served(self):
        case = Case("x", 10**6, 100, (Group(10, 50, 1000),), liars=5)
        self.assertEqual((case.bound_s, case.bound_s_if(liars_take=False)), (80 / 350, 40 / 350))

    def test_every_system_says_whether_its_liars_take_the_file(self):
        self.assertEqual({name: peer.liars_take for name, peer in PEERS.items()},
                         {"nginx + curl": True, "aria2": False, "libtorrent": False})

    def test_unlike_leechers_start_in_turn(self):
        self.assertEqual(Case("x", 1, 1, (Group(2, 9, 9), Group(3, 1, 1))).links, [(9, 9), (1, 1), (9, 9), (1, 1), (1, 1)])

    def test_in_no_case_is_the_last_to_come_later_than_the_bound_allows(self):
        for case in CASES:
            download_s = case.size * 8 / 1e6 / case.links[-1][1]
            self.assertLess((case.last_start_s + download_s) / case.bound_s, HEADERS + 1e-9, case.name)

    def test_the_simulator_can_be_told_when_they_come(self):
        for case in CASES:      # it lets each group come in its own time
            self.assertTrue(not case.every_s or len(case.groups) == 1, case.name)

    def test_names_are_not_used_twice_and_all_is_said_of_each(self):
        self.assertEqual(len({c.name for c in CASES}), len(CASES))
        case = Case("x", 1 << 20, 50, (Group(8, 50, 200),), every_s=1)
        self.assertEqual(case.title, "seed 50, 8 × 50/200, 1 MiB, one every 1 s")

    def test_a_simulation_in_which_somebody_got_nothing_is_no_result(self):
        self.assertEqual(result_of('{"event":"x"}\n{"event":"result","time_s":2.5}\n')["time_s"], 2.5)
        for output in ("", "words", '{"event":"result","time_s":null}'):
            self.assertIsNone(result_of(output))


class ShapedTables(unittest.TestCase):
    CASE = Case("x", 10**6, 8, (Group(1, 8, 8),))      # bound: 1 s
    DIES = Case("y", 10**6, 8, (Group(2, 8, 8),), seed_dies_at=1.05)
    LIARS = Case("z", 10**6, 8, (Group(2, 8, 8),), liars=1)

    @staticmethod
    def run_of(wall, complete=1, killed=False):
        return {"complete": complete, "wall_s": wall, "bound_s": 1.0, "copies": 1.1, "lies": 0.5, "killed": killed,
                "other_share": 0.1, "stolen_s": 0.0}

    def text(self, case, simulated=None, **results):
        results = {name.replace("_", "-"): runs for name, runs in results.items()}
        return "\n".join(text for _, text in sections([Measured(case, results, ["v1"], simulated)], "bench/shaped", "/"))

    def test_medians_copies_and_the_difference_to_the_simulation(self):
        text = self.text(self.CASE, {"ratio": 1.1, "copies": 1.04}, http_torrent=[self.run_of(w) for w in (1.2, 1.15, 1.1)])
        self.assertIn("| 1.0 | 1.150 [1.100–1.200] (1.10) | 1.100 (1.04) | +4.5 % |", text)
        self.assertIn("within 5 % of each other in 1 of 1 shapes.", text)
        text = self.text(self.CASE, {"ratio": 1.1, "copies": 1.04}, http_torrent=[self.run_of(1.2)])
        self.assertIn("in 0 of 1 shapes; not in x.", text)

    def test_who_is_not_complete_has_no_time(self):
        text = self.text(self.CASE, None, http_torrent=[self.run_of(1.2), self.run_of(None, complete=0)])
        self.assertIn("**not complete** in 1 of 2 | – | – |", text)

    def test_whose_liars_have_to_be_served_is_said(self):
        text = self.text(self.LIARS, http_torrent=[self.run_of(1.2)], aria2=[{**self.run_of(1.2), "bound_s": 0.8}])
        self.assertIn("1.500 [1.500–1.500]", text)
        self.assertIn("not the same: http-torrent 1.00 s, aria2 0.80 s.", text)

    def test_a_seed_that_was_not_killed_is_said(self):
        runs = [self.run_of(2.0, complete=2, killed=k) for k in (True, False)]
        self.assertIn("| 2, 2 of 2 |", self.text(self.DIES, http_torrent=runs[:1] * 2))
        self.assertIn("2, 2 (not always killed: somebody was complete before) of 2", self.text(self.DIES, http_torrent=runs))


if __name__ == "__main__":
    unittest.main()
