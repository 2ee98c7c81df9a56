"""The picture, where its library is there."""

import importlib.util
import pathlib
import tempfile
import unittest

import figures
import made_up
import picture


class Picture(unittest.TestCase):
    def test_its_bars_are_ratios_and_bytes(self):
        pipelined, flood, memory = picture.columns(figures.Runs(made_up.data()["runs"]))
        self.assertAlmostEqual(pipelined.values["gateway-tokio"], 12.15, places=2)
        self.assertEqual(flood.values["tokio-tungstenite"], 1)
        self.assertEqual(memory.values["tokio-tungstenite"], 132_114)
        self.assertNotIn("tokio-websockets", flood.values)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "no matplotlib")
    def test_the_same_figures_make_the_same_file_and_text_stays_text(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder) / "1.svg", pathlib.Path(folder) / "2.svg"
            picture.drawn(made_up.data(), first)
            picture.drawn(made_up.data(), second)
            self.assertEqual(first.read_text(), second.read_text())
            self.assertIn(">132,114 B</text>", first.read_text())


if __name__ == "__main__":
    unittest.main()
