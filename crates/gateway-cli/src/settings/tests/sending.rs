//! The settings of what is sent, and of a client that is away or behind.

use super::load;

#[test]
fn a_send_stall_is_a_span_within_its_limits() {
    for (argument, expected) in [
        (
            "soon",
            "  send_stall = \"soon\": must be a span such as 500ms, 30s or 5m, or a number of",
        ),
        ("99ms", "  send_stall = \"99ms\": must be from 100ms to 1h  [--send-stall]\n"),
        ("2h", "  send_stall = \"2h\": must be from 100ms to 1h  [--send-stall]\n"),
    ] {
        let errors = load("", &["ws://h", "--send-stall", argument]).err().expect("errors");
        assert!(errors.contains(expected), "{errors}");
    }
    assert!(load("", &["ws://h", "--send-stall", "1h"]).is_ok());
}

/// A setting's effective value and its source, as `gateway check` shows them.
fn shown(file: &str, arguments: &[&str], path: &str) -> String {
    let summary = load(file, arguments).unwrap_or_else(|errors| panic!("{errors}")).summary;
    let summary = summary.to_string();
    let line = summary.lines().find(|line| line.trim_start().starts_with(&format!("{path} ")));
    let words = line.unwrap_or_else(|| panic!("no {path}: {summary}")).split_whitespace();
    words.skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_outbox_and_a_rate_are_read_from_flags_and_file_and_turned_off_by_a_flag() {
    let file = "lost_after = '30s'\nbehind = 'drop_oldest'\n[outbox]\nmessages = 5\nbytes = '1KiB'\n\
                time_to_live = 'off'\nwhen_full = 'refuse_newest'\nacross_endpoints = true\n\
                [rate]\nmessages = 10\nspan = '1s'\nburst = 4\nreserve = 1";
    let own = load(file, &[]).unwrap().own;
    assert!(own.sending.has_outbox());
    assert_eq!(shown(file, &["--rate", "120/60s"], "rate.messages"), "120 --rate");
    assert_eq!(shown(file, &["--rate", "120 / 60s"], "rate.span"), "60s --rate");
    assert_eq!(shown(file, &[], "rate.span"), "1s gateway.toml");
    assert_eq!(shown("", &[], "outbox.messages"), "off default");

    let off = load(file, &["--outbox", "off", "--rate", "off", "--lost-after", "off"]).unwrap().own;
    assert!(!off.sending.has_outbox());
    assert!(!load("", &[]).unwrap().own.sending.has_outbox());
}

#[test]
fn every_error_of_what_is_sent_is_told_at_once_with_its_place() {
    let file = "behind = 'slow'\n[outbox]\nmessages = 0\nbytes = '1 mile'\nlarge = 1\n\
                [rate]\nmessages = 0\nspan = '25h'\nreserve = -1";
    let arguments =
        ["--outbox-full", "panic", "--outbox-time-to-live", "0", "--lost-after", "soon"];

    let errors = load(file, &arguments).err().expect("errors");

    let span = "must be a span such as 500ms, 30s or 5m, a number of milliseconds, or off";
    for line in [
        "error: the configuration is not valid: 10 errors",
        "  outbox.messages = \"0\": must be from 1 to 1048576  [gateway.toml]",
        "  outbox.bytes = \"1 mile\": must be a size such as 64KiB, from 1 to 1GiB  [gateway.toml]",
        "  outbox.time_to_live = \"0ms\": must be at least 1ms  [--outbox-time-to-live]",
        "  outbox.when_full = \"panic\": must be drop_oldest or refuse_newest  [--outbox-full]",
        "  outbox.large: unknown field; the known fields are messages, bytes, time_to_live, \
         when_full, across_endpoints  [gateway.toml]",
        "  rate.messages = \"0\": must be from 1 to 1000000  [gateway.toml]",
        "  rate.span = \"25h\": must be from 1ms to 24h  [gateway.toml]",
        "  rate.reserve = \"-1\": must be a number less than rate.burst  [gateway.toml]",
        &format!("  lost_after = \"soon\": {span}  [--lost-after]"),
        "  behind = \"slow\": must be stop_reading or drop_oldest  [gateway.toml]",
    ] {
        assert!(errors.contains(&format!("{line}\n")), "{line}\n{errors}");
    }
}

#[test]
fn a_rate_has_a_span_and_its_burst_and_reserve_are_below_it() {
    for (file, arguments, line) in [
        (
            "",
            &["--rate", "fast"][..],
            "rate.messages = \"fast\": must be a number from 1 to 1000000, or off; as a flag it has a \
             span, such as --rate 120/60s  [--rate]",
        ),
        (
            "rate.messages = 120",
            &[],
            "rate.span: must be set together with rate.messages, such as --rate 120/60s  \
             [gateway.toml]",
        ),
        (
            "rate.messages = 10\nrate.span = '1s'",
            &["--rate", "120"],
            "rate.span: must be set together with rate.messages, such as --rate 120/60s  [--rate]",
        ),
        (
            "",
            &["--rate", "120/soon"],
            "rate.span = \"soon\": must be a span such as 500ms, 30s or 5m, or a number of \
             milliseconds  [--rate]",
        ),
        (
            "rate.reserve = 6",
            &["--rate", "10/1s"],
            "rate.reserve = \"6\": must be less than rate.burst, which is 5  [gateway.toml]",
        ),
        (
            "",
            &["--rate", "10/1s", "--rate-burst", "11"],
            "rate.burst = \"11\": must be from 1 to rate.messages, which is 10  [--rate-burst, --rate]",
        ),
        ("rate = 5", &[], "rate = \"5\": must be a table  [gateway.toml]"),
    ] {
        let errors = load(file, arguments).err().expect("errors");
        assert!(errors.contains(&format!("  {line}\n")), "{line}\n{errors}");
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
}

#[test]
fn what_belongs_to_an_outbox_or_a_rate_is_an_error_without_it() {
    let file = "outbox.across_endpoints = false\nrate.span = '1s'";
    let arguments = ["--outbox-bytes", "1KiB", "--outbox-full", "panic", "--rate-burst", "2"];

    let errors = load(file, &arguments).err().expect("errors");

    let outbox = "must not be set without outbox.messages; use --outbox N";
    let rate = "must not be set without rate.messages; use --rate N/SPAN";
    for line in [
        "error: the configuration is not valid: 5 errors",
        &format!("  outbox.bytes = \"1KiB\": {outbox}  [--outbox-bytes]"),
        &format!("  outbox.across_endpoints = \"false\": {outbox}  [gateway.toml]"),
        "  outbox.when_full = \"panic\": must be drop_oldest or refuse_newest  [--outbox-full]",
        &format!("  rate.span = \"1s\": {rate}  [gateway.toml]"),
        &format!("  rate.burst = \"2\": {rate}  [--rate-burst]"),
    ] {
        assert!(errors.contains(&format!("{line}\n")), "{line}\n{errors}");
    }
}
