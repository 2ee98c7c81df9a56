"""Which pairs are run."""

import unittest

import plan


class Plan(unittest.TestCase):
    def test_a_client_that_takes_more_files_for_each_connection_opens_fewer(self):
        connections = {pair.peer: pair.flags["connections"] for pair in plan.pairs(0, only=["connects"], descriptors=20_000)}
        self.assertEqual((connections["gateway-std"], connections["tungstenite"]), (6_500, 10_000))

    def test_each_round_runs_every_pair_once(self):
        whole = {(measure.name, peer) for measure in plan.MEASURES for peer in measure.peers}
        for number in range(7):
            run = [(pair.measure.name, pair.peer) for pair in plan.pairs(number)]
            self.assertEqual(sorted(run), sorted(whole))

    def test_another_peer_begins_in_each_round(self):
        first = [plan.pairs(number, only=["flood"])[0].peer for number in range(3)]
        self.assertEqual(first, ["gateway-tokio", "gateway-tokio-spawn", "gateway-std"])

    def test_peers_that_are_compared_are_asked_for_the_same(self):
        by_peer = {pair.peer: pair.flags for pair in plan.pairs(0, only=["memory"])}
        self.assertEqual(by_peer["gateway-tokio"], by_peer["tokio-tungstenite"])
        by_peer = {pair.peer: pair.flags for pair in plan.pairs(0, only=["pipelined"])}
        self.assertEqual(by_peer["gateway-tokio"]["in-flight"], by_peer["ws"]["in-flight"])

    def test_a_choice_leaves_out_the_rest(self):
        chosen = plan.pairs(0, only=["flood", "allocations"], peers=["gateway-tokio", "ws"])
        self.assertEqual([(pair.measure.name, pair.peer) for pair in chosen],
                         [("flood", "gateway-tokio"), ("flood", "ws"), ("allocations-pipelined", "gateway-tokio"),
                          ("allocations-flood", "gateway-tokio")])

    def test_quick_is_small_for_those_too_who_are_given_many(self):
        for pair in plan.pairs(0, quick=True):
            self.assertLessEqual(pair.flags.get("connections", 0), 100, pair)
            self.assertLessEqual(pair.flags.get("messages", 0), 100_000, pair)

    def test_there_are_no_more_connections_than_files(self):
        connections = {pair.flags["connections"] for pair in plan.pairs(0, only=["memory", "idle"], descriptors=4096)}
        self.assertEqual(max(connections), 4096 - plan.DESCRIPTORS_BESIDE)

    def test_large_messages_go_through_sockets_of_one_kind(self):
        words = {pair.peer: pair.words() for pair in plan.pairs(0, only=["large"])}
        self.assertEqual(set(words), set(plan.PEERS))
        without = [peer for peer, told in words.items() if "--no-delay" not in told]
        self.assertEqual(without, ["ezsockets", *plan.NODE])  # Node's clients set it by themselves
        self.assertIn("--warm-up 10000 --in-flight 4 --bytes 65536", " ".join(words["ezsockets"]))

    def test_a_multi_thread_measure_is_the_same_on_more_workers_and_cores(self):
        for name, peers in (("pipelined", 4), ("tasks", 2), ("flood", 2)):
            pairs = plan.pairs(0, only=[f"{name}-multi-thread"])
            self.assertEqual(len(pairs), peers)
            base = {pair.peer: pair.words() for pair in plan.pairs(0, only=[name]) if pair.measure.name == name}
            for pair in pairs:
                self.assertEqual(pair.words(), [*base[pair.peer], "--multi-thread", "2"])
                self.assertTrue(pair.measure.on_both_cores)

    def test_a_command_is_what_a_reader_types(self):
        commands = {pair.peer: pair.command() for pair in plan.pairs(0, only=["flood"])}
        self.assertEqual(commands["gateway-std"], "bench-clients flood gateway-std --messages 4000000 --bytes 128")
        words = plan.pairs(0, only=["pipelined-no-delay"], peers=["yawc"])[0].words()
        self.assertEqual(words[-3:], ["--bytes", "32", "--no-delay"])
        self.assertEqual(commands["ws"], "node client.mjs flood ws --messages 4000000 --bytes 128")


if __name__ == "__main__":
    unittest.main()
