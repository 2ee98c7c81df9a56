//! The table of scripts: everything that the server can do to a client, by name, with the rules for the
//! client.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gateway_core::CloseCode;
use thiserror::Error;

use crate::{
    rule::Rule,
    script::{
        Closing, Ending, Header, HttpAnswer, Manners, Opening, Pace, Pongs, Script, Step, Until,
    },
};

/// Why a name is not that of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoScript {
    /// No script has this name.
    #[error("unknown script; `Script::all` lists all scripts")]
    Name,
    /// The code in `close-CODE` may not be sent.
    #[error(
        "this close code may not be sent; valid codes are 1000-1003, 1007-1014 and 3000-4999 \
         (RFC 6455, 7.4); the script close-code-1005 sends 1005"
    )]
    Code,
}

impl Script {
    /// The script without a fault.
    pub const ECHO: &'static Self = &SCRIPTS[0];

    /// Returns the script with this name: one of the table, or `close-CODE` with any code that may be
    /// sent.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Self, NoScript> {
        if let Some(script) = SCRIPTS.iter().find(|script| script.name == name) {
            return Ok(script);
        }
        let code = name.strip_prefix("close-").filter(|code| is_number(code));
        match code.map(str::parse).map(|code| code.map(CloseCode::new)) {
            Some(Ok(Ok(code))) => Ok(close_with(code)),
            Some(Ok(Err(_)) | Err(_)) => Err(NoScript::Code),
            None => Err(NoScript::Name),
        }
    }

    /// Every script of the table, `echo` first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &SCRIPTS
    }
}

const GOOD: Step = Step::Answer(Manners::GOOD);
const BRIEF: Step = Step::Answer(Manners::BRIEF);
const THREE: Step =
    Step::Answer(Manners { until: Until::Either { echoes: 3, beats: 1 }, ..Manners::GOOD });

const WAITS: Rule = Rule::Waits { at_once: 1 };
/// Browsers follow this many redirects.
const FEW_REDIRECTS: Rule = Rule::Waits { at_once: 20 };
const TWO_SECONDS: Rule = Rule::HeedsRetryAfter { least: Duration::from_secs(2) };

/// The connection worked, and is lost through no fault of the client.
const LOST: &[Rule] = &[Rule::ComesBack, WAITS];
/// The connection is lost as soon as it is open.
const NEVER_WORKS: &[Rule] = &[Rule::ComesBack, WAITS, Rule::BacksOff];
/// The upgrade is refused. The client may retry or give up.
const REFUSED: &[Rule] = &[WAITS, Rule::BacksOff];
const SILENT: &[Rule] =
    &[Rule::NoticesSilence, Rule::ComesBack, Rule::HangsUpAfterClose, Rule::ClosesLegally];
const WORKS: &[Rule] = &[Rule::Stays, Rule::ClosesLegally];
const UNANSWERED: &[Rule] = &[Rule::GivesUpOpening, Rule::ComesBack, WAITS];
/// The server closes and will be back.
const AWAY: &[Rule] = &[Rule::AnswersClose, Rule::ComesBack, WAITS];
/// The server closes with a code after which some clients reconnect and others do not.
const CLOSED: &[Rule] = &[Rule::AnswersClose, WAITS];
const PROTOCOL_ERROR: &[Rule] = &[Rule::FailsConnection { codes: &[1002] }, WAITS];
const BAD_DATA: &[Rule] = &[Rule::FailsConnection { codes: &[1007, 1002] }, WAITS];
const TOO_BIG: &[Rule] = &[Rule::FailsConnection { codes: &[1009, 1002] }, WAITS];

const fn upgrade(steps: &'static [Step], end: Ending) -> Opening {
    Opening::Upgrade { pace: Pace::AtOnce, steps, end }
}

/// Closes after enough time for a client to become ready.
const fn close(code: CloseCode, reason: &'static str) -> Opening {
    upgrade(&[BRIEF], Ending::Close { code, reason })
}

