"""From answers to figures."""

import unittest

import figures

ANSWER = {"messages": 20_000, "bytes": 65_536, "seconds": 0.5, "cpu_seconds": 0.4}


class Figures(unittest.TestCase):
    def test_rates_and_costs_are_of_what_is_counted(self):
        self.assertEqual(figures.figure("rate", ANSWER), 40_000)
        self.assertAlmostEqual(figures.figure("cpu", ANSWER), 20)
        self.assertAlmostEqual(figures.figure("megabytes", ANSWER), 2621.44)

    def test_a_client_that_does_not_say_how_long_messages_are_has_no_megabytes(self):
        runs = figures.Runs([{"round": 1, "measure": "flood", "peer": "ws", "answer": {"messages": 1, "seconds": 1}}])
        self.assertEqual(runs.values("flood", "ws", "megabytes"), [])


if __name__ == "__main__":
    unittest.main()
