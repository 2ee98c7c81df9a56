"""Clients and servers that do not do as they should."""

import os
import pathlib
import sys
import tempfile
import unittest

from processes import Failed, Server, Unsupported, answer


def client(program):
    return [sys.executable, "-c", program]


class Clients(unittest.TestCase):
    def test_what_one_tells_is_its_answer(self):
        self.assertEqual(answer(client("print('{\"seconds\": 1.5}')"), 10), {"seconds": 1.5})

    def test_a_pair_that_is_not_supported_is_no_failure(self):
        with self.assertRaisesRegex(Unsupported, "not this one"):
            answer(client("import sys; print('not this one', file=sys.stderr); sys.exit(3)"), 10)

    def test_a_lost_message_is_a_failure_with_its_last_line(self):
        with self.assertRaisesRegex(Failed, "exit status 1: message 7 lost"):
            answer(client("import sys; print('warning\\nmessage 7 lost', file=sys.stderr); sys.exit(1)"), 10)

    def test_one_that_does_not_end_is_ended(self):
        with self.assertRaisesRegex(Failed, "not done after 0.2 s"):
            answer(client("import time; time.sleep(60)"), 0.2)

    def test_an_answer_that_is_no_json_is_a_failure(self):
        with self.assertRaisesRegex(Failed, "no JSON: 'hello"):
            answer(client("print('hello')"), 10)


class Servers(unittest.TestCase):
    def started(self, program):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "server"
        path.write_text(f"#!{sys.executable}\n{program}")
        path.chmod(0o755)
        return Server([str(path)])

    def test_its_address_is_what_it_prints_and_it_ends_with_its_input(self):
        with self.started("import sys; print('listening 1234', flush=True); sys.stdin.read()") as server:
            self.assertEqual(server.address, "127.0.0.1:1234")
            self.assertGreater(server.cpu_seconds(), 0)
        self.assertEqual(server.process.returncode, 0)

    def test_one_that_says_nothing_is_a_failure(self):
        with self.assertRaisesRegex(Failed, "where it listens"):
            self.started("print('hello')")

    def test_one_that_does_not_answer_is_a_failure(self):
        with self.started("import sys; print('listening 1', flush=True); sys.stdin.read()") as server:
            with self.assertRaisesRegex(Failed, "does not answer /reset"):
                server.reset()


class Cores(unittest.TestCase):
    @unittest.skipIf(os.cpu_count() < 2, "one core")
    def test_a_client_stays_on_its_own(self):
        self.assertEqual(answer(client("import os; print(list(os.sched_getaffinity(0)))"), 10), [0])


if __name__ == "__main__":
    unittest.main()
