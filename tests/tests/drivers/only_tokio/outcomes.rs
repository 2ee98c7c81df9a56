//! Which outcomes a client reports by default, and when.

use futures_util::{FutureExt as _, SinkExt as _};
use gateway_tests::{calm, pair, settle, while_polling};
use gateway_tokio::{ClientEvent, Fate, Message};

fn numbered(number: u64) -> Message {
    Message::text(format!("{number:0>100}"))
}

#[tokio::test(start_paused = true)]
async fn without_report_sent_only_what_was_not_sent_is_told() {
    let (mut client, sockets, peer) = pair(calm(), 2_000).await;
    for number in 1..=5 {
        client.send(numbered(number)).await.unwrap();
    }
    let mut taken = 5;
    while client.feed(numbered(taken + 1)).now_or_never().is_some() {
        taken += 1;
    }

    sockets.switch.kill();
    drop(peer);
    let (_, events) = while_polling(&mut client, settle()).await;

    let mut next = None;
    for event in events {
        let ClientEvent::Outcome(outcome) = event else { continue };
        assert!(!matches!(outcome.fate, Fate::Sent { .. }), "{outcome:?}");
        assert!(outcome.first.number() > 5, "what was flushed is sent");
        assert!(next.is_none_or(|next| next == outcome.first.number()), "{outcome:?}");
        next = Some(outcome.last.number() + 1);
    }
    assert_eq!(next, Some(taken + 1));
}

#[tokio::test(start_paused = true)]
async fn the_outcomes_come_after_the_news_of_the_death() {
    let (mut client, sockets, _peer) = pair(calm(), 2_000).await;
    client.feed(numbered(1)).await.unwrap();

    sockets.switch.kill();
    let (_, events) = while_polling(&mut client, settle()).await;

    let at = |fits: fn(&ClientEvent) -> bool| events.iter().position(fits).unwrap();
    let gone = at(|event| matches!(event, ClientEvent::Disconnected { .. }));
    assert!(gone < at(|event| matches!(event, ClientEvent::Outcome(_))));
}
