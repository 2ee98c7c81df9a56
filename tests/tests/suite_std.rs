//! Every scenario on the blocking client: the same traces as on the core alone.

gateway_testkit::suite!(run = gateway_tests::run_on_std);
