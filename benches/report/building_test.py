"""What is built, and what is left out."""

import contextlib
import io
import subprocess
import unittest
from unittest import mock

import building


def built(optimized, statuses):
    """The commands that a build runs, of which each ends with the next status, and what it prints."""
    commands, statuses = [], iter(statuses)

    def cargo(command):
        commands.append(" ".join(command))
        return subprocess.CompletedProcess(command, next(statuses))
    with mock.patch.object(building, "cargo", cargo), contextlib.redirect_stdout(io.StringIO()) as told:
        building.rust(optimized)
    return commands, told.getvalue()


class Building(unittest.TestCase):
    def test_a_quick_run_builds_without_what_is_heavy(self):
        commands, told = built(False, [0])
        self.assertEqual(len(commands), 1)
        self.assertNotIn("nautilus", commands[0])
        self.assertIn("SKIPPED nautilus-network", told)

    def test_a_full_run_builds_it(self):
        commands, told = built(True, [0])
        self.assertEqual([command.rpartition(" ")[2] for command in commands], ["bench-clients/nautilus"])
        self.assertEqual(told, "")

    def test_where_it_cannot_be_built_the_others_are_measured(self):
        commands, told = built(True, [101, 0])
        self.assertNotIn("nautilus", commands[1])
        self.assertIn("SKIPPED nautilus-network: it cannot be built", told)

    def test_a_failure_of_the_others_is_one(self):
        with self.assertRaises(subprocess.CalledProcessError):
            built(True, [101, 101])


if __name__ == "__main__":
    unittest.main()
