"""What needs no peer: PYTHONPATH=benches python3 -m unittest peers.tests"""

import os
import sys
import unittest
from xml.dom.minidom import parseString

from . import chart, table
from .arrangements import Arrangement, Setting
from .catalogue import PEERS
from .choice import best_of
from .records import Record
from .team import Failure, Process
from .work import SHAPES, WORK


def engine(name, seconds, **more):
    works = {work: {"arrangement": "", "seconds": seconds, "decode_seconds": []} for work in WORK}
    samples = {"load": seconds, "memory": [2**20], "long_memory": [2**20], "busy_otherwise": [0.0]}
    return {"name": name, "weights": "int8", "version": "1", **samples, "works": works | more}


def data(*engines):
    told = {"machine": "<one>", "commit": "c", "date": "d", "command": "run", "size": "base", "precision": "int8"}
    counts = {"threads": 2, "cores": [0, 1], "windows": 20, "rounds_done": 3, "busy_in_pauses": []}
    return told | counts | {"works": list(WORK), "engines": list(engines)}


class Tables(unittest.TestCase):
    def test_a_cell_is_the_median_its_range_and_its_ratio_to_ours(self):
        text = table.table(data(engine("peer", [4.0, 6.0, 5.0]), engine("amanuensis", [2.0])))
        self.assertIn("| 5 s (4 s to 6 s) x2.50 |", text)

    def test_a_failure_is_never_a_number(self):
        failed = {"arrangement": "", "seconds": [1.25], "decode_seconds": [1.25], "failure": "made 97 tokens"}
        text = table.table(data(engine("peer", [9.0], window=failed), engine("amanuensis", [2.0])))
        self.assertNotIn("1.25", text)
        self.assertIn("failed [1]", text)
        self.assertIn("made 97 tokens", text)

    def test_nothing_is_compared_with_a_failure_of_ours(self):
        failed = {"arrangement": "", "seconds": [1.0], "decode_seconds": [], "failure": "exit status 1"}
        text = table.table(data(engine("peer", [4.0]), engine("amanuensis", [2.0], long=failed)))
        self.assertIn("| 4 s | 1 MiB |", text)

    def test_a_busy_machine_is_named(self):
        busy = engine("peer", [1.0]) | {"busy_otherwise": [1.0]}
        self.assertIn("mean nothing", table.table(data(busy)))


class Charts(unittest.TestCase):
    def test_a_chart_is_well_formed_and_says_what_failed(self):
        failed = {"arrangement": "", "seconds": [], "decode_seconds": [], "failure": "no"}
        drawn = chart.chart([data(engine("a & b", [4.0, 90.0]), engine("amanuensis", [2.0], long=failed))])
        parseString(drawn)
        self.assertIn("failed", drawn)
        self.assertIn("×23.50", drawn)


class Choices(unittest.TestCase):
    def test_the_quickest_arrangement_is_chosen_and_failures_are_not(self):
        slow, quick, broken = Arrangement("slow"), Arrangement("quick"), Arrangement("broken")
        done = [
            (slow, {"long": {"seconds": 3.0}}),
            (broken, {"long": {"failure": "no"}}),
            (quick, {"long": {"seconds": 2.0}}),
        ]
        self.assertEqual(best_of(done, "long"), quick)
        with self.assertRaises(Failure):
            best_of(done[1:2], "long")

    def test_every_arrangement_uses_all_threads_and_no_more(self):
        for threads in (1, 2, 4):
            setting = Setting("w", "base", "int8", tuple(range(threads)), 20, 1.0)
            for peer in (peer for peer in PEERS if "int8" in peer.models):
                for best in peer.for_one_window(setting):
                    for each in [best, *peer.for_many_windows(setting, best)]:
                        self.assertEqual(each.processes * each.workers * each.threads, threads, each.name)
                        self.assertLessEqual(each.together, 20)

    def test_arrangements_differ_in_their_names(self):
        setting = Setting("w", "base", "f32", (0, 1), 20, 1.0)
        for peer in PEERS:
            best, *_ = peer.for_one_window(setting)
            for tried in (peer.for_one_window(setting), peer.for_many_windows(setting, best)):
                names = [each.name for each in tried]
                self.assertEqual(len(names), len(set(names)), names)


class Records(unittest.TestCase):
    def test_memory_and_load_are_those_of_the_process_that_did_a_window(self):
        record = Record("peer", "int8", ["encoder", "window"], {}, {})
        turn = {"version": "1", "load": 1.0, "memory": 5, "works": {"encoder": {"seconds": 1.0}}}
        record.add(["encoder"], turn, 0.0)
        record.add(["window"], turn | {"memory": 7, "works": {"window": {"failure": "no"}}}, 0.0)
        self.assertEqual(record.memory, [7])
        self.assertEqual(record.works["window"]["failure"], "no")


class Processes(unittest.TestCase):
    def python(self, program, limit=10.0):
        process = Process([sys.executable, "-c", program], dict(os.environ), limit)
        self.addCleanup(process.stop)
        return process

    def test_a_process_that_dies_says_why(self):
        with self.assertRaisesRegex(Failure, "exit status 1.*no such model"):
            self.python("raise SystemExit('no such model')").answer()

    def test_a_process_that_takes_too_long_fails(self):
        with self.assertRaisesRegex(Failure, "more than"):
            self.python("input()", 0.05).answer()

    def test_an_answer_that_is_none_fails(self):
        with self.assertRaisesRegex(Failure, "answered"):
            self.python("print('hello')").answer()


class Shapes(unittest.TestCase):
    def test_special_tokens_follow_the_number_of_languages(self):
        self.assertEqual(SHAPES["base"].prompt, [50258, 50259, 50359, 50363])
        self.assertEqual(SHAPES["large-v3-turbo"].prompt, [50258, 50259, 50360, 50364])
        self.assertEqual([SHAPES[size].vocabulary for size in ("base", "large-v3-turbo")], [51865, 51866])


if __name__ == "__main__":
    unittest.main()
