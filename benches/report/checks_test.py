"""The table of what clients check speaks of the clients and versions that are measured."""

import json
import pathlib
import re
import unittest

import checks
import plan

BENCHES = pathlib.Path(__file__).resolve().parents[1]


def locked():
    """The versions that the lock files have of each package."""
    found = {}
    for name, version in re.findall(r'^name = "(.*)"\nversion = "(.*)"$', (BENCHES / "Cargo.lock").read_text(), re.M):
        found.setdefault(name, set()).add(version)
    for path, package in json.loads((BENCHES / "node" / "package-lock.json").read_text())["packages"].items():
        found.setdefault(path.removeprefix("node_modules/"), set()).add(package.get("version"))
    return found


class Checks(unittest.TestCase):
    def test_every_client_has_a_row_and_every_row_a_client(self):
        packages = {checks.package(peer) for peer in plan.PEERS}
        self.assertEqual(packages, set(checks.BY_PACKAGE))

    def test_a_variant_has_the_row_of_its_package(self):
        for peer, package in [("gateway-tokio-spawn", "gateway-tokio"), ("tokio-tungstenite-small", "tokio-tungstenite"),
                              ("tungstenite-batched", "tungstenite"), ("ws", "ws"), ("another", None)]:
            self.assertEqual(checks.package(peer), package)

    def test_each_cell_says_yes_or_no_first(self):
        for name, _, cells in checks.rows():
            self.assertEqual(len(cells), len(checks.COLUMNS))
            for cell in cells:
                self.assertRegex(cell, r"^(yes|no)\b", name)

    def test_a_row_is_of_the_version_that_is_measured(self):
        versions = locked()
        for name, version, _ in checks.rows():
            self.assertIn(version, versions[name], name)


if __name__ == "__main__":
    unittest.main()
