//! The command `gateway replay --scenario`: journals become scenarios, which the testkit runs
//! unchanged.
//!
//! The journals in `journals/` are of real sockets, one of each driver. The test makes another one
//! with rare events. `GATEWAY_BLESS=1` writes their scenarios again; then paste them into the
//! testkit's `reported.rs`.

use std::{env, fs, io, path::Path, time::Duration};

use super::common::{Ended, gateway, run};
use super::recording::Recording;
use gateway_tokio::core::{
    AcceptanceRule, CloseFrame, Config, Event, Failure, Frame, HeartbeatKind, Login, Message,
    Network, OpenError, RefusalRule, RetryAfter, UnixMillis, Verdict,
};

/// Where the scenarios are compiled, and run on all harnesses.
const REPORTED: &str = include_str!("../../../../tests/testkit/src/scenarios/reported.rs");

async fn told_as_committed(name: &str) -> io::Result<()> {
    let journals = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let journal = fs::read(journals.join(format!("{name}.jsonl")))?;
    tells(name, &journal).await
}

async fn tells(name: &str, journal: &[u8]) -> io::Result<()> {
    let journals = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let golden = journals.join(format!("{name}.scenario"));

    let replayed = run(gateway(&["replay", "--quiet", "-"]), journal).await;
    let told = run(gateway(&["replay", "-", "--scenario", name]), journal).await;

    assert_eq!(replayed.status, Some(0), "{}", replayed.stdout);
    let (stdout, stderr) = (told.stdout, told.stderr);
    assert_eq!((told.status, stderr.as_str()), (Some(0), ""));
    if env::var_os("GATEWAY_BLESS").is_some() {
        fs::write(&golden, &stdout)?;
    }
    assert_eq!(stdout, fs::read_to_string(&golden)?);
    let is_pasted = unformatted(REPORTED).contains(&unformatted(&stdout));
    assert!(is_pasted, "the testkit has another scenario of the journal:\n{stdout}");
    Ok(())
}

/// The code without what a formatter changes.
fn unformatted(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace() && *letter != ',').collect()
}

#[tokio::test]
async fn a_journal_of_the_asynchronous_driver_becomes_a_scenario() -> io::Result<()> {
    told_as_committed("too_many_requests_then_a_drop_and_a_dead_peer").await
}

#[tokio::test]
async fn a_journal_of_the_blocking_driver_becomes_a_scenario() -> io::Result<()> {
    told_as_committed("a_drop_and_a_login_that_is_refused_from_then_on").await
}

/// What drivers seldom do, and what scripts have no words for.
fn rare() -> Recording {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(Duration::from_secs(20))
        .heartbeat_timeout(Duration::from_secs(4));
    let config = config.build().expect("the settings are valid");
    let wall = UnixMillis(1_800_000_000_250);
    let mut journal = Recording::new(config, wall);

    journal.told(Event::NetworkChanged(Network::Online)).look().told(Event::ConnectRequested);
    let date = Some(RetryAfter::Date(UnixMillis(1_800_000_004_000)));
    let unavailable = OpenError::Http { status: 503, retry_after: date };
    let socket = journal.socket();
    journal.after(2_300).told(Event::OpenFailed(socket, unavailable)).tick(7_100);

    let socket = journal.socket();
    journal.after(1_200).told(Event::SocketOpened(socket)).after(30_700);
    journal
        .told(Event::BytesReceived(socket))
        .told(Event::FrameReceived(socket, Frame::Text(&"secret".repeat(50))));
    journal.told(Event::FrameReceived(socket, Frame::Binary(b"four")));
    journal.after(900).told(Event::FrameReceived(socket, Frame::Ping(b"you?")));
    journal.told(Event::SendRequested(Message::Binary(&[0; 40]))).after(100);
    journal.told(Event::WriteBlocked(socket)).told(Event::SendRequested(Message::Text("no room")));
    journal.told(Event::ReadingPaused(socket)).after(500).told(Event::ReadingResumed(socket));
    journal.told(Event::Flushed(socket));

    journal.wall = journal.wall.saturating_add(Duration::from_secs(3_600));
    journal.tick(300).tick(0);
    journal.after(40_000).told(Event::NetworkChanged(Network::Offline));
    journal.after(500_000).told(Event::NetworkChanged(Network::Online));

    let gone = socket;
    let socket = journal.socket();
    journal.after(10).told(Event::FrameReceived(gone, Frame::Text("late")));
    journal.after(700).told(Event::SocketOpened(socket));
    let too_large = Event::SocketFailed(socket, Failure::TooBig);
    journal.after(5_000).told(too_large).tick(100);

    let socket = journal.socket();
    journal.after(700).told(Event::SocketOpened(socket));
    let bye = CloseFrame::new(3_000, "bye").expect("a code that may be sent");
    journal.after(9_000).told(Event::CloseRequested(bye)).tick(200);
    journal
}

