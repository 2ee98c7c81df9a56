//! Metrics of each driver's client, on real sockets, with a reconnect.

use std::collections::BTreeMap;

use gateway_tests::{Driver, calm, client, serve};
use gateway_tokio::core::{CloseFrame, ConnectionState};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

gateway_tests::on_every_driver! {
    a_reconnect_is_counted_with_its_cause_and_the_end_shows_in_the_gauges
    a_client_that_is_dropped_is_closed
    a_client_without_metrics_reports_none
}

/// Adds what has come to the series, such as `gateway_ready{name=feed}`. A gauge has its last value.
fn read(recorded: &Snapshotter, into: &mut BTreeMap<String, f64>) {
    for (key, _, _, value) in recorded.snapshot().into_vec() {
        let labels: Vec<_> =
            key.key().labels().map(|own| format!("{}={}", own.key(), own.value())).collect();
        let series =
            into.entry(format!("{}{{{}}}", key.key().name(), labels.join(","))).or_default();
        match value {
            DebugValue::Counter(count) => *series += count as f64,
            DebugValue::Gauge(value) => *series = value.0,
            DebugValue::Histogram(values) => *series += values.len() as f64,
        }
    }
}

fn a_reconnect_is_counted_with_its_cause_and_the_end_shows_in_the_gauges(driver: Driver) {
    let server = serve(async |listener| {
        drop(listener.peer().await);
        listener.peer().await.echo().await;
    });
    let recorder = DebuggingRecorder::new();
    let (recorded, mut series) = (recorder.snapshotter(), BTreeMap::new());
    let mut client = metrics::with_local_recorder(
        &recorder,
        || client!(driver, &server.url, calm(), .name("feed").metrics()),
    );

    client.lost();
    client.until_ready();
    read(&recorded, &mut series);
    assert_eq!(series["gateway_ready{name=feed}"], 1.0, "{series:?}");
    assert_eq!(series["gateway_state{name=feed,state=CONNECTED}"], 1.0);
    client.send("hello").unwrap();
    assert_eq!(client.message().as_text(), Some("hello"));
    client.close(CloseFrame::NORMAL);
    client.drain();
    assert_eq!(client.state(), ConnectionState::Closed);

    read(&recorded, &mut series);
    for (name, value) in [
        ("gateway_attempts_total{name=feed}", 2.0),
        ("gateway_opened_total{name=feed}", 2.0),
        ("gateway_disconnects_total{name=feed,cause=lost}", 1.0),
        ("gateway_disconnects_total{name=feed,cause=requested}", 1.0),
        ("gateway_reconnects_total{name=feed,cause=lost}", 1.0),
        ("gateway_retry_delay_seconds{name=feed}", 1.0),
        ("gateway_sent_bytes_total{name=feed}", 5.0 + 2.0),
        ("gateway_state{name=feed,state=CLOSED}", 1.0),
        ("gateway_state{name=feed,state=CONNECTED}", 0.0),
        ("gateway_ready{name=feed}", 0.0),
        ("gateway_write_buffer_bytes{name=feed}", 0.0),
        ("gateway_unread_events{name=feed}", 0.0),
    ] {
        assert_eq!(series[name], value, "{name}: {series:?}");
    }
    server.join();
}

fn a_client_that_is_dropped_is_closed(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let recorder = DebuggingRecorder::new();
    let (recorded, mut series) = (recorder.snapshotter(), BTreeMap::new());
    let mut client = metrics::with_local_recorder(
        &recorder,
        || client!(driver, &server.url, calm(), .metrics()),
    );
    client.until_ready();

    drop(client);

    read(&recorded, &mut series);
    assert_eq!(series["gateway_state{state=CLOSED}"], 1.0, "{series:?}");
    assert_eq!(series["gateway_ready{}"], 0.0);
    assert_eq!(series["gateway_opened_total{}"], 1.0);
}

fn a_client_without_metrics_reports_none(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let recorder = DebuggingRecorder::new();
    let recorded = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let mut client = client!(driver, &server.url, calm());
        client.until_ready();
        drop(client);
    });
    assert!(recorded.snapshot().into_vec().is_empty());
}
