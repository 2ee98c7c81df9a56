"""Figures from the clients' answers."""

import unittest

from figures import Runs, figure, median, spread


def run(number, measure, peer, **answer):
    return {"round": number, "measure": measure, "peer": peer, "answer": answer}


class Figures(unittest.TestCase):
    def test_a_rate_is_messages_or_connections_over_the_seconds(self):
        self.assertEqual(figure("rate", {"messages": 300, "seconds": 1.5}), 200)
        self.assertEqual(figure("rate", {"connections": 30, "seconds": 1.5}), 20)

    def test_cpu_is_microseconds_a_message(self):
        self.assertAlmostEqual(figure("cpu", {"messages": 1_000_000, "cpu_seconds": 0.17}), 0.17)

    def test_memory_is_what_came_beyond_the_baseline_for_each_connection(self):
        self.assertEqual(figure("after_burst", {"connections": 10, "baseline_bytes": 1000, "after_burst_bytes": 51_000}), 5000)

    def test_a_spread_is_half_the_range_over_the_median(self):
        self.assertEqual(spread([90, 100, 120]), 0.15)
        self.assertEqual(spread([0, 0]), 0)

    def test_peers_are_compared_within_a_round_whatever_the_order_of_the_runs(self):
        runs = Runs([run(2, "flood", "ours", messages=8, seconds=1), run(1, "flood", "ours", messages=2, seconds=1),
                     run(1, "flood", "other", messages=1, seconds=1), run(2, "flood", "other", messages=2, seconds=1)])
        self.assertEqual(runs.ratios(("flood", "ours", "rate"), ("flood", "other", "rate")), [2, 4])

    def test_a_round_that_one_of_them_has_not_is_left_out(self):
        runs = Runs([run(1, "flood", "ours", messages=2, seconds=1), run(2, "flood", "ours", messages=2, seconds=1),
                     {"round": 1, "measure": "flood", "peer": "other", "failure": "lost"}, run(2, "flood", "other", messages=1, seconds=1)])
        self.assertEqual(runs.ratios(("flood", "ours", "rate"), ("flood", "other", "rate")), [2])

    def test_a_figure_that_is_not_told_is_none_and_not_zero(self):
        runs = Runs([run(1, "flood", "ours", messages=2), run(1, "idle", "ours", cpu_seconds=0.0)])
        self.assertEqual(runs.values("flood", "ours", "rate"), [])
        self.assertEqual(runs.values("idle", "ours", "cpu_seconds"), [0.0])

    def test_a_median_of_an_even_number_lies_between(self):
        self.assertEqual(median([1, 2, 3, 10]), 2.5)


if __name__ == "__main__":
    unittest.main()
