//! A refused login in a journal: its verdict and the code of the Close behind it, and nothing of its text.

use std::sync::Arc;

use gateway_core::{
    AcceptanceRule, CloseFrame, Config, Connection, Event, Failure, Frame, Instant, Login,
    RefusalRule, SocketId,
};
use gateway_journal::{Journal, end_line, entry_line, head_line};

const REFUSAL: &str = r#"{"ok":false,"why":"not hunter2"}"#;

/// A first socket, whose login is refused with this verdict, and which ends in this way.
fn journal(verdict: &str, end: Event<'_>) -> String {
    let login = Login::Message {
        send: "hunter2".into(),
        accepted: AcceptanceRule::Any,
        refused: RefusalRule::parse(&format!("/ok=false:{verdict}")).into_iter().collect(),
        timeout: Login::TIMEOUT,
    };
    let config = Config::builder().login(login).build().unwrap();
    let mut lines = vec![head_line(&config, 7)];
    let mut connection = Connection::from_seed(Arc::new(config), 7);
    let socket = SocketId::new(1);
    for (number, event) in [
        Event::ConnectRequested,
        Event::SocketOpened(socket),
        Event::FrameReceived(socket, Frame::Text(REFUSAL)),
        end,
    ]
    .into_iter()
    .enumerate()
    {
        let now = Instant::from_millis(number as u64);
        let actions = connection.handle(now, event);
        let observed = connection.observed(now, event, &actions);
        lines.push(entry_line(number as u64 + 1, &observed));
    }
    lines.push(end_line(4));
    lines.join("\n")
}

#[test]
fn a_refused_login_is_the_lines_that_are_documented_and_replays_as_recorded() {
    let socket = SocketId::new(1);
    let close = |code| Frame::Close(CloseFrame::new(code, "of hunter2").ok());
    for (verdict, written, words) in [
        ("refresh", r#""refresh_credentials""#, "refresh"),
        ("retry", r#""retry""#, "retry"),
        ("7s", r#"{"retry_no_sooner_than_ns":7000000000}"#, "retry after 7s"),
        ("fatal", r#""fatal""#, "fatal"),
    ] {
        for (end, code, shown) in [
            (Event::FrameReceived(socket, close(1013)), "1013", " 1013"),
            (Event::FrameReceived(socket, close(1000)), "1000", " 1000"),
            (Event::FrameReceived(socket, Frame::Close(None)), "null", ""),
            (Event::SocketFailed(socket, Failure::Eof), "null", ""),
        ] {
            let text = journal(verdict, end);

            assert!(!text.contains("hunter"), "{text}");
            for part in [
                format!(r#""text":{{"bytes":32,"login":{{"refused":{written}}}}}"#),
                format!(r#"{{"login_refused":{{"socket":1,"verdict":{written}}}}}"#),
                format!(r#"{{"disconnected":{{"socket":1,"cause":{{"login_refused":{code}}}}}}}"#),
            ] {
                assert!(text.contains(&part), "{part} in {text}");
            }
            let steps = Journal::read(text.as_bytes()).unwrap().replay();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert!(steps.len() == 4 && steps.iter().all(|step| step.is_as_recorded()), "{text}");
            let [.., refusal, last] = &steps[..] else { panic!("{text}") };
            let (refusal, last) = (refusal.description(), last.description());
            assert_eq!(refusal.event, format!("1 received text of 32 B, login refused: {words}"));
            assert!(refusal.actions.starts_with(&format!("login refused: {words}; ")));
            let gone = format!("1 gone: login_refused{shown}; ");
            assert!(last.actions.contains(&gone), "{gone} in {}", last.actions);
        }
    }
}
