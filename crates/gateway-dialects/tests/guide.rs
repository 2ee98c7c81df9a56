//! The dialects of the guide's page, each in a short exchange.

mod peer;

use std::time::Duration;

use gateway_core::{DisconnectCause, Interest, Verdict};
use peer::{Peer, Sent, text};

#[test]
fn bybit_pings_with_a_request_id() {
    let mut peer = Peer::of_toml(include_str!("../../../examples/dialects/bybit.toml"), &[]);
    assert_eq!(peer.interest(), Interest::texts_up_to(512));
    peer.wait_secs(20);
    assert_eq!(peer.sent(), [text(r#"{"req_id":"1","op":"ping"}"#)]);
    peer.wait_secs(1);
    peer.says(r#"{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"1","op":"ping"}"#);
    assert_eq!(peer.pongs(), [Some(Duration::from_secs(1))]);
    peer.wait_secs(19);
    assert_eq!(peer.sent(), [text(r#"{"req_id":"2","op":"ping"}"#)]);
    peer.says(r#"{"req_id":"2","op":"pong","args":["1"],"conn_id":"c"}"#);
    assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);
    peer.says(r#"{"topic":"orderbook.50.BTCUSDT","data":{}}"#);
    assert_eq!(peer.delivered().len(), 1);
    peer.wait_secs(25);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
}

#[test]
fn deribit_is_asked_to_ping_and_is_answered() {
    let mut peer = Peer::of_toml(include_str!("../../../examples/dialects/deribit.toml"), &[]);
    let ask = r#"{"jsonrpc":"2.0","id":"heartbeat-1","method":"public/set_heartbeat","params":{"interval":30}}"#;
    assert_eq!(peer.sent(), [text(ask)]);
    peer.says(r#"{"jsonrpc":"2.0","id":"heartbeat-1","result":"ok"}"#);
    assert_eq!(peer.delivered(), [""; 0], "it is the answer to the dialect's own request");
    peer.says(r#"{"jsonrpc":"2.0","id":"1","result":"ok"}"#);
    peer.says(r#"{"jsonrpc":"2.0","id":"heartbeat-1","error":{"code":-32602}}"#);
    assert_eq!(peer.delivered().len(), 2, "the application's answers, and what went wrong");
    peer.says(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}"#);
    assert_eq!(peer.sent(), []);
    peer.says(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#);
    let test = r#"{"jsonrpc":"2.0","id":"heartbeat-2","method":"public/test","params":{}}"#;
    assert_eq!(peer.sent(), [text(test)]);
    peer.says(r#"{"jsonrpc":"2.0","id":"heartbeat-2","result":{"version":"1.2.26"}}"#);
    assert_eq!(peer.delivered(), [""; 0]);
    peer.wait_secs(60);
    assert!(!peer.sent().contains(&Sent::Ping), "a Pong would count as a sign of life");
    assert_eq!(peer.losses().first(), Some(&DisconnectCause::PongTimeout));
    peer.accept_next();
    assert_eq!(peer.sent().last(), Some(&text(ask)));
}

#[test]
fn ocpp_boots_and_beats_at_the_central_systems_interval() {
    let ocpp = include_str!("../../../examples/dialects/ocpp.toml");
    let mut peer = Peer::of_toml(ocpp, &[]);
    let boot = r#"[2,"boot-1","BootNotification",{"chargePointVendor":"Example","chargePointModel":"One"}]"#;
    assert_eq!(peer.sent(), [text(boot)]);
    peer.says(
        r#"[3,"boot-1",{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":10}]"#,
    );
    assert!(peer.is_ready());
    peer.wait_secs(10);
    assert_eq!(peer.sent(), [text(r#"[2,"heartbeat-2","Heartbeat",{}]"#)]);
    peer.wait_secs(2);
    peer.says(r#"[3,"heartbeat-2",{"currentTime":"2026-01-01T00:00:10Z"}]"#);
    assert_eq!(peer.pongs(), [Some(Duration::from_secs(2))]);

    for (answer, verdict, reason) in [
        (
            r#"[3,"boot-1",{"status":"Rejected","interval":60}]"#,
            Verdict::RetryNoSoonerThan(Duration::from_secs(300)),
            "",
        ),
        (
            r#"[3,"boot-1",{"status":"Pending","interval":60}]"#,
            Verdict::RetryNoSoonerThan(Duration::from_secs(30)),
            "",
        ),
        (r#"[4,"boot-1","InternalError","no space",{}]"#, Verdict::Retry, "no space"),
    ] {
        let mut peer = Peer::of_toml(ocpp, &[]);
        peer.says(answer);
        assert_eq!(peer.refusals(), [(verdict, reason.to_string())]);
    }
}
