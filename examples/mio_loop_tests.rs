//! The loop against a real server on loopback.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::thread;

use gateway_wire::core::{CloseFrame, DisconnectCause, HeartbeatKind};

use super::*;

/// Echoes one message on each connection that comes, then hangs up without a Close; on the last ones it waits for theirs.
fn server(drops: usize, closes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for number in 0..drops + closes {
            let (tcp, _) = listener.accept().unwrap();
            thread::spawn(move || {
                let mut socket = tungstenite::accept(tcp).unwrap();
                let message = socket.read().unwrap();
                socket.send(message).unwrap();
                while number >= drops && socket.read().is_ok() {}
            });
        }
    });
    url
}

/// Settings under which a loop ends by itself, whatever the server does.
fn bounded() -> Arc<Config> {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Off)
        .initial_delay(Duration::from_millis(5))
        .max_delay(Duration::from_millis(20))
        .max_attempts(Some(5))
        .connect_timeout(Duration::from_secs(10))
        .data_timeout(Some(Duration::from_secs(10)));
    Arc::new(config.build().unwrap())
}

#[test]
fn three_connections_share_a_thread_and_outlive_a_drop() {
    let url = server(3, 3);
    let mut connections = Loop::new().unwrap();
    for _ in 0..3 {
        connections.add(&url, bounded()).unwrap();
    }
    let mut echoes = BTreeMap::<usize, u32>::new();
    let mut drops = 0;

    connections
        .run(|number, event, engine| match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                engine.send(format!("from {number}").into()).unwrap();
            }
            ClientEvent::Message(message) => {
                assert_eq!(message.as_text(), Some(format!("from {number}").as_str()));
                let count = echoes.entry(number).or_default();
                *count += 1;
                if *count == 2 {
                    engine.close(CloseFrame::NORMAL);
                }
            }
            ClientEvent::Disconnected { cause: DisconnectCause::Lost(_), .. } => drops += 1,
            ClientEvent::Disconnected { .. } => {} // as asked
            ClientEvent::Notice(_) | ClientEvent::Outcome(_) => {}
            _ => panic!("an event that this test does not know"),
        })
        .unwrap();

    assert_eq!(drops, 3);
    assert_eq!(echoes.into_values().collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn a_loop_whose_server_is_gone_gives_up_as_its_settings_say() {
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("ws://{}", listener.local_addr().unwrap())
    };
    let mut connections = Loop::new().unwrap();
    connections.add(&url, bounded()).unwrap();
    let mut given_up = 0;

    connections
        .run(|_, event, _| {
            given_up += u32::from(matches!(event, ClientEvent::Notice(Notice::GaveUp { .. })));
        })
        .unwrap();

    assert_eq!(given_up, 1);
}
