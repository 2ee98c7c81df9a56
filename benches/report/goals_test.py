"""When a goal is met."""

import unittest

import goals
import made_up
import plan
from goals import BY_THE_MEDIAN, GOALS, MET, NOT_MEASURED, NOT_MET, Goal, verdict

AT_LEAST = Goal("a", "a", ("flood", "a", "rate"), 0.95, under=("flood", "b", "rate"))
AT_MOST = Goal("b", "b", ("flood", "a", "cpu"), 1.0, at_least=False, under=("flood", "b", "cpu"))
NO_MORE = Goal("c", "c", ("flood", "a", "cpu"), 0, at_least=False, less=("flood", "b", "cpu"))


class Verdicts(unittest.TestCase):
    def test_the_whole_interval_has_to_reach_a_goal_that_is_met(self):
        self.assertEqual(verdict(AT_LEAST, [0.95, 0.97, 1.2]), MET)
        self.assertEqual(verdict(AT_MOST, [0.8, 0.9, 1.0]), MET)

    def test_a_worse_end_that_misses_leaves_it_to_the_median(self):
        self.assertEqual(verdict(AT_LEAST, [0.94, 0.97, 1.2]), BY_THE_MEDIAN)
        self.assertEqual(verdict(AT_MOST, [0.8, 0.9, 1.01]), BY_THE_MEDIAN)

    def test_a_better_end_alone_meets_nothing(self):
        self.assertEqual(verdict(AT_LEAST, [0.9, 0.94, 1.2]), NOT_MET)
        self.assertEqual(verdict(AT_MOST, [0.8, 1.01, 1.1]), NOT_MET)

    def test_what_was_not_measured_is_not_met_either(self):
        self.assertEqual(verdict(AT_LEAST, []), NOT_MEASURED)

    def test_a_difference_counts_as_it_is_told(self):
        self.assertEqual(verdict(NO_MORE, [0.004, -0.2]), MET)
        self.assertEqual(verdict(NO_MORE, [0.006]), NOT_MET)

    def test_a_ratio_is_not_rounded_into_its_goal(self):
        self.assertEqual(verdict(AT_LEAST, [0.9499]), NOT_MET)

    def test_a_division_by_nothing_meets_nothing(self):
        self.assertEqual(verdict(AT_LEAST, [float("inf")]), NOT_MET)


class Goals(unittest.TestCase):
    def test_every_goal_has_a_name_of_its_own(self):
        self.assertEqual(len({goal.id for goal in GOALS}), len(GOALS))

    def test_every_goal_is_about_pairs_of_the_plan(self):
        planned = {(measure.name, peer) for measure in plan.MEASURES for peer in measure.peers}
        for goal in GOALS:
            for side in (goal.over, goal.under, goal.less):
                if side and side[0] != goals.COUNTS:
                    self.assertIn(side[:2], planned, goal.id)

    def test_judged_by_made_up_figures(self):
        judged = {each.goal.id: each for each in goals.judged(made_up.data())}
        self.assertEqual(judged["pipelined-gateway-tokio-tokio-tungstenite"].verdict, MET)
        self.assertEqual(judged["pipelined-gateway-tokio-tokio-tungstenite"].median, "12.1x")
        self.assertEqual(judged["connects"].verdict, NOT_MET)
        self.assertEqual(judged["memory-after_echo"].median, "4,096 B")
        self.assertEqual(judged["idle"].verdict, NOT_MET)
        self.assertEqual(judged["heartbeat-gateway-tokio"].verdict, NOT_MET)
        self.assertEqual(judged["heartbeat-gateway-tokio"].interval, "[0.048 s, 0.058 s]")
        self.assertEqual(judged["allocations-flood"].verdict, NOT_MEASURED)

    def test_counts_are_read_whatever_else_stands_beside_them(self):
        judged = {each.goal.id: each for each in goals.judged(made_up.data())}
        self.assertEqual((judged["instructions-data-frame"].median, judged["instructions-data-frame"].verdict), ("101", MET))
        self.assertEqual((judged["instructions-early-tick"].median, judged["instructions-early-tick"].verdict), ("61.4", NOT_MET))
        self.assertEqual(judged["instructions-reconnect-cycle"].verdict, NOT_MEASURED)
        self.assertEqual(judged["size-chacha8"].verdict, MET)
        self.assertEqual((judged["size-small"].median, judged["size-small"].verdict), ("321 B", NOT_MET))
        self.assertEqual(judged["allocations-core"].verdict, MET)
        self.assertEqual(goals.count({"data frame": {"instructions": 7}}, "cases", "data frame"), 7)


if __name__ == "__main__":
    unittest.main()
