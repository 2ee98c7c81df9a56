//! What is wrong in a definition is reported at once, each error with its place.

use gateway_dialects::Definition;

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| String::from("hunter2"))
}

fn errors(text: &str) -> Vec<String> {
    match Definition::parse_with(text, &environment) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// Each error begins with the expected place, and contains the words behind it.
fn check(text: &str, expected: &[(&str, &str)]) {
    let errors = errors(text);
    for (error, (place, words)) in errors.iter().zip(expected) {
        let is_there =
            error.starts_with(&format!("{place}: ")) || error.starts_with(&format!("{place} = "));
        assert!(is_there && error.contains(words), "{error}\nis not {place}: {words}");
    }
    assert_eq!(errors.len(), expected.len(), "{text}\n{errors:#?}");
}

#[test]
fn every_error_is_reported_at_once_with_its_place() {
    check(
        r#"
            longest = 0
            frames = "bytes"
            on_redy = "x"
            [login]
            wait = "auth"
            send = '{"token":"${secret:}","nonce":"${nonse}"}'
            refused = [{ when = "/a=b", verdict = "stop" }, { reason = "x" }]
            capture = { nonce = "nonce" }
            timeout = "soon"
            [heartbeat]
            snd = "ping"
            pong = ["=pong", 7]
            interval = { from = ["intervall"], unit = "h" }
            [[answer]]
            send = "x"
        "#,
        &[
            ("frames", "must be text or binary"),
            ("longest", "above 0"),
            ("login.wait = auth", "must be a pattern"),
            ("login.send", "must have names of 1 to 64"),
            ("login.send", "unknown name ${nonse}; near it: nonce"),
            ("login.ok", "must be set"),
            ("login.refused[0].verdict", "must be retry, refresh, fatal or a least delay"),
            ("login.refused[1].when", "must be set"),
            ("login.refused[1].reason", "must be a JSON pointer"),
            ("login.capture.nonce", "must be a JSON pointer"),
            ("login.timeout", "must be a span"),
            ("heartbeat.pong", "must be a pattern"),
            ("heartbeat.interval.from[0] = intervall", "must be the name of a capture"),
            ("heartbeat.interval.unit", "ms, s or m"),
            ("heartbeat.send", "must be set"),
            ("heartbeat.pong", "must not be set without send"),
            ("heartbeat.interval", "must not be set without send"),
            ("heartbeat.snd", "unknown field; near it: send"),
            ("answer[0].when", "must be set"),
            ("on_redy", "unknown field; near it: on_ready"),
        ],
    );
}

#[test]
fn each_wrong_input_has_its_error() {
    for (text, place, words) in [
        ("", "dialect", "must have at least one of"),
        ("path = \"/x\"", "dialect", "must have at least one of"),
        ("login = 7", "login", "must be a table"),
        ("on_ready = 7", "on_ready", "must be a string"),
        ("on_ready = \"${env:UNSET}\"", "on_ready", "the environment variable UNSET is not set"),
        ("on_ready = \"${\"", "on_ready", "without a closing brace"),
        ("on_ready = [\"a\", \"b\", \"c\", \"d\", \"e\"]", "on_ready = 5", "at most 4 messages"),
        ("[heartbeat]\nsend = [\"a\", \"b\"]", "heartbeat.send", "must be one message"),
        ("[heartbeat]\nsend = \"a\"\npong = []", "heartbeat.pong", "a list of patterns"),
        ("[heartbeat]\nsend = \"a\"\npong = [[]]", "heartbeat.pong", "a list of patterns"),
        ("[heartbeat]\nsend = \"a\"\npong = [\"=a\", \"hex:00\"]", "heartbeat.pong", "hex:"),
        ("[heartbeat]\nsend = \"a\"\npong = \"=a\"\nstamp = \"/id\"", "heartbeat.stamp", "needs"),
        ("[heartbeat]\nsend = \"a\"\nstamp = \"/id\"", "heartbeat.stamp", "without pong"),
        ("[heartbeat]\nsend = \"a\"\ntimeout = \"1s\"", "heartbeat.timeout", "without interval"),
        ("[heartbeat]\nsend = \"a\"\ninterval = 0", "heartbeat.interval", "above 0"),
        ("[heartbeat]\nexpect = \"500ms\"", "heartbeat.expect = 500ms", "must be from 1s to 1d"),
        ("[heartbeat]\nexpect = \"25h\"", "heartbeat.expect = 25h", "must be from 1s to 1d"),
        (
            "[heartbeat]\nsend = \"a\"\ninterval = 20",
            "heartbeat.interval = 20",
            "must be from 1s to 1d; a number without a unit is in milliseconds",
        ),
        (
            "[heartbeat]\nsend = \"a\"\ninterval = \"2s\"\ntimeout = \"5s\"",
            "heartbeat.timeout = 5s",
            "must be at most heartbeat.interval (2s)",
        ),
        (
            "[heartbeat]\nsend = \"a\"\ninterval = \"2s\"\ntimeout = 500",
            "heartbeat.timeout = 500",
            "must be from 1s to 1d",
        ),
        (
            "[login]\nok = \"=a\"\ntimeout = \"366d\"",
            "login.timeout = 366d",
            "must be from 1ms to 365d",
        ),
        (
            "[[leave]]\nwhen = \"=a\"\nverdict = \"366d\"",
            "leave[0].verdict",
            "a least delay such as 30s, at most 365d",
        ),
        ("[heartbeat]\nsend = \"hex:0\"", "heartbeat.send", "an even number"),
        ("on_ready = \"a\"\n[policy]\n4000 = \"never\"", "policy.4000", "must be a code"),
        ("on_ready = \"a\"\n[policy]\nx = \"retry\"", "policy.x", "must be a code"),
        ("on_ready = \"a\"\npath = \"x\"", "path", "must begin with /"),
        ("on_ready = \"a\"\nsubprotocols = [7]", "subprotocols[0]", "the name of a subprotocol"),
        (
            "on_ready = \"a\"\n[answer]\nwhen = \"/a\"\ncapture = { counter = \"/a\" }",
            "answer.capture.counter",
            "must have another name",
        ),
        (
            "on_ready = [\"a\", \"b\", \"c\"]\n[login]\nok = \"=a\"\ncapture = { i = \"/i\" }\n\
             [heartbeat]\nsend = \"a\"\ninterval = { from = \"i\", unit = \"s\" }",
            "on_ready = 3",
            "at most 2 messages",
        ),
    ] {
        check(text, &[(place, words)]);
    }
}

#[test]
fn a_verdict_behind_a_pattern_is_an_error_that_shows_how_to_write_it() {
    for (refused, place, words) in [
        (
            "\"/error=banned:fatal\"",
            "login.refused = /error=banned:fatal",
            "must be { when = \"/error=banned\", verdict = \"fatal\" }; if the value itself ends with \
             :fatal, { when = \"/error=banned:fatal\" }",
        ),
        (
            "[\"/error=a\", \"/error=busy:30s\"]",
            "login.refused[1] = /error=busy:30s",
            "must be { when = \"/error=busy\", verdict = \"30s\" }",
        ),
        (
            "[[\"/op=auth\", \"/error=busy:retry\"]]",
            "login.refused[0] = /error=busy:retry",
            "must be { when = \"/error=busy\", verdict = \"retry\" }",
        ),
    ] {
        check(&format!("[login]\nok = \"=a\"\nrefused = {refused}"), &[(place, words)]);
    }
    for refused in ["\"/at=12:30\"", "\"/a=b:c\"", "{ when = \"/error=banned:fatal\" }"] {
        check(&format!("[login]\nok = \"=a\"\nrefused = {refused}"), &[]);
    }
}

#[test]
fn a_value_that_looks_like_a_mistake_is_an_error_with_the_right_spelling() {
    for (pattern, words) in [
        ("/type==pong", r"must be /type=pong, or /type=\=pong if the value itself begins so"),
        ("/type=\"pong\"", "must be /type=pong, or /type=\\\"pong\" if"),
        ("/type='pong'", r"must be /type=pong, or /type=\'pong' if"),
        ("/type = pong", r"must be /type=pong, or /type=\ pong if"),
        ("/type == \"pong\"", r"must be /type=pong, or "),
        ("/type=\"\"", "must be /type=, or"),
    ] {
        let place = format!("answer[0].when = {pattern}");
        check(&format!("[[answer]]\nwhen = {pattern:?}"), &[(&place, words)]);
    }
}

#[test]
fn a_message_that_is_sent_before_its_value_can_come_is_an_error() {
    const LOGIN: &str = "[login]\nsend = \"${sid}\"\ncapture = { sid = \"/sid\" }\nok = \"/sid\"\n";
    const ANSWER: &str = "[[answer]]\nwhen = \"/sid\"\ncapture = { sid = \"/sid\" }\n";
    for (toml, place, words) in [
        (
            LOGIN.to_string(),
            "login.send",
            "must not use ${sid}: without login.wait, it is sent before",
        ),
        (format!("{LOGIN}{ANSWER}"), "login.send", "must not use ${sid}: without login.wait"),
        (
            format!("{LOGIN}wait = \"=hello\""),
            "login.send",
            "must not use ${sid}: the greeting has no such value",
        ),
        (
            format!("{LOGIN}wait = [\"^4\", '=4{{\"id\":1}}']"),
            "login.send",
            "must not use ${sid}: the greeting has no such value",
        ),
        (
            format!("on_ready = [\"a\", \"${{sid}}\"]\n{ANSWER}"),
            "on_ready[1]",
            "must not use ${sid}: without [login], it is sent before",
        ),
    ] {
        check(&toml, &[(place, words)]);
    }
    for toml in [
        format!("{LOGIN}wait = \"/hello\""),
        format!("{LOGIN}wait = [[\"=hello\"], [\"^4\"]]"),
        format!("{LOGIN}wait = [\"^4\", '=4{{\"sid\":1}}']"),
        format!("{LOGIN}wait = \"=hello\"\n{ANSWER}"),
        format!("on_ready = \"${{sid}}\"\n{}", LOGIN.replace("\"${sid}\"", "\"a\"")),
    ] {
        check(&toml, &[]);
    }
}

#[test]
fn no_error_shows_what_may_be_a_secret() {
    for text in [
        "login = \"hunter2\"",
        "on_ready = \"hunter2 ${x}\"",
        "on_ready = \"hunter2 ${hunter2 x}\"",
        "on_ready = \"hunter2 ${\"",
        "on_ready = [\"hunter2 ${env:UNSET}\"]",
        "on_ready = [[\"hunter2\"]]",
        "on_ready = \"hex:hunter2\"",
        "on_ready = \"hunter2\" x",
        "on_ready = \"hunter2",
        "[heartbeat]\nsend = [\"hunter2\", \"hunter2\"]",
    ] {
        let errors = errors(text);
        assert!(!errors.is_empty(), "{text}");
        assert!(!errors.iter().any(|error| error.contains("hunter2")), "{errors:?}");
    }
}

#[test]
fn a_syntax_error_names_the_line() {
    let errors = errors("[heartbeat]\nsend = \"a\"\nsend = \"b\"\n");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("dialect, line 3: is not TOML: "), "{errors:?}");
}

#[test]
fn debug_shows_no_message() {
    let text = "on_ready = \"hunter3 ${env:TOKEN}\"\nclosing = \"hunter3\"";
    let definition = Definition::parse_with(text, &environment).unwrap();
    let shown = format!("{definition:?} {:?}", definition.dialect());
    assert!(!shown.contains("hunter"), "{shown}");
}
