//! What a session's metrics are, and when the recorder gets them.

use std::collections::BTreeMap;

use gateway_core::every;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use super::sending::endpoint;
use super::*;
use crate::METRICS;
use crate::outbox::Outbox;

/// A recorder. A reading empties its counters and histograms.
struct Recorded(Snapshotter);

/// The values by series, such as `gateway_state{name="feed",state="CLOSED"}`.
type Reading = BTreeMap<String, f64>;

impl Recorded {
    fn reading(&self) -> Reading {
        let values = self.0.snapshot().into_vec();
        let series = values.into_iter().map(|(key, _, _, value)| {
            let key = key.key();
            let labels = key.labels().map(|own| format!("{}={:?}", own.key(), own.value()));
            let labels = labels.collect::<Vec<_>>().join(",");
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.0,
                DebugValue::Histogram(values) => values.iter().map(|value| value.0).sum(),
            };
            (format!("{}{{{labels}}}", key.name()), value)
        });
        series.collect()
    }

    /// The series whose value is not 0.
    fn changed(&self) -> Reading {
        self.reading().into_iter().filter(|(_, value)| *value != 0.0).collect()
    }
}

/// A session with metrics, which has not started.
fn metered(config: ConfigBuilder, name: Option<&str>) -> (Session, Recorded) {
    let recorder = DebuggingRecorder::new();
    let recorded = Recorded(recorder.snapshotter());
    let own = session(config).with_identity(name.map(|name| Name::new(name).unwrap()), &endpoint());
    (::metrics::with_local_recorder(&recorder, || own.with_metrics()), recorded)
}

fn opened(session: &mut Session, now: Instant) -> SocketId {
    let id = opens(session);
    session.opened(now, id);
    id
}

fn shown(reading: &Reading) -> Vec<String> {
    reading.iter().map(|(series, value)| format!("{series} {value}")).collect()
}

#[test]
fn every_series_exists_from_the_start_and_has_only_bounded_labels() {
    let (_session, recorded) = metered(calm(), Some("feed"));

    let described = recorded.0.snapshot().into_vec();
    for metric in METRICS {
        let own = described.iter().find(|(key, ..)| key.key().name() == metric.name);
        let Some((_, unit, meaning, _)) = own else { panic!("{} is not registered", metric.name) };
        assert_eq!((*unit, meaning.as_deref()), (Some(metric.unit), Some(metric.meaning)));
    }
    for (key, ..) in &described {
        assert!(METRICS.iter().any(|metric| metric.name == key.key().name()), "{key:?}");
        for label in key.key().labels() {
            assert!(["name", "cause", "state"].contains(&label.key()), "{label:?}");
        }
    }
    let by_cause = 2 * every::disconnect_causes().len() + every::give_up_causes().len();
    assert_eq!(described.len(), METRICS.len() - 4 + by_cause + 6);
}

