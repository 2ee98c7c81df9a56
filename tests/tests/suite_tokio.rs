//! Every scenario on the tokio client: the same traces as on the core alone.

gateway_testkit::suite!(run = gateway_tests::run_on_tokio);
