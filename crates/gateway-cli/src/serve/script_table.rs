//! The table of scripts: everything that the server can do to a client, by name.

use super::{
    ending::Ending,
    script::{Closing, Header, HttpAnswer, Manners, Opening, Pace, Pongs, Script, Step, Until},
};

const GOOD: Step = Step::Answer(Manners::GOOD);
const BRIEF: Step = Step::Answer(Manners::BRIEF);
const THREE: Step =
    Step::Answer(Manners { until: Until::Either { echoes: 3, beats: 1 }, ..Manners::GOOD });

/// An upgrade at once, some steps, an end.
const fn upgrade(steps: &'static [Step], end: Ending) -> Opening {
    Opening::Upgrade { pace: Pace::AtOnce, steps, end }
}

/// A Close frame, after time enough for a client to get ready.
const fn close(code: u16, reason: &'static str) -> Opening {
    upgrade(&[BRIEF], Ending::Close { code, reason })
}

const fn http(status: u16, reason: &'static str, header: Header) -> Opening {
    Opening::Http(HttpAnswer { status, reason, header })
}

const fn script(name: &'static str, about: &'static str, opening: Opening) -> Script {
    Script { name, about, opening }
}

/// All scripts. `echo` is the first.
#[rustfmt::skip]
pub(crate) static SCRIPTS: [Script; 33] = [
    script("echo", "echoes and answers pings; does nothing wrong",
        upgrade(&[GOOD], Ending::Finish)),
    script("drop", "aborts the connection after three echoed messages or a second",
        upgrade(&[THREE], Ending::Abort)),
    script("accept-then-drop", "upgrades, and hangs up at once without a Close frame",
        upgrade(&[], Ending::Finish)),
    script("half-open", "upgrades, then never reads or writes again",
        upgrade(&[], Ending::Hold)),
    script("never-answer", "accepts TCP, and never answers the upgrade",
        Opening::Silence),
    script("slow-upgrade", "writes the answer to the upgrade one byte a second, then echoes",
        Opening::Upgrade { pace: Pace::ByteABeat, steps: &[GOOD], end: Ending::Finish }),
    script("never-pong", "echoes, and swallows application-level pings",
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Never, ..Manners::GOOD })], Ending::Finish)),
    script("late-pong", "echoes, and answers each ping six seconds late",
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Late(6), ..Manners::GOOD })], Ending::Finish)),
    script("wrong-pong", "echoes, and answers pings with a timestamp an hour ahead of theirs",
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Wrong, ..Manners::GOOD })], Ending::Finish)),
    script("close-1000", "closes with 1000 (normal) after one echoed message or a second",
        close(1000, "done")),
    script("close-1008", "closes with 1008 (policy) after one echoed message or a second",
        close(1008, "policy violation")),
    script("close-1012", "closes with 1012 (restart) after one echoed message or a second",
        close(1012, "service restart")),
    script("close-4000", "closes with 4000 (application) after one echoed message or a second",
        close(4000, "application error")),
    script("http-401", "answers the upgrade with 401 Unauthorized",
        http(401, "Unauthorized", Header::Authenticate("Bearer"))),
    script("http-403", "answers the upgrade with 403 Forbidden",
        http(403, "Forbidden", Header::None)),
    script("http-404", "answers the upgrade with 404 Not Found",
        http(404, "Not Found", Header::None)),
    script("http-429", "answers the upgrade with 429 Too Many Requests, without Retry-After",
        http(429, "Too Many Requests", Header::None)),
    script("http-429-retry-after", "answers the upgrade with 429 and Retry-After: 2",
        http(429, "Too Many Requests", Header::RetryAfterSeconds(2))),
    script("http-429-retry-date", "answers the upgrade with 429 and Retry-After as a date 3 s ahead",
        http(429, "Too Many Requests", Header::RetryAfterDate(3))),
    script("http-503", "answers the upgrade with 503 Service Unavailable",
        http(503, "Service Unavailable", Header::None)),
    script("redirect", "answers the upgrade with 302 Found and a Location",
        http(302, "Found", Header::Location("/elsewhere"))),
    script("not-http", "answers the upgrade with bytes that are no HTTP",
        Opening::Bytes(b"\x16\x03\x01\x00\x02this is no HTTP\r\n\r\n")),
    script("bad-utf8", "sends a text message that is no UTF-8 after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x04ab\xc3\x28")], Ending::Obey)),
    script("reserved-bits", "sends a text frame with a reserved bit set after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\xc1\x02hi")], Ending::Obey)),
    script("oversized", "announces a frame of 2 GiB, sent in part, after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x82\x7f\x00\x00\x00\x00\x80\x00\x00\x00a few bytes")],
            Ending::Obey)),
    script("close-code-1005", "closes with 1005, which must not be on the wire, after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x88\x02\x03\xed")], Ending::AwaitClose)),
    script("close-one-byte", "sends a Close frame with half a close code after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x88\x01\x03")], Ending::AwaitClose)),
    script("masked-frame", "sends a masked frame, which only a client may, after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x82\x00\x00\x00\x00hi")], Ending::Obey)),
    script("finish-mid-frame", "ends the TCP stream within a frame after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x7e\x03\xe8the first of")], Ending::Finish)),
    script("reset-mid-frame", "resets TCP within a frame after one echoed message or a second",
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x7e\x03\xe8the first of")], Ending::Abort)),
    script("ping-flood", "sends ten thousand WebSocket pings at once, then echoes",
        upgrade(&[Step::PingFlood(10_000), GOOD], Ending::Finish)),
    script("no-close-reply", "echoes, never answers a Close frame, and keeps TCP open",
        upgrade(&[Step::Answer(Manners { closing: Closing::Ignored, ..Manners::GOOD })],
            Ending::Hold)),
    script("close-mute", "sends Close 1001 after one echoed message or a second, then is mute",
        upgrade(&[BRIEF, Step::Bytes(b"\x88\x02\x03\xe9")], Ending::Hold)),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_kebab_case_and_unique() {
        let names: HashSet<_> = SCRIPTS.iter().map(|script| script.name).collect();

        assert_eq!(names.len(), SCRIPTS.len());
        for name in names {
            let is_kebab =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(name.bytes().all(is_kebab) && name != "list", "{name}");
        }
    }

    #[test]
    fn a_fault_that_waits_for_a_client_to_get_ready_says_until_when() {
        for script in &SCRIPTS {
            let Opening::Upgrade { steps: [first, ..], .. } = script.opening else { continue };
            let is_brief = matches!(first, Step::Answer(Manners { until, .. })
                if matches!(until, Until::Either { echoes: 1, beats: 1 }));
            let says_so = script.about.contains("after one echoed message or a second");
            assert_eq!(is_brief, says_so, "{}", script.name);
        }
    }

    #[test]
    fn every_script_is_found_by_its_name() {
        for script in Script::all() {
            let found = Script::by_name(script.name).expect("it is in the table");
            assert!(std::ptr::eq(found, script));
            assert!(!script.about.is_empty() && !script.about.contains('\n'));
        }
        assert_eq!(Script::ECHO.name, "echo");
        assert!(Script::by_name("no-such-script").is_none());
    }
}
