//! Every scenario on the tokio client in a task: the same traces as on the core alone.

gateway_testkit::suite!(run = gateway_tests::run_on_spawned);