#[test]
fn a_life_with_a_reconnect_is_counted_by_its_causes() {
    let (mut session, recorded) = metered(Config::builder(), Some("feed"));
    assert_eq!(
        shown(&recorded.changed()),
        [r#"gateway_state{name="feed",state="DISCONNECTED"} 1"#]
    );

    session.connect(at(0));
    let id = opened(&mut session, at(1));
    session.tick(at(31)); // a ping
    write_all(&mut session, id);
    let ping = recorded.changed();
    assert_eq!(ping[r#"gateway_ready{name="feed"}"#], 1.0);
    assert_eq!(ping[r#"gateway_state{name="feed",state="CONNECTED"}"#], 1.0);
    assert_eq!(ping[r#"gateway_attempts_total{name="feed"}"#], 1.0);
    assert_eq!(ping[r#"gateway_sent_frames_total{name="feed"}"#], 1.0);
    assert_eq!(ping[r#"gateway_ready_seconds_total{name="feed"}"#], 30.0);

    session.failed(at(32), id, Failure::Reset, "reset");
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: false }));
    session.dropped(id);
    let lost = recorded.changed();
    assert_eq!(lost[r#"gateway_disconnects_total{name="feed",cause="lost"}"#], 1.0);
    assert!(lost[r#"gateway_retry_delay_seconds{name="feed"}"#] > 0.0, "{lost:?}");
    assert!(!lost.contains_key(r#"gateway_ready{name="feed"}"#), "{lost:?}");

    let retry_at = session.deadline().unwrap();
    session.tick(retry_at);
    let id = opens(&mut session);
    session.open_failed(retry_at, id, &OpenFailure::new(gateway_core::OpenError::Refused, "no"));
    let retry_at = session.deadline().unwrap();
    session.tick(retry_at);
    opened(&mut session, retry_at);
    let back = recorded.changed();
    assert_eq!(back[r#"gateway_disconnects_total{name="feed",cause="open_failed"}"#], 1.0);
    let cause = r#"gateway_reconnects_total{name="feed",cause="lost"}"#;
    assert_eq!(back[cause], 1.0, "the cause is that of the loss: {back:?}");
    assert_eq!(back.keys().filter(|series| series.contains("reconnects")).count(), 1);
}

#[test]
fn a_message_or_a_pong_for_no_ping_costs_the_recorder_nothing() {
    let (mut session, recorded) = metered(calm(), None);
    session.connect(at(0));
    let id = opened(&mut session, at(0));
    recorded.reading();

    for _ in 0..100 {
        session.received(at(1), id, &frame(0x81, "hello"));
        session.received(at(1), id, &frame(0x8a, "a pong for no ping"));
        session.send(Message::text("hello")).unwrap();
        write_all(&mut session, id);
    }
    assert_eq!(shown(&recorded.changed()), [""; 0]);

    session.measure_if_old(|| Instant::from_millis(999));
    assert_eq!(shown(&recorded.changed()), [""; 0], "less than a second after the last sample");
    session.measure_if_old(|| at(1));
    let late = recorded.changed();
    assert_eq!(late["gateway_received_frames_total{}"], 200.0);
    assert_eq!(late["gateway_sent_bytes_total{}"], 500.0);
    assert_eq!(late["gateway_unread_events{}"], session.waiting_events() as f64);
    assert_eq!(late["gateway_unread_bytes{}"], session.backlog as f64);
}

#[test]
fn without_a_lock_nothing_reaches_the_recorder_before_the_lines_are_written() {
    let (mut session, recorded) = metered(calm(), None);
    recorded.reading();
    let mut log = session.defer_log();
    session.connect(at(0));
    let id = opened(&mut session, at(0));
    session.received(at(1), id, &close_of(1012));

    assert_eq!(shown(&recorded.reading()), shown(&recorded.reading()), "all are 0");
    let lines = session.take_log_lines();
    assert!(!lines.is_empty());
    log.write(lines);

    let seen = recorded.changed();
    assert_eq!(seen[r#"gateway_disconnects_total{cause="close_received"}"#], 1.0);
    assert_eq!(seen[r#"gateway_state{state="DISCONNECTED"}"#], 1.0);
    assert!(session.take_log_lines().is_empty(), "each report is taken once");

    drop(session);
    recorded.reading();
    drop(log);
    assert_eq!(shown(&recorded.changed()), [r#"gateway_state{state="CLOSED"} 1"#]);
}

#[test]
fn a_client_that_ended_is_closed_and_its_buffers_are_empty() {
    let (session, recorded) = metered(calm(), None);
    let mut session = session.with_outbox(Outbox::default(), &endpoint());
    session.send(Message::text("queued")).unwrap();
    session.connect(at(0));
    let queued = recorded.changed();
    assert_eq!((queued["gateway_outbox_messages{}"], queued["gateway_outbox_bytes{}"]), (1.0, 6.0));

    session.close(at(1), CloseFrame::NORMAL);
    while let Some(order) = session.next_order() {
        if let Order::Drop { id, .. } = order {
            session.dropped(id);
        }
    }
    assert!(session.is_over() && session.has_events());
    let over = recorded.changed();
    let gauges: Vec<_> = over.keys().filter(|series| !series.contains("_total")).collect();
    assert_eq!(gauges, [r#"gateway_state{state="CLOSED"}"#]);
    assert_eq!(over["gateway_rejected_messages_total{}"], 1.0);

    let (mut session, recorded) = metered(calm(), None);
    session.connect(at(0));
    opened(&mut session, at(0));
    session.send(Message::text("never written")).unwrap();
    recorded.reading();
    drop(session.abandon(0));
    session.measure_end();
    assert_eq!(recorded.changed()["gateway_rejected_messages_total{}"], 1.0);
    drop(session);
    assert_eq!(shown(&recorded.changed()), [r#"gateway_state{state="CLOSED"} 1"#]);
}

#[test]
fn what_a_server_says_is_no_label() {
    let (mut session, recorded) = metered(calm(), Some("feed"));
    session.connect(at(0));
    let id = opened(&mut session, at(0));
    let reason = [&4_999_u16.to_be_bytes()[..], b"surprise"].concat();
    session.received(at(1), id, &frame(0x88, reason));

    let series = shown(&recorded.reading()).join("\n");
    assert!(!series.contains("surprise") && !series.contains("4999"), "{series}");
}

#[test]
fn clients_of_one_name_share_their_counters() {
    let recorder = DebuggingRecorder::new();
    let recorded = Recorded(recorder.snapshotter());
    let name = Name::new("feed").ok();
    let make = || session(calm()).with_identity(name.clone(), &endpoint()).with_metrics();
    let mut clients = ::metrics::with_local_recorder(&recorder, || [make(), make()]);
    for client in &mut clients {
        client.connect(at(0));
    }
    assert_eq!(recorded.changed()[r#"gateway_attempts_total{name="feed"}"#], 2.0);
}