/// For a code that has no name.
pub(crate) const fn code(number: u16) -> CloseCode {
    match CloseCode::new(number) {
        Ok(code) => code,
        Err(_) => panic!("this code may not be sent"),
    }
}

/// The script that closes with a code that is not in the table. It lives as long as the process.
fn close_with(code: CloseCode) -> &'static Script {
    static CLOSES: Mutex<BTreeMap<u16, &Script>> = Mutex::new(BTreeMap::new());
    let mut closes = CLOSES.lock().unwrap_or_else(PoisonError::into_inner);
    closes.entry(code.number()).or_insert_with_key(|number| {
        let name = format!("close-{number}").leak();
        let about = format!("closes with {number} after one echoed message or a second").leak();
        let expects = match number {
            // Going away, restarting, too busy for now.
            1001 | 1012 | 1013 => AWAY,
            _ => CLOSED,
        };
        Box::leak(Box::new(script(name, about, expects, close(code, ""))))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const fn http(status: u16, reason: &'static str, header: Header) -> Opening {
    Opening::Http(HttpAnswer { status, reason, header })
}

const fn script(
    name: &'static str,
    about: &'static str,
    expects: &'static [Rule],
    opening: Opening,
) -> Script {
    Script { name, about, expects, opening }
}

/// All scripts. `echo` is the first.
#[rustfmt::skip]
static SCRIPTS: [Script; 44] = [
    script("echo", "echoes and answers pings, without any fault", WORKS,
        upgrade(&[GOOD], Ending::Finish)),
    script("drop", "resets the connection after three echoed messages or a second", LOST,
        upgrade(&[THREE], Ending::Abort)),
    script("accept-then-drop", "upgrades, then ends TCP at once without a Close frame", NEVER_WORKS,
        upgrade(&[], Ending::Finish)),
    script("accept-then-close", "upgrades, then closes with 1001 at once", NEVER_WORKS,
        upgrade(&[], Ending::Close { code: CloseCode::GOING_AWAY, reason: "" })),
    script("hang-up", "ends TCP without an answer to the upgrade", NEVER_WORKS,
        Opening::HangUp),
    script("half-open", "upgrades, then never reads or writes again", SILENT,
        upgrade(&[], Ending::Hold)),
    script("go-silent", "never reads or writes again after one echoed message or a second", SILENT,
        upgrade(&[BRIEF], Ending::Hold)),
    script("never-answer", "accepts TCP, then never answers the upgrade", UNANSWERED,
        Opening::Silence),
    script("slow-upgrade", "writes the answer to the upgrade one byte a second, then echoes", UNANSWERED,
        Opening::Upgrade { pace: Pace::ByteABeat, steps: &[GOOD], end: Ending::Finish }),
    script("never-pong", "echoes, but ignores JSON and WebSocket pings", SILENT,
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Never, ..Manners::GOOD })], Ending::Finish)),
    script("late-pong", "echoes, but answers each ping six seconds late", WORKS,
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Late(6), ..Manners::GOOD })], Ending::Finish)),
    script("wrong-pong", "echoes, but answers JSON pings with a timestamp an hour too late, and WebSocket pings with another payload", &[Rule::StillThere],
        upgrade(&[Step::Answer(Manners { pongs: Pongs::Wrong, ..Manners::GOOD })], Ending::Finish)),
    script("close-1000", "closes with 1000 (normal) after one echoed message or a second", CLOSED,
        close(CloseCode::NORMAL, "done")),
    script("close-1008", "closes with 1008 (policy) after one echoed message or a second", CLOSED,
        close(CloseCode::POLICY_VIOLATION, "policy violation")),
    script("close-1012", "closes with 1012 (restart) after one echoed message or a second", AWAY,
        close(CloseCode::SERVICE_RESTART, "service restart")),
    script("close-4000", "closes with 4000 (application) after one echoed message or a second", CLOSED,
        close(code(4000), "application error")),
    script("refuse-login", "refuses the login after the first message or a second, and closes with 1013 (try again later)", AWAY,
        upgrade(&[Step::RefuseLogin], Ending::Close { code: code(1013), reason: "try again later" })),
    script("restart", "closes all connections with 1012 after one echoed message or a second, refuses connections for two seconds, then echoes",
        &[Rule::AnswersClose, Rule::ComesBack],
        upgrade(&[BRIEF], Ending::Restart)),
    script("http-401", "answers the upgrade with 401 Unauthorized", REFUSED,
        http(401, "Unauthorized", Header::Authenticate("Bearer"))),
    script("http-401-retry-after", "answers the upgrade with 401 and Retry-After: 2", &[TWO_SECONDS],
        http(401, "Unauthorized", Header::RetryAfterSeconds(2))),
    script("http-403", "answers the upgrade with 403 Forbidden", REFUSED,
        http(403, "Forbidden", Header::None)),
    script("http-403-retry-after", "answers the upgrade with 403 and Retry-After: 2", &[TWO_SECONDS],
        http(403, "Forbidden", Header::RetryAfterSeconds(2))),
    script("http-404", "answers the upgrade with 404 Not Found", REFUSED,
        http(404, "Not Found", Header::None)),
    script("http-404-retry-after", "answers the upgrade with 404 and Retry-After: 2", &[TWO_SECONDS],
        http(404, "Not Found", Header::RetryAfterSeconds(2))),
    script("http-429", "answers the upgrade with 429 Too Many Requests, without Retry-After", REFUSED,
        http(429, "Too Many Requests", Header::None)),
    script("http-429-retry-after", "answers the upgrade with 429 and Retry-After: 2", &[TWO_SECONDS],
        http(429, "Too Many Requests", Header::RetryAfterSeconds(2))),
    script("http-429-retry-date", "answers the upgrade with 429 and Retry-After as a date 3 s ahead", &[TWO_SECONDS],
        http(429, "Too Many Requests", Header::RetryAfterDate(3))),
    script("http-503", "answers the upgrade with 503 Service Unavailable", REFUSED,
        http(503, "Service Unavailable", Header::None)),
    script("http-503-retry-after", "answers the upgrade with 503 and Retry-After: 2", &[TWO_SECONDS],
        http(503, "Service Unavailable", Header::RetryAfterSeconds(2))),
    script("redirect", "answers the upgrade with 302 Found and a Location", &[FEW_REDIRECTS],
        http(302, "Found", Header::Location("/elsewhere"))),
    script("not-http", "answers the upgrade with bytes that are not HTTP", REFUSED,
        Opening::Bytes(b"\x16\x03\x01\x00\x02this is no HTTP\r\n\r\n")),
    script("bad-utf8", "sends a text message with invalid UTF-8 after one echoed message or a second", BAD_DATA,
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x04ab\xc3\x28")], Ending::Obey)),
    script("reserved-bits", "sends a text frame with a reserved bit set after one echoed message or a second", PROTOCOL_ERROR,
        upgrade(&[BRIEF, Step::Bytes(b"\xc1\x02hi")], Ending::Obey)),
    script("oversized", "announces a frame of 2 GiB and sends a part of it, after one echoed message or a second", TOO_BIG,
        upgrade(&[BRIEF, Step::Bytes(b"\x82\x7f\x00\x00\x00\x00\x80\x00\x00\x00a few bytes")],
            Ending::Obey)),
    script("long-length", "encodes a length of 2 in 64 bits, which RFC 6455, 5.2 forbids, after one echoed message or a second",
        PROTOCOL_ERROR, upgrade(&[BRIEF, Step::Bytes(b"\x81\x7f\0\0\0\0\0\0\0\x02hi")], Ending::Obey)),
    script("length-top-bit", "sets the top bit of a 64-bit length, which RFC 6455, 5.2 forbids, after one echoed message or a second",
        &[Rule::FailsConnection { codes: &[1002, 1009] }],
        upgrade(&[BRIEF, Step::Bytes(b"\x82\x7f\x80\0\0\0\0\0\0\x02hi")], Ending::Obey)),
    script("close-code-1005", "closes with 1005, which must not be on the wire, after one echoed message or a second", PROTOCOL_ERROR,
        upgrade(&[BRIEF, Step::Bytes(b"\x88\x02\x03\xed")], Ending::AwaitClose)),
    script("close-one-byte", "sends a Close frame with half a close code after one echoed message or a second", PROTOCOL_ERROR,
        upgrade(&[BRIEF, Step::Bytes(b"\x88\x01\x03")], Ending::AwaitClose)),
    script("masked-frame", "sends a masked frame, which only a client may send, after one echoed message or a second", PROTOCOL_ERROR,
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x82\x00\x00\x00\x00hi")], Ending::Obey)),
    script("finish-mid-frame", "ends TCP in the middle of a frame after one echoed message or a second", LOST,
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x7e\x03\xe8the first of")], Ending::Finish)),
    script("reset-mid-frame", "resets TCP in the middle of a frame after one echoed message or a second", LOST,
        upgrade(&[BRIEF, Step::Bytes(b"\x81\x7e\x03\xe8the first of")], Ending::Abort)),
    script("ping-flood", "sends ten thousand WebSocket pings at once, then echoes", &[Rule::AnswersPings, Rule::Stays],
        upgrade(&[Step::PingFlood(10_000), GOOD], Ending::Finish)),
    script("no-close-reply", "echoes, never answers a Close frame, and keeps TCP open", &[Rule::HangsUpAfterClose],
        upgrade(&[Step::Answer(Manners { closing: Closing::Ignored, ..Manners::GOOD })],
            Ending::Hold)),
    script("close-mute", "sends Close 1001 after one echoed message or a second, then sends nothing and keeps TCP open", &[Rule::AnswersClose, Rule::HangsUpAfterClose, Rule::ComesBack],
        upgrade(&[BRIEF, Step::Close(CloseCode::GOING_AWAY)], Ending::Hold)),
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
            let found = Script::named(script.name).expect("it is in the table");
            assert!(std::ptr::eq(found, script));
            assert!(!script.about.is_empty() && !script.about.contains('\n'));
        }
        assert_eq!(Script::ECHO.name, "echo");
        assert_eq!(Script::named("no-such-script").err(), Some(NoScript::Name));
    }

    #[test]
    fn every_script_expects_something_of_a_client() {
        for script in &SCRIPTS {
            assert!(!script.expects.is_empty(), "{}", script.name);
        }
    }

    #[test]
    fn a_close_with_any_code_that_may_be_sent_is_a_script() {
        for code in (1000..=1003).chain(1007..=1014).chain(3000..=4999) {
            let script = Script::named(&format!("close-{code}")).expect("it may be sent");
            let Opening::Upgrade { end, .. } = script.opening else { panic!("no upgrade") };
            assert!(matches!(end, Ending::Close { code: sent, .. } if sent.number() == code));
            assert!(!script.expects.is_empty() && script.about.contains(&code.to_string()));
            let again = Script::named(script.name).expect("it may be sent");
            assert!(std::ptr::eq(again, script), "it is made once");
        }
        for code in ["999", "1004", "1005", "1006", "1015", "2999", "5000", "65536", "99999999"] {
            let error = Script::named(&format!("close-{code}")).err();
            assert_eq!(error, Some(NoScript::Code), "{code}");
        }
        for name in ["close-", "close-+1000", "close-10x", "close-normal"] {
            assert_eq!(Script::named(name).err(), Some(NoScript::Name), "{name}");
        }
    }
}
