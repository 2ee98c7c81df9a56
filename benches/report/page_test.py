"""The page and the file of figures, from the figures that docs/performance has."""

import copy
import json
import pathlib
import tempfile
import unittest

import goals
import page
import plan
import records
from goals import BY_THE_MEDIAN, MET, NOT_MEASURED, NOT_MET, Goal, verdict

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
FLOORS = json.loads((HERE / "floors.json").read_text())
EVERY = records.load_all(DOCS / "performance")

AT_LEAST = Goal("a", "a", ("flood", "a", "rate"), 0.95, under=("flood", "b", "rate"))
AT_MOST = Goal("b", "b", ("flood", "a", "cpu"), 1.0, at_least=False, under=("flood", "b", "cpu"))
NO_MORE = Goal("c", "c", ("flood", "a", "cpu"), 0, at_least=False, less=("flood", "b", "cpu"))


def newest():
    return copy.deepcopy(EVERY[0])


class Page(unittest.TestCase):
    def test_the_page_is_what_the_figures_say(self):
        self.maxDiff = None
        self.assertEqual(page.rendered(EVERY, FLOORS).splitlines(), (DOCS / "PERFORMANCE.md").read_text().splitlines())

    def test_a_reason_for_no_goal_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "cnonects"):
            page.rendered(EVERY, {"cnonects": "a slip"})

    def test_a_failure_and_a_measure_of_another_day_are_told(self):
        data = newest()
        data["runs"].append({"round": 1, "measure": "flood", "peer": "yawc", "command": "bench-clients", "failure": "message 7 lost"})
        data["taken"]["idle"] = {"date": "2030-01-01", "commit": "abc", "rounds": 3}
        text = page.rendered([data], {})
        self.assertIn("- flood, `yawc`: message 7 lost", text)
        self.assertIn("; 2030-01-01 at commit abc (idle)", text)

    def test_large_messages_have_a_table_and_the_warm_up_counts_for_the_server(self):
        data = newest()
        data["runs"] = [run for run in data["runs"] if run["measure"] != "large"]
        answer = {"messages": 20_000, "bytes": 65_536, "seconds": 0.5, "cpu_seconds": 0.4, "warm_up_seconds": 0.25}
        for peer, factor in (("gateway-tokio", 1), ("tokio-tungstenite", 2), ("sockudo-ws", 1.25)):
            run = {"round": 1, "measure": "large", "peer": peer, "command": f"bench-clients large {peer}", "server_cpu_seconds": 0.6}
            data["runs"].append(run | {"answer": answer | {name: answer[name] * factor for name in ("seconds", "cpu_seconds", "warm_up_seconds")}})
        data["versions"] |= {"sockudo-ws": "3.1.0"}
        text = page.rendered([data], {})
        self.assertIn("| **`gateway-tokio`** | 20.00 | 2,621 | 40.0 | 0.50x | `bench-clients large gateway-tokio` |", text)
        self.assertIn("| `sockudo-ws` 3.1.0 | 25.00 | 2,097 | 32.0 | 0.62x |", text)
        self.assertIn("| CPU of a large message: `gateway-tokio` over `sockudo-ws` | at most 1.00x | 0.80x met |", text)
        self.assertIn("| large | `gateway-tokio` | 80% | 80% |", text)

    def test_a_run_that_is_not_planned_any_more_is_not_shown(self):
        data = newest()
        run = next(run for run in data["runs"] if (run["measure"], run["peer"]) == ("flood", "yawc"))
        data["runs"].append(run | {"measure": "pipelined-no-delay", "peer": "ezsockets", "command": "bench-clients of old"})
        self.assertNotIn("of old", page.rendered([data], {}))

    def test_the_page_says_what_each_client_checks(self):
        text = page.rendered([newest()], {})
        self.assertIn("| `yawc` 0.5.0 | no, an option; text is bytes |", text)
        self.assertEqual(text.count("| yes | yes | yes | yes | yes | yes | yes |"), 3)  # ours, and ezsockets

    def test_each_measure_has_a_table(self):
        self.assertEqual({each.measure for each in page.SECTIONS}, {measure.name for measure in plan.MEASURES})

    def test_multi_thread_figures_name_their_runtime_and_its_workers(self):
        data = newest()
        data["runs"] = [run | {"measure": "flood-multi-thread"} for run in data["runs"] if run["measure"] == "flood"]
        text = page.rendered([data], {})
        self.assertIn("## Flood, on a `multi_thread` runtime\n\nThe same as flood. Each client runs on a `multi_thread` runtime with 2 workers.", text)
        self.assertIn("| **`gateway-tokio-spawn`** |", text)
        self.assertNotIn("flood gateway-std", text)  # it has no runtime

    def test_a_page_of_nearly_nothing_is_a_page(self):
        data = newest()
        data |= {"runs": data["runs"][:1], "counts": {}, "probe": {}}
        del data["runs"][0]["answer"]["seconds"]
        text = page.rendered([data], {})
        self.assertIn("not measured", text)
        self.assertNotIn("over `tokio-tungstenite` | command |", text)  # a missing figure is not printed as zero