#[tokio::test]
async fn what_a_script_has_no_words_for_stands_in_a_comment() -> io::Result<()> {
    tells("a_date_a_sleep_hints_and_a_peer_that_is_silent_at_the_end", rare().text().as_bytes())
        .await
}

/// What follows a refusal.
#[derive(Clone, Copy)]
enum After {
    Close(u16),
    CloseWithoutCode,
    Eof,
    Nothing,
}

/// Logins that are refused with each verdict: some softened by a Close, some not.
fn refusals() -> Recording {
    const BUSY: &str = r#"{"busy":"hunter2"}"#;
    const LONG: &str = r#"{"busy":"long"}"#;
    const REFUSED: &str = r#"{"ok":false}"#;
    const GONE: &str = r#"{"gone":true}"#;
    let rule = |text| RefusalRule::parse(text).expect("a rule");
    let config = Config::builder().heartbeat(HeartbeatKind::Off).login(Login::Message {
        send: "hunter2".into(),
        accepted: AcceptanceRule::parse("/ok=true").expect("a rule"),
        refused: vec![
            rule("/busy=hunter2:retry"),
            rule("/busy=long:7s"),
            rule("/gone=true:fatal"),
            rule("/ok=false"),
        ],
        timeout: Login::TIMEOUT,
    });
    let config = config.build().expect("the settings are valid");
    let mut journal = Recording::new(config, UnixMillis(1_800_000_000_000));
    journal.look().told(Event::ConnectRequested);

    for (number, (refusal, after)) in [
        (BUSY, After::CloseWithoutCode),
        (BUSY, After::Eof),
        (LONG, After::Close(4_000)),
        (LONG, After::Close(1_013)),
        (REFUSED, After::Close(1_013)),
        (GONE, After::Close(1_012)),
        (REFUSED, After::Nothing),
        (GONE, After::Close(1_000)),
    ]
    .into_iter()
    .enumerate()
    {
        if number > 0 {
            journal.tick(300);
        }
        let socket = journal.socket();
        let text = |text| Event::FrameReceived(socket, Frame::Text(text));
        journal.after(700).told(Event::SocketOpened(socket));
        journal.after(1_300).told(text("hunter2, a greeting")).after(4_000).told(text(refusal));
        // A second answer is a message.
        journal.after(4_000).told(text(REFUSED)).after(30_000);
        let frame = |code| CloseFrame::new(code, "hunter2").expect("a code that may be sent");
        match after {
            After::Close(code) => {
                journal.told(Event::FrameReceived(socket, Frame::Close(Some(frame(code)))))
            }
            After::CloseWithoutCode => {
                journal.told(Event::FrameReceived(socket, Frame::Close(None)))
            }
            After::Eof => journal.told(Event::SocketFailed(socket, Failure::Eof)),
            After::Nothing => journal.tick(300),
        };
    }
    journal
}

#[tokio::test]
async fn refused_logins_replay_as_recorded_and_become_a_scenario() -> io::Result<()> {
    let journal = refusals().text();
    assert!(!journal.contains("hunter2") && !journal.contains("busy"), "{journal}");
    tells("logins_that_are_refused_with_each_verdict", journal.as_bytes()).await
}

/// A provider that is slow, fails with each verdict, and hangs.
fn questions() -> Recording {
    let config = Config::builder().heartbeat(HeartbeatKind::Off).ask_provider(true);
    let config = config.build().expect("the settings are valid");
    let mut journal = Recording::new(config, UnixMillis(1_800_000_000_000));
    journal.look().told(Event::ConnectRequested);

    let socket = journal.socket();
    journal.after(40_300).told(Event::ProviderAnswered(socket)).after(20_000);
    journal.told(Event::SocketOpened(socket)).after(90_000);
    journal.told(Event::SocketFailed(socket, Failure::Eof)).tick(300);

    let least = Duration::from_secs(9);
    for verdict in [Verdict::Retry, Verdict::RetryNoSoonerThan(least), Verdict::Retry] {
        let socket = journal.socket();
        journal.after(5_000).told(Event::ProviderFailed(socket, verdict)).tick(300);
    }
    journal.tick(300).tick(300); // it hangs

    let socket = journal.socket();
    journal.after(5_000).told(Event::ReconnectRequested).after(100);
    journal.told(Event::ProviderAnswered(socket)).after(100); // too late
    let socket = journal.socket();
    journal.after(2_000).told(Event::ProviderAnswered(socket)).after(3_000);
    journal.told(Event::OpenFailed(socket, OpenError::Tls)).tick(300);

    let socket = journal.socket();
    journal.after(1_000).told(Event::ProviderFailed(socket, Verdict::Fatal));
    journal
}

