//! Runs every corpus through its fuzz target. Each corpus reaches what matters, and each plan has
//! bytes of its own.

use gateway_targets::{Sights, TARGETS, Target, corpus, plans};

/// How many inputs are drawn for each corpus.
const DRAWN: usize = 100;

/// What some input of each corpus must reach.
const MATTERS: &[(&str, &[&str])] = &[
    (
        "answers",
        &[
            "a code",
            "no code",
            "a breach",
            "a reason that is no text",
            "a status",
            "no upgrade",
            "not asked in",
            "no answer yet",
            "opened",
            "retry after",
            "retried",
            "fatal",
            "fatal after a refresh",
            "spent",
            "spread",
        ],
    ),
    (
        "cli",
        &["accepted", "refused", "laid over", "a secret", "size", "span", "code", "script", "ping"],
    ),
    (
        "config",
        &[
            "accepted",
            "refused",
            "several errors",
            "a relation",
            "crossings",
            "toml",
            "json",
            "dead in time",
            "login timeout",
            "nothing to watch for",
            "a provider that hangs",
        ],
    ),
    (
        "driver",
        &[
            "ready",
            "delivered",
            "all delivered",
            "protocol error",
            "close received",
            "lost",
            "pong timeout",
            "open failed",
            "raw bytes",
            "sent",
            "maybe sent",
            "rejected",
            "refused",
            "dropped",
            "reconnect",
            "renewal",
            "provider failed",
            "attempt timeout",
        ],
    ),
    (
        "events",
        &[
            "ready",
            "reconnected",
            "stale",
            "pong timeout",
            "write stall",
            "aborted",
            "ping held",
            "ping handed over",
            "reconnect",
            "renewal",
            "drained",
            "provider answered",
            "open reserved",
            "provider failed",
            "attempt timeout",
            "dialect ping",
            "dialect left",
            "effect ignored",
            "effects without effect",
            "farewell",
            "resume",
        ],
    ),
    (
        "frames",
        &[
            "a client reads",
            "a server reads",
            "a text",
            "a binary",
            "a ping",
            "a pong",
            "a close",
            "a close without a code",
            "fragments",
            "a control frame between fragments",
            "in pieces",
            "masked",
            "unmasked",
            "reserved bit",
            "reserved opcode",
            "length",
            "interrupted",
            "nothing to continue",
            "fragmented control",
            "long control",
            "close of one byte",
            "close code",
            "close reason",
            "text",
            "too long",
            "too long so far",
            "extension",
            "a length that tungstenite accepts",
            "refused before its end",
            "a code that tungstenite replaces",
            "the code 1014",
            "a wrong code and a wrong reason",
            "a wrong head that is too long",
            "refused by the extension",
            "a control frame longer than a message may be",
            "bytes after a close",
        ],
    ),
    (
        "journal",
        &[
            "head",
            "entries",
            "effects",
            "facts",
            "whole",
            "as recorded",
            "difference",
            "damaged",
            "broken off",
            "cut",
            "lines out of order",
        ],
    ),
    ("reference", &["ready", "reconnected", "stale", "effects without effect"]),
    (
        "roles",
        &[
            "a client writes",
            "a server writes",
            "a text",
            "a binary",
            "a ping",
            "a pong",
            "a close",
            "an echo",
            "an empty echo",
            "no answer",
            "answered",
            "after a close",
            "cut",
            "an empty payload",
            "a length of one byte",
            "a length of two bytes",
            "a length of eight bytes",
            "the code 1014",
        ],
    ),
];

/// What each finding reaches, so that it goes on to say what its name does.
const FINDINGS: &[(&str, &[&str])] = &[
    ("answers/a-connection-field-lists-more-than-the-upgrade", &["opened"]),
    ("answers/a-lost-connection-is-spread", &["spread"]),
    ("answers/a-shared-budget-opens-without-a-delay-at-once", &["opened without a delay"]),
    ("answers/fields-behind-the-head-name-the-key-again", &["opened", "fields behind the head"]),
    ("cli/a-renewal-is-due-without-a-heartbeat", &["accepted"]),
    ("config/a-connect-timeout-exceeds-its-maximum", &["a relation"]),
    (
        "driver/an-answer-behind-an-illegal-close-is-called-sent",
        &["delivered", "protocol error", "refused"],
    ),
    (
        "events/a-reconnect-request-meets-a-late-retry",
        &["opened by a reconnect request, with no wait"],
    ),
    (
        "events/a-reconnect-request-meets-a-retry-that-is-due",
        &["opened by a reconnect request, with no wait"],
    ),
    ("events/a-retry-is-due-as-the-last-renewal-opens", &["renewal", "attempt timeout"]),
    (
        "frames/an-empty-text-behind-a-long-one-shares-no-copy",
        &["a text", "a text behind one that shares no copy"],
    ),
    ("reference/a-connect-request-ends-a-least-delay-under-a-budget", &["an attempt at the end"]),
    (
        "reference/a-least-delay-to-the-end-of-time-is-kept-whole",
        &["stale", "a deadline at the end of time"],
    ),
    (
        "reference/a-round-trip-as-long-as-time-is-counted-whole",
        &["ready", "a round trip as long as time"],
    ),
];

