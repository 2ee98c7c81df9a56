"""The page and the file of figures."""

import pathlib
import tempfile
import unittest

import machine
import made_up
import page
import records


class Page(unittest.TestCase):
    def test_the_goals_come_first_with_their_rule(self):
        text = page.rendered([made_up.data()], {})
        headings = [line for line in text.splitlines() if line.startswith("## ")]
        self.assertEqual(headings[0], "## The goals")
        self.assertIn("**met by the median** if only the median does", text)
        self.assertIn("| pipelined: `gateway-tokio` over `tokio-tungstenite` | at least 10.0x | 12.1x [12.1x, 12.1x] met |", text)

    def test_each_figure_stands_with_its_spread_its_ratio_and_its_command(self):
        self.assertIn("| `tokio-tungstenite` 0.30.0 | 4,391 ± 9% | 0.11 ± 9% | 1.00x | "
                      "`bench-clients flood tokio-tungstenite --messages 4000000 --bytes 128` |", page.rendered([made_up.data()], {}))

    def test_a_reason_is_told_where_a_goal_is_missed_and_nowhere_else(self):
        text = page.rendered([made_up.data()], {"connects": "the moon is full", "memory-after_echo": "the tide is low"})
        self.assertIn("the moon is full", text)
        self.assertNotIn("the tide is low", text)

    def test_a_reason_for_no_goal_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "cnonects"):
            page.rendered([made_up.data()], {"cnonects": "a slip"})

    def test_a_failure_is_told(self):
        data = made_up.data()
        self.assertNotIn("## What failed", page.rendered([data], {}))
        data["runs"].append({"round": 1, "measure": "flood", "peer": "yawc", "command": "bench-clients", "failure": "message 7 lost"})
        self.assertIn("- flood, `yawc`: message 7 lost", page.rendered([data], {}))

    def test_the_servers_ceiling_stands_beside_the_fastest_client(self):
        text = page.rendered([made_up.data()], {})
        self.assertIn("| flood | 12,000 | 6,427 (`fastwebsockets`) | 1.9x |", text)

    def test_a_measure_that_was_taken_at_another_time_is_named(self):
        data = made_up.data()
        self.assertIn("| taken | 2026-11-25 at commit 0123456789 |", page.rendered([data], {}))
        data["taken"]["idle"] = {"date": "2026-11-26", "commit": "abc", "rounds": 3}
        self.assertIn("; 2026-11-26 at commit abc (idle) |", page.rendered([data], {}))

    def test_machines_are_judged_side_by_side_and_the_newest_is_told_in_full(self):
        newest, other = made_up.data(), made_up.elsewhere()
        text = page.rendered([newest, other], {"connects": "the moon is full"})
        self.assertIn("| measure | goal | A Processor | Another One |", text)
        self.assertIn("| at least 1.00x | 0.90x [0.90x, 0.90x] **not met** | 1.80x [1.80x, 1.80x] met |", text)
        self.assertEqual(text.count("the moon is full"), 1)
        self.assertIn("of the A Processor. The figures of each run on the other machines: [Another One](performance/another-one.json)", text)
        self.assertIn("|  | A Processor | Another One |\n| --- | --- | --- |\n| taken | 2026-11-25 at commit 0123456789 | 2026-11-20 at commit abcdef |", text)

    def test_every_row_has_the_cells_of_its_heading(self):
        widths, before = set(), None
        for line in page.rendered([made_up.data(), made_up.elsewhere()], {}).splitlines():
            cells = line.count("|") if line.startswith("|") else None
            if cells and before:
                self.assertEqual(cells, before, line)
            before = cells
            widths.add(cells)
        self.assertGreater(len(widths), 2)

    def test_a_page_of_nearly_nothing_is_a_page(self):
        data = made_up.data(rounds=1)
        data |= {"runs": data["runs"][:1], "counts": {}, "probe": {}}
        self.assertIn("not measured", page.rendered([data], {}))


class Records(unittest.TestCase):
    def test_what_is_saved_is_what_is_loaded_a_line_a_run(self):
        data = made_up.data()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "performance.json"
            self.assertIsNone(records.load(path))
            records.save(data, path)
            self.assertEqual(records.load(path), data)
            self.assertEqual(sum('"round":' in line for line in path.read_text().splitlines()), len(data["runs"]))

    def test_a_measure_taken_anew_replaces_its_runs_and_no_others(self):
        old, new = made_up.data(rounds=3), made_up.data(rounds=2)
        new["runs"] = [run for run in new["runs"] if run["measure"] == "flood"]
        new["taken"] = {"flood": {"date": "2026-11-26", "commit": "abc", "rounds": 2}}
        both = records.merged(old, new)
        self.assertEqual({run["round"] for run in both["runs"] if run["measure"] == "flood"}, {1, 2})
        self.assertEqual({run["round"] for run in both["runs"] if run["measure"] == "memory"}, {1, 2, 3})
        self.assertEqual((both["taken"]["flood"]["date"], both["taken"]["memory"]["date"]), ("2026-11-26", "2026-11-25"))

    def test_figures_of_two_machines_are_not_put_together(self):
        self.assertIsNone(records.merged(made_up.data(), made_up.elsewhere()))
        self.assertIsNone(records.merged(None, made_up.data()))

    def test_the_newest_machine_comes_first(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            self.assertEqual(records.load_all(folder), [])
            for data in (made_up.elsewhere(), made_up.data()):
                records.save(data, folder / f"{machine.name(data['machine'])}.json")
            self.assertEqual([path.name for path in sorted(folder.iterdir())], ["a-processor.json", "another-one.json"])
            self.assertEqual(records.load_all(folder), [made_up.data(), made_up.elsewhere()])

            partly = made_up.elsewhere()
            partly["taken"]["idle"] = {"date": "2026-11-26", "commit": "abc", "rounds": 3}
            records.save(partly, folder / "another-one.json")
            self.assertEqual(records.load_all(folder), [partly, made_up.data()])
            partly["taken"]["idle"]["date"] = "2026-11-25"
            records.save(partly, folder / "another-one.json")
            self.assertEqual(records.load_all(folder), [made_up.data(), partly])


if __name__ == "__main__":
    unittest.main()
