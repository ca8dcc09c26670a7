"""That the measuring tool can say no, and changes nothing that it should not: `make bench` runs this first."""
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

from content import Content, size_of
from processes import Failed, Process, kill_all, wait_for
from report import put, table


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


if __name__ == "__main__":
    unittest.main()