fn reached(target: &Target, name: &str, bytes: &[u8]) -> Sights {
    std::panic::catch_unwind(|| target.run(bytes)).unwrap_or_else(|finding| {
        let told = finding.downcast_ref::<String>().map_or("a finding", String::as_str);
        panic!("{}/{name}: {told}", target.name);
    })
}

#[test]
fn every_corpus_reaches_what_matters_without_a_finding() {
    for (target, (name, matters)) in TARGETS.iter().zip(MATTERS) {
        assert_eq!(target.name, *name, "add what matters of {}", target.name);
        let mut sights = Sights::new();
        for (seed, bytes) in corpus(target, DRAWN).expect("plans") {
            let reached = reached(target, &seed, &bytes);
            let is_named = matters.iter().find(|sight| sight.replace(' ', "-") == seed);
            assert!(is_named.is_none_or(|sight| reached.contains(sight)), "{name}/{seed}");
            sights.extend(reached);
        }
        for sight in *matters {
            assert!(sights.contains(sight), "no input of {name} reaches: {sight}");
        }
    }
}

#[test]
fn every_finding_stays_fixed_and_reaches_what_it_is_about() {
    let mut names = Vec::new();
    for target in TARGETS {
        for (name, text) in plans("findings", target.name).expect("texts") {
            let sights = reached(target, &name, &target.bytes(&text).expect("a plan"));
            let name = format!("{}/{name}", target.name);
            let about = FINDINGS.iter().find(|(finding, _)| *finding == name);
            let (_, about) = about.unwrap_or_else(|| panic!("nothing is known of {name}"));
            for sight in *about {
                assert!(sights.contains(sight), "{name} does not reach: {sight}; {sights:?}");
            }
            names.push(name);
        }
    }
    assert_eq!(names, FINDINGS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// Of committed plans and of random ones.
#[test]
fn a_plan_is_the_same_after_its_bytes_and_its_text() {
    for target in TARGETS {
        for (name, bytes) in corpus(target, DRAWN).expect("plans") {
            let text = target.text(&bytes).expect("a text");
            let shortest = target.bytes(&text).expect("a plan");
            assert_eq!(target.text(&shortest).expect("a text"), text, "{}/{name}", target.name);
            assert!(name.starts_with("drawn-") || shortest == bytes, "{}/{name}", target.name);
        }
    }
}

/// A new field is missing in every older text.
#[test]
fn a_text_without_a_field_has_its_default_and_is_otherwise_the_same() {
    for target in TARGETS {
        for kind in ["seeds", "findings"] {
            for (name, text) in plans(kind, target.name).expect("texts") {
                let at = format!("{}/{name}", target.name);
                let text = target.bytes(&text).unwrap_or_else(|why| panic!("{at}: {why}"));
                let text = target.text(&text).expect("a text");
                let lines: Vec<_> = text.lines().collect();
                for index in (0..lines.len()).filter(|index| is_field(lines[*index])) {
                    let older = [&lines[..index], &lines[index + 1..]].concat().join("\n");
                    let at = format!("{at}, line {}", index + 1);
                    let bytes = target.bytes(&older).unwrap_or_else(|why| panic!("{at}: {why}"));
                    let read = target.text(&bytes).expect("a text");
                    let mut read: Vec<_> = read.lines().collect();
                    read[index] = lines[index];
                    assert_eq!(read, lines, "{at}");
                }
            }
        }
    }
}

/// Whether this line is a field and its value.
fn is_field(line: &str) -> bool {
    let field = line.strip_suffix(',').and_then(|field| field.trim_start().split_once(": "));
    field.is_some_and(|(name, _)| name.chars().all(|char| char.is_ascii_lowercase() || char == '_'))
}
