//! Wrong scenarios: all errors at once, each with field, value and limit.

use gateway_sim::{NamedScenario, ScenarioBuilder};

fn errors(toml: &str) -> Vec<String> {
    match ScenarioBuilder::from_toml(toml).and_then(|builder| builder.build()) {
        Ok(scenario) => panic!("accepted: {scenario:?}"),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn ten_errors_of_a_file_are_reported_at_once() {
    let found = errors(
        r#"
        clients = 0
        colour = "red"
        horizon = "999999999999999999999d"
        [server]
        dead_work = 10.5
        balance = "best"
        [server.accept]
        capacity = 0
        queue = 0
        [server.login]
        service = "3ms"
        capacity = 5
        [[groups]]
        name = "a"
        share = 0.5
        config.connect_timeout = "soon"
        config.reconnect.colour = 1
        [[groups]]
        name = "a"
        share = 0.4
        [[faults]]
        kind = "outage"
        from = "20s"
        to = "10s"
        [[faults]]
        kind = "meteor"
        "#,
    );
    for start in [
        "clients = 0: must be a whole number from 1 to",
        "colour: unknown field",
        "horizon = 999999999999999999999d: must be a span",
        "server.dead_work = 10.5: must be a decimal from 0 to 10",
        "server.balance = best: must be one of round-robin, least, random",
        "server.accept.capacity = 0: must be a whole number from 1 to",
        "server.accept.queue = 0: must be a number of entries from 1 to",
        "server.login.capacity: must be set, or else service",
        "groups.0.config.connect_timeout = soon: must be a span",
        "groups.0.config.reconnect.colour: unknown field",
        "groups.1.name = a: must be used only once",
        "groups = 0.900000: the shares of all groups must add up to 1",
        "faults.0.to = 10000ms: must be after from",
        "faults.1.kind = meteor: must be one of",
    ] {
        assert_eq!(
            found.iter().filter(|error| error.starts_with(start)).count(),
            1,
            "{start}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 14, "{found:#?}");
}

#[test]
fn infinite_and_missing_values_are_errors() {
    let found = errors("[server.accept]\ncapacity = inf");
    assert!(
        found.iter().any(|error| error.starts_with("server.accept.capacity = inf: must be")),
        "{found:?}"
    );
    assert!(found.iter().any(|error| error == "clients: must be set"), "{found:?}");
    let found = errors("clients = 5");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("server.accept.capacity: must be set"), "{found:?}");
    assert!(errors("clients = ")[0].starts_with("scenario: "), "{:?}", errors("clients = "));
}

#[test]
fn more_than_a_thousand_groups_are_an_error() {
    let groups = "[[groups]]\ncount = 1\n".repeat(1_001);
    let found = errors(&format!("server.accept.capacity = 5\n{groups}"));
    assert_eq!(found, ["groups = 1001: must be at most 1000 groups"]);
}

#[test]
fn what_the_simulation_does_not_model_is_an_error() {
    let found = errors(
        "clients = 5\nserver.accept.capacity = 5\n[[groups]]\nconfig.ask_provider = true\nconfig.shared_budget = true",
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|error| error.contains("simulated")), "{found:?}");
}

/// What is accepted does not exhaust the memory.
#[test]
fn more_changes_and_workers_than_fit_into_memory_are_errors() {
    let found = errors(
        r#"
        clients = 5
        horizon = "7d"
        server.nodes = 10_000
        server.accept.service = "1ms"
        server.accept.workers = 1_001
        server.login.service = "1ms"
        server.login.workers = 1_000
        [[faults]]
        kind = "flapping"
        from = 0
        to = "16m"
        up = "1ms"
        down = "1ms"
        [[faults]]
        kind = "flapping"
        from = 0
        to = "3d"
        up = "1ms"
        down = "1ms"
        [[faults]]
        kind = "rolling-restart"
        at = 0
        every = 0
        down = 0
        [[faults]]
        kind = "drop"
        at = 0
        "#,
    );
    assert_eq!(
        found,
        [
            "server.accept.workers = 1001: must be at most 10000000 on all nodes together",
            "faults.1.up = 260160000: must leave at most 1000000 changes of all faults",
            "faults.2.every = 260180000: must leave at most 1000000 changes of all faults",
        ]
    );
}

#[test]
fn every_named_scenario_is_valid_and_is_found_by_its_name() {
    for &named in NamedScenario::ALL {
        let scenario = ScenarioBuilder::named(named).build().unwrap();
        assert_eq!(scenario.name(), named.name());
        assert_eq!(named.name().parse(), Ok(named));
        let again = ScenarioBuilder::from_toml(&scenario.to_toml()).unwrap().build().unwrap();
        assert_eq!(again, scenario);
    }
    let error = "meteor".parse::<NamedScenario>().unwrap_err().to_string();
    assert!(error.starts_with("scenario = meteor: ") && error.contains("second-drop"), "{error}");
}

#[test]
fn a_path_through_a_plain_value_is_an_error() {
    let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
    builder.set("clients.colour", "red");
    let error = builder.build().unwrap_err().to_string();
    assert!(error.starts_with("clients.colour: "), "{error}");
}