#[tokio::test]
async fn what_a_provider_did_becomes_a_scenario() -> io::Result<()> {
    tells("a_provider_that_is_slow_fails_and_hangs", questions().text().as_bytes()).await
}

#[tokio::test]
async fn a_suspend_that_was_noticed_between_timers_leaves_the_next_timer_alone() {
    let mut journal = Recording::new(Config::default(), UnixMillis(1_800_000_000_000));
    journal.look().told(Event::ConnectRequested);
    let socket = journal.socket();
    journal.after(1_000).told(Event::SocketOpened(socket)).after(400_000);
    journal.told(Event::FrameReceived(socket, Frame::Text("alive"))).after(600_000);
    journal.wall = journal.wall.saturating_add(Duration::from_secs(3_600));
    journal.look().tick(300).tick(300);

    let Ended { status, stdout, stderr } =
        run(gateway(&["replay", "-", "--scenario", "asleep"]), journal.text().as_bytes()).await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    for part in [
        "1 × a suspend that was noticed before a timer fired",
        ".at(millis(1_001), Command::Sleep(millis(3_600_000)))",
        "jumps(&[3_600_000])",
        "gone_for(&[\"pong_timeout\"",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
}

#[tokio::test]
async fn a_journal_that_breaks_off_becomes_a_scenario_as_far_as_it_goes() {
    let journal = include_str!("../journals/too_many_requests_then_a_drop_and_a_dead_peer.jsonl");
    let cut = &journal[..journal.len() / 2];

    let Ended { status, stdout, stderr } =
        run(gateway(&["replay", "-", "--scenario", "cut_off"]), cut.as_bytes()).await;
    assert_eq!(status, Some(1));
    assert!(stdout.starts_with("pub(crate) fn cut_off() -> Scenario {\n"), "{stdout}");
    assert!(stdout.ends_with("\n}\n") && stdout.contains("opens("), "{stdout}");
    assert!(stderr.contains("the recording breaks off"), "{stderr}");
}

#[tokio::test]
async fn a_journal_of_nonsense_becomes_some_scenario() {
    let huge = u64::MAX;
    let mut journal = rare();
    for event in [
        format!(r#"{{"close_requested":{{"code":1000,"reason_bytes":{huge}}}}}"#),
        format!(r#"{{"send_requested":{{"kind":"text","bytes":{huge}}}}}"#),
        format!(r#"{{"frame_received":{{"socket":9,"frame":{{"text":{{"bytes":{huge}}}}}}}}}"#),
        format!(
            r#"{{"frame_received":{{"socket":9,"frame":{{"close":{{"code":1000,"reason_bytes":{huge}}}}}}}}}"#
        ),
        format!(r#"{{"wall_clock":{{"unix_ms":{huge}}}}}"#),
        r#""tick""#.to_owned(),
        r#""connect_requested""#.to_owned(),
    ] {
        for at in [huge, 0] {
            let actions =
                format!(r#"[{{"notify":{{"clock_jumped":{{"by_ns":{huge}}}}}}},"deliver"]"#);
            journal.nonsense(&format!(
                r#""t_ns":{at},"event":{event},"actions":{actions},"state":"CLOSED""#
            ));
        }
    }

    let Ended { status, stdout, stderr } =
        run(gateway(&["replay", "-", "--scenario", "nonsense"]), journal.text().as_bytes()).await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("pub(crate) fn nonsense() -> Scenario {\n"), "{stdout}");
}

#[tokio::test]
async fn a_scenario_has_the_name_of_a_function() {
    for name in ["", "Upper", "1st", "two words", "a-b"] {
        let told = run(gateway(&["replay", "-", "--scenario", name]), b"").await;
        assert_eq!(told.status, Some(2), "{name}: {}", told.stdout);
    }
}
