#!/usr/bin/env python3
"""What the check lets pass and what it does not: python3 benches/core/run_test.py"""

import copy
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import counting
import pins

PINNED = {
    "rustc": "rustc 1.95.0 (0000000 2026-04-14)",
    "target": "x86_64-unknown-linux-gnu",
    "counts": {"data frame": {"goal": 120, "instructions": 1000}, "pong frame": {"instructions": 412.5}},
    "sizes": {"Connection": {"goal": 640, "bytes": 608}},
}


def with_count(count, section="counts", name="data frame", unit="instructions"):
    taken = copy.deepcopy(PINNED)
    taken[section].setdefault(name, {})[unit] = count
    return taken


class Differences(unittest.TestCase):
    def test_the_same_counts_differ_in_nothing(self):
        self.assertEqual(pins.differences(PINNED, PINNED), [])

    def test_one_percent_passes_above_and_below(self):
        for count in (990, 1010, 980, 1020):
            self.assertEqual(pins.differences(PINNED, with_count(count)), [], count)

    def test_three_percent_fail_and_case_pin_and_count_are_named(self):
        line, _ = pins.differences(PINNED, with_count(1030))
        self.assertEqual(line, "data frame: pinned at 1,000 instructions, 1,030 now (+3.0%)")

    def test_an_improvement_fails_as_well_until_it_is_pinned(self):
        line, hint = pins.differences(PINNED, with_count(970))
        self.assertEqual(line, "data frame: pinned at 1,000 instructions, 970 now (-3.0%)")
        self.assertIn("--pin", hint)

    def test_a_size_has_no_tolerance(self):
        line, _ = pins.differences(PINNED, with_count(616, "sizes", "Connection", "bytes"))
        self.assertEqual(line, "Connection: pinned at 608 bytes, 616 now (+1.3%)")

    def test_a_case_that_is_new_or_gone_is_told(self):
        new = with_count(7, name="close")
        self.assertEqual(pins.differences(PINNED, new)[0], "close: not pinned, 7 instructions now")
        self.assertEqual(pins.differences(new, PINNED)[0], "close: pinned at 7 instructions, not counted now")


class Pins(unittest.TestCase):
    def test_another_compiler_or_target_skips_the_check(self):
        pins.same_toolchain(PINNED, PINNED)
        for what, other in (("rustc", "rustc 1.96.0"), ("target", "aarch64-unknown-linux-gnu")):
            with self.assertRaisesRegex(counting.Skipped, other):
                pins.same_toolchain(PINNED, PINNED | {what: other})

    def test_what_is_pinned_reads_back(self):
        self.assertEqual(json.loads(pins.written(PINNED)), PINNED)

    def test_the_table_says_whether_a_goal_is_met(self):
        table = pins.table(PINNED)
        self.assertIn("| data frame | 1,000 | at most 120: NOT MET |", table)
        self.assertIn("| pong frame | 412.5 |  |", table)
        self.assertIn("| Connection | 608 | at most 640: met |", table)


class Counting(unittest.TestCase):
    def test_the_summary_is_read(self):
        self.assertEqual(counting.summary("events: Ir\nsummary: 5568\n\nob=(3)\n"), 5568)


if __name__ == "__main__":
    unittest.main()