class Goals(unittest.TestCase):
    def test_the_worst_round_decides_and_then_the_median(self):
        for goal, values, expected in [
            (AT_LEAST, [0.95, 0.97, 1.2], MET), (AT_LEAST, [0.94, 0.97, 1.2], BY_THE_MEDIAN), (AT_LEAST, [0.9, 0.94, 1.2], NOT_MET),
            (AT_MOST, [0.8, 0.9, 1.0], MET), (AT_MOST, [0.8, 0.9, 1.01], BY_THE_MEDIAN), (AT_MOST, [0.8, 1.01, 1.1], NOT_MET),
            (NO_MORE, [0.004, -0.2], MET), (NO_MORE, [0.006], NOT_MET),  # a difference is compared as it is printed
            (AT_LEAST, [0.9499], NOT_MET),  # a ratio is not rounded
            (AT_LEAST, [float("inf")], NOT_MET), (AT_LEAST, [], NOT_MEASURED),
        ]:
            self.assertEqual(verdict(goal, values), expected, (goal.id, values))

    def test_every_goal_has_a_name_of_its_own_and_pairs_of_the_plan(self):
        self.assertEqual(len({goal.id for goal in goals.GOALS}), len(goals.GOALS))
        planned = {(measure.name, peer) for measure in plan.MEASURES for peer in measure.peers}
        sides = [side[:2] for goal in goals.GOALS for side in (goal.over, goal.under, goal.less) if side and side[0] != goals.COUNTS]
        self.assertLessEqual(set(sides), planned)


class Records(unittest.TestCase):
    def test_what_is_saved_is_what_is_loaded_a_line_a_run(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "performance.json"
            self.assertIsNone(records.load(path))
            records.save(EVERY[0], path)
            self.assertEqual(records.load(path), EVERY[0])
            self.assertEqual(sum('"round":' in line for line in path.read_text().splitlines()), len(EVERY[0]["runs"]))

    def test_a_measure_taken_anew_replaces_its_runs_and_no_others(self):
        new = newest()
        new["runs"] = [run for run in new["runs"] if run["measure"] == "flood" and run["round"] == 1]
        new["taken"] = {"flood": {"date": "2030-01-01", "commit": "abc", "rounds": 1}}
        both = records.merged(EVERY[0], new)
        self.assertEqual([run for run in both["runs"] if run["measure"] == "flood"], new["runs"])
        others = [run for run in EVERY[0]["runs"] if run["measure"] != "flood"]
        self.assertEqual([run for run in both["runs"] if run["measure"] != "flood"], others)
        self.assertEqual(both["taken"], EVERY[0]["taken"] | new["taken"])

    def test_figures_of_two_machines_are_not_put_together(self):
        other = newest()
        other["machine"]["cpu"] = "Another One"
        self.assertIsNone(records.merged(other, EVERY[0]))
        self.assertIsNone(records.merged(None, EVERY[0]))

    def test_the_newest_machine_comes_first(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, dates in (("a", ("2026-11-20", "2026-11-25")), ("b", ("2026-11-26", "2026-11-20")), ("c", ("2026-11-25", "2026-11-25"))):
                records.save({"name": name, "taken": dict(enumerate({"date": date} for date in dates)), "runs": []}, folder / f"{name}.json")
            self.assertEqual([data["name"] for data in records.load_all(folder)], ["b", "c", "a"])


if __name__ == "__main__":
    unittest.main()
