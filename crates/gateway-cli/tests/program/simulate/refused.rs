//! The errors of a command and its scenario.

use super::{Ended, file, simulate};

/// Each line of the errors begins with one of these, in this order.
#[track_caller]
pub(super) fn assert_refused(ended: &Ended, starts: &[&str]) {
    let Ended { status, stdout, stderr } = ended;
    assert_eq!((*status, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(!stderr.chars().any(|letter| letter.is_control() && letter != '\n'), "{stderr:?}");
    let lines: Vec<&str> = stderr.lines().skip(1).map(str::trim_start).collect();
    assert_eq!(lines.len(), starts.len(), "{stderr}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{start}: {stderr}");
    }
}

#[tokio::test]
async fn every_flag_is_refused_with_field_value_and_limit() {
    let line = "simulate --clients 0 --accepts inf --login 0 --queue 0 --connect-timeout -1 \
                --max-delay 99999999999999999999d --jitter full,morse --seed x --horizon 0";
    let ended = simulate(line).await;

    assert_refused(
        &ended,
        &[
            "seed = \"x\": must be a whole number from 0 ",
            "horizon = \"0\": must be a span ",
            "clients = \"0\": must be a whole number from 1 to ",
            "server.accept.capacity = \"inf\": must be a whole number from 1 to ",
            "server.accept.queue = \"0\": must be a number of entries from 1 ",
            "server.login.service = \"0\": must be a span ",
            "server.login.queue = \"0\": must be a number of entries from 1 ",
            "connect_timeout = \"-1\": must be a span ",
            "reconnect.max_delay = \"99999999999999999999d\": must be a span ",
            "reconnect.jitter = \"morse\": must be decorrelated, ",
        ],
    );
    for flag in ["--seed", "--horizon", "--clients", "--accepts", "--queue", "--login", "--jitter"]
    {
        assert!(ended.stderr.contains(&format!("[{flag}]\n")), "{flag}: {}", ended.stderr);
    }
    assert!(ended.stderr.starts_with("error: the simulation cannot start: 10 errors\n"));

    let zero = simulate("simulate --accepts 0").await;
    assert_refused(&zero, &["server.accept.capacity = \"0\": must be "]);
    let lonely = simulate("simulate --login-timeout 5s").await;
    assert_refused(&lonely, &["server.login: must be set"]);
    let empty = simulate("simulate --jitter full,").await;
    assert_refused(&empty, &["reconnect.jitter = \"full,\": must be strategies"]);
}

#[tokio::test]
async fn spans_below_zero_are_refused_with_all_other_errors() {
    let spans = [
        "--initial-delay",
        "--max-delay",
        "--connect-timeout",
        "--connect-timeout-max",
        "--spread",
        "--login",
        "--horizon",
    ];
    let flags = spans.map(|flag| format!("{flag} -1s")).join(" ");

    let ended = simulate(&format!("simulate {flags} --queue -1s --clients -1")).await;

    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    for flag in spans.into_iter().chain(["--queue", "--clients"]) {
        let of_flag = |line: &&str| line.ends_with(&format!(" [{flag}]"));
        let line = ended.stderr.lines().find(of_flag);
        let line = line.unwrap_or_else(|| panic!("{flag}: {}", ended.stderr));
        assert!(line.contains(" = \"-1") && line.contains(": must be a "), "{line}");
    }
}

#[tokio::test]
async fn workers_without_a_login_are_refused_with_the_missing_flag() {
    let lonely = simulate("simulate --login-workers 3 --clients 0").await;
    assert_refused(&lonely, &["server.login.service: must be set", "clients = \"0\": must be "]);
    assert!(lonely.stderr.contains(": add --login, such as --login 3ms  [--login-workers]"));

    let capacity = file(
        "capacity.toml",
        "clients = 10\n[server.accept]\ncapacity = 10\n[server.login]\ncapacity = 10",
    );
    let line = format!("simulate --login-workers x --scenario {}", capacity.display());
    let login = simulate(&line).await;
    assert_refused(
        &login,
        &["server.login.service: must be set", "server.login.workers = \"x\": must be a whole "],
    );
}

#[tokio::test]
async fn a_file_is_refused_with_all_its_errors() {
    let wrong = file(
        "ten.toml",
        "name = ''\nclients = 0\nhorizon = '9999999999999999999999s'\n\"col\\u001Bour\" = 1\n\
         [server]\nnodes = 0\nbalance = 'fair'\n[server.accept]\ncapacity = 0\nqueue = 0\n\
         [network]\nloss = 2.0\n[[faults]]\nkind = \"quake\\u001B[31m\"\n[[groups]]\n\
         config.connect_timeout = '0s'",
    );
    let shown = wrong.to_string_lossy().into_owned();

    let ended = simulate(&format!("simulate --scenario {shown}")).await;

    assert_refused(
        &ended,
        &[
            "name",
            "horizon = \"9999999999999999999999s\": must be ",
            "clients = \"0\": must be ",
            "col\\u{1b}our: unknown field",
            "server.nodes = \"0\": must be ",
            "server.balance = \"fair\": must be ",
            "server.accept.capacity = \"0\": must be ",
            "server.accept.queue = \"0\": must be ",
            "network.loss = \"2.0\": must be ",
            "groups.0.config.connect_timeout = \"0ms\": must be ",
            "faults.0.kind = \"quake\\u{1b}[31m\": must be ",
        ],
    );
    assert!(ended.stderr.lines().skip(1).all(|line| line.ends_with(&format!("[{shown}]"))));

    let broken = file("no.toml", "name = 'x'\n[server\n");
    let broken = simulate(&format!("simulate --scenario {}", broken.display())).await;
    assert_refused(&broken, &["scenario = "]);
    assert!(broken.stderr.contains("is not valid TOML: line 2, column"), "{}", broken.stderr);
    let missing = simulate("simulate --scenario /nowhere/storm.toml").await;
    assert_refused(&missing, &["scenario = \"/nowhere/storm.toml\": cannot be read: "]);
    let unknown = simulate("simulate --scenario quake").await;
    assert_refused(&unknown, &["scenario = \"quake\": must be a file, or one of drop, "]);
}
