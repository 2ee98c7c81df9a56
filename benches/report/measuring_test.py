"""Which pairs are run, and on which server."""

import contextlib
import io
import unittest
from unittest import mock

import building
import measuring
import plan
import processes

PROGRAMS = building.Programs(["server"], ["clients"], ["node"])
ANSWER = {"messages": 1, "seconds": 1.0, "cpu_seconds": 1.0}


class Server:
    """One that counts how many were started."""
    started = 0
    process = None
    address = "127.0.0.1:1"

    def __init__(self, _program):
        Server.started += 1

    def __exit__(self, *_):
        pass

    def reset(self):
        pass

    def cpu_seconds(self):
        return 0.0


def servers(pairs):
    """How many servers a round of these pairs starts."""
    Server.started = 0
    with mock.patch("processes.Server", Server), mock.patch("processes.answer", return_value=ANSWER), contextlib.redirect_stdout(io.StringIO()):
        with measuring.Rounds(PROGRAMS, tries=1) as under_way:
            under_way.run(1, pairs)
    return Server.started


class Rounds(unittest.TestCase):
    def test_each_run_of_large_messages_has_a_new_server(self):
        pairs = plan.pairs(0, only=["large"], peers=["gateway-tokio", "sockudo-ws", "ws"])
        self.assertEqual(servers(pairs), 1 + 3)
        for pair in pairs:
            self.assertGreater(pair.flags["warm-up"], 0, pair)

    def test_other_measures_share_one(self):
        pairs = plan.pairs(0, only=["flood", "pipelined"], peers=["gateway-tokio", "ws"])
        self.assertEqual(servers(pairs), 1)


class Cores(unittest.TestCase):
    def test_only_a_multi_thread_client_may_use_both(self):
        pairs = plan.pairs(0, only=["flood"], peers=["tokio-tungstenite"])
        self.assertEqual([pair.measure.name for pair in pairs], ["flood", "flood-multi-thread"])
        with mock.patch("processes.Server", Server), mock.patch("processes.answer", return_value=ANSWER) as answer:
            with measuring.Rounds(PROGRAMS, tries=1) as under_way, contextlib.redirect_stdout(io.StringIO()):
                under_way.run(1, pairs)
        self.assertEqual([call.kwargs["on"] for call in answer.call_args_list], [processes.CLIENT_CORE, None])


class Possible(unittest.TestCase):
    def test_what_a_client_cannot_do_is_left_out_and_told(self):
        pairs = plan.pairs(0, only=["pipelined", "large"], peers=["yawc", "nautilus-network", "ws"])
        with contextlib.redirect_stdout(io.StringIO()) as told:
            left = measuring.possible(pairs, {"yawc": {"pipelined", "large"}, "ws": {"pipelined"}})
        self.assertEqual({(pair.measure.word, pair.peer) for pair in left}, {("pipelined", "yawc"), ("large", "yawc"), ("pipelined", "ws")})
        self.assertIn("SKIPPED nautilus-network: not built\n", told.getvalue())
        self.assertIn("SKIPPED ws: not supported: large\n", told.getvalue())


if __name__ == "__main__":
    unittest.main()
