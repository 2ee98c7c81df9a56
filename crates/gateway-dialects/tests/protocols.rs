//! Each preset that is written in Rust against a scripted server.

mod peer;

use std::time::Duration;

use gateway_core::{Config, DisconnectCause, Interest, Verdict};
use gateway_dialects::preset;
use peer::{Peer, Sent, text};

const REFRESH: Verdict = Verdict::RefreshCredentials;

fn binary(bytes: &[u8]) -> Sent {
    Sent::Binary(bytes.to_vec())
}

fn json(sent: &Sent) -> serde_json::Value {
    match sent {
        Sent::Text(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?} is not JSON"),
    }
}

mod nats {
    use super::*;

    const INFO: &[u8] = b"INFO {\"server_id\":\"N\",\"auth_required\":true}\r\n";

    fn ready() -> Peer {
        let mut peer = Peer::of_preset("nats", &[]);
        peer.says_bytes(INFO);
        peer.says_bytes(b"PONG\r\n");
        assert!(peer.is_ready());
        peer.sent();
        peer.delivered();
        peer
    }

    #[test]
    fn the_client_waits_for_info_and_is_ready_with_the_first_pong() {
        let mut peer = Peer::of_preset("nats", &[("token", "a\"b")]);
        assert_eq!(peer.sent(), []);
        peer.says_bytes(&INFO[..10]);
        assert_eq!(peer.sent(), [], "a message may hold part of a line");
        peer.says_bytes(&INFO[10..]);
        let sent = peer.sent();
        let [Sent::Binary(bytes)] = sent.as_slice() else { panic!("{sent:?}") };
        let sent = str::from_utf8(bytes).unwrap();
        let connect = sent.strip_prefix("CONNECT ").unwrap().strip_suffix("\r\nPING\r\n").unwrap();
        let connect: serde_json::Value = serde_json::from_str(connect).unwrap();
        assert_eq!(connect["auth_token"], "a\"b");
        assert_eq!(connect["verbose"], false);
        assert_eq!(connect.get("user"), None);
        peer.says_bytes(b"PONG\r\n");
        assert!(peer.is_ready());
        peer.says_bytes(INFO);
        peer.says_bytes(b"-ERR 'Permissions Violation'\r\n");
        assert_eq!(peer.delivered().len(), 2 + 2, "the divided greeting, and what came later");
        assert!(peer.is_ready());
    }

    #[test]
    fn a_refused_login_says_why() {
        for (error, verdict) in [
            ("Authorization Violation", REFRESH),
            ("User Authentication Expired", REFRESH),
            ("maximum connections exceeded", Verdict::Retry),
        ] {
            let mut peer = Peer::of_preset("nats", &[("username", "u"), ("password", "p")]);
            peer.says_bytes(INFO);
            peer.says_bytes(format!("-ERR '{error}'\r\n").as_bytes());
            assert_eq!(peer.refusals(), [(verdict, error.to_string())]);
        }
    }

    #[test]
    fn pings_of_both_sides_are_answered_even_behind_data() {
        let mut peer = ready();
        peer.says_bytes(b"PING\r\n");
        assert_eq!((peer.sent(), peer.delivered().len()), (vec![binary(b"PONG\r\n")], 0));
        peer.says_bytes(b"MSG a 1 5\r\nhello\r\nPING\r\n");
        assert_eq!((peer.sent(), peer.delivered().len()), (vec![binary(b"PONG\r\n")], 1));
        peer.wait_secs(30);
        assert_eq!(peer.sent(), [binary(b"PING\r\n")]);
        peer.says_bytes(b"MSG a 1 6\r\nPONG\r\n\r\n");
        assert_eq!(peer.pongs(), [], "it is a payload");
        peer.says_bytes(b"PONG\r\n");
        assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);
        peer.wait_secs(35);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
        peer.accept_next();
        peer.sent();
        peer.says_bytes(INFO);
        assert_eq!(peer.sent().len(), 1, "it logs in again");
    }

    #[test]
    fn what_is_not_nats_is_left() {
        let mut peer = ready();
        peer.says_bytes(b"hello\r\n");
        assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
        assert_eq!(peer.sent().last(), Some(&Sent::Close(1002)));
    }
}

mod stomp {
    use super::*;

    fn connected(beats: &str) -> String {
        format!("CONNECTED\nversion:1.2\nheart-beat:{beats}\n\n\0")
    }

    #[test]
    fn the_login_and_its_refusal() {
        let mut peer = Peer::of_preset("stomp", &[("username", "u"), ("password", "p")]);
        let connect = "CONNECT\naccept-version:1.0,1.1,1.2\nheart-beat:10000,10000\nhost:/\n\
                       login:u\npasscode:p\n\n\0";
        assert_eq!(peer.sent(), [text(connect)]);
        peer.says("\n");
        peer.says(&connected("0,0"));
        assert!(peer.is_ready());
        assert_eq!(peer.interest(), Interest::texts_up_to(2));
        peer.wait_secs(3_600);
        assert_eq!(peer.sent(), [], "the server wants no beats, and sends none");
        peer.says("MESSAGE\nsubscription:0\n\nhi\0");
        assert_eq!(peer.delivered().len(), 1);

        peer.cut();
        peer.accept_next();
        assert_eq!(peer.sent(), [text(connect)]);
        peer.says("ERROR\r\nmessage:Bad credentials\r\n\r\n\0");
        assert_eq!(peer.refusals(), [(REFRESH, String::from("Bad credentials"))]);
    }

    #[test]
    fn the_reason_of_a_refusal_has_the_first_line_of_the_body() {
        for (frame, reason) in [
            // As RabbitMQ says it.
            (
                "ERROR\nmessage:Bad CONNECT\nversion:1.2\n\nVirtual host 'x' access denied\0\n",
                "Bad CONNECT: Virtual host 'x' access denied",
            ),
            ("ERROR\nmessage:no\n\nuser unknown\nsee the log\n\0", "no: user unknown"),
            ("ERROR\n\nno header\0", "no header"),
            ("ERROR\n\n\0", ""),
            ("ERROR", ""),
        ] {
            let mut peer = Peer::of_preset("stomp", &[]);
            peer.says(frame);
            assert_eq!(peer.refusals(), [(REFRESH, String::from(reason))], "{frame:?}");
        }
        let mut peer = Peer::of_preset("stomp", &[]);
        peer.says(&format!("ERROR\nmessage:no\n\n{}\0", "ä".repeat(1_000)));
        assert_eq!(peer.refusals()[0].1.chars().count(), 512);
    }

    #[test]
    fn both_sides_beat_as_negotiated() {
        let mut peer = Peer::of_preset("stomp", &[]);
        peer.sent();
        peer.says(&connected("5000,15000"));
        peer.wait_secs(14);
        peer.says("\n");
        assert_eq!(peer.sent(), []);
        peer.wait_secs(1);
        assert_eq!(peer.sent(), [text("\n")]);
        peer.wait_secs(18);
        assert!(peer.is_ready(), "a beat of ours is not answered, and need not be");
        peer.says("\r\n");
        assert_eq!(peer.delivered(), [""; 0]);
        peer.wait_secs(20);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout], "twice 10 s without a beat");
    }

    #[test]
    fn it_takes_leave_before_the_close() {
        let mut peer = Peer::of_preset("stomp", &[]);
        peer.says(&connected("0,0"));
        peer.sent();
        peer.client_closes();
        assert_eq!(peer.sent(), [text("DISCONNECT\n\n\0"), Sent::Close(1000)]);
    }

    #[test]
    fn a_secret_with_a_line_end_is_not_sent() {
        let mut peer = Peer::of_preset("stomp", &[("username", "u\nhost:x")]);
        assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
        assert_eq!(peer.sent(), [Sent::Close(1011)]);
    }
}

mod mqtt {
    use super::*;

    const CONNACK: &[u8] = &[0x20, 2, 0, 0];

    #[test]
    fn the_connect_packet_is_as_the_standard_says() {
        let mut peer = Peer::of_preset("mqtt", &[]);
        assert_eq!(peer.sent(), [binary(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0")]);
        let secrets = [("client_id", "id"), ("username", "u"), ("password", "p")];
        let mut peer = Peer::of_preset("mqtt", &secrets);
        let packet = b"\x10\x14\0\x04MQTT\x04\xc2\0\x3c\0\x02id\0\x01u\0\x01p";
        assert_eq!(peer.sent(), [binary(packet)]);
        let long = "x".repeat(200);
        let mut peer = Peer::of_preset("mqtt", &[("password", &long)]);
        let sent = peer.sent();
        let [Sent::Binary(packet)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(packet[..3], [0x10, 0xd8, 0x01], "216 bytes follow, in two digits");
        assert_eq!(packet.len(), 3 + 216);
    }

    #[test]
    fn each_return_code_has_its_verdict() {
        for (code, verdict) in [
            (1, Verdict::Fatal),
            (2, Verdict::Fatal),
            (3, Verdict::Retry),
            (4, REFRESH),
            (5, REFRESH),
            (6, Verdict::Retry),
        ] {
            let mut peer = Peer::of_preset("mqtt", &[]);
            peer.says_bytes(&[0x20, 2, 0, code]);
            let refusals = peer.refusals();
            assert_eq!(refusals.iter().map(|refusal| refusal.0).collect::<Vec<_>>(), [verdict]);
            assert!(!refusals[0].1.is_empty());
        }
    }

    #[test]
    fn it_beats_and_takes_leave() {
        let mut peer = Peer::of_preset("mqtt", &[]);
        peer.says_bytes(&CONNACK[..3]);
        assert!(!peer.is_ready());
        peer.says_bytes(&CONNACK[3..]);
        assert!(peer.is_ready());
        peer.delivered();
        peer.sent();
        peer.wait_secs(30);
        assert_eq!(peer.sent(), [binary(&[0xc0, 0])]);
        peer.says_bytes(&[0x30, 4, 0, 1, b'a', 0xd0, 0xd0, 0]);
        assert_eq!((peer.pongs().len(), peer.delivered().len()), (1, 1));
        peer.client_closes();
        assert_eq!(peer.sent(), [binary(&[0xe0, 0]), Sent::Close(1000)]);
    }

    #[test]
    fn a_silent_server_is_left_and_logged_in_to_again() {
        let mut peer = Peer::of_preset("mqtt", &[]);
        peer.says_bytes(CONNACK);
        peer.says_bytes(&[0x30, 200]); // a packet that never ends
        peer.wait_secs(35);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
        peer.accept_next();
        peer.says_bytes(CONNACK);
        assert!(peer.is_ready());
    }
}

mod discord {
    use super::*;

    const HELLO: &str = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#;
    const READY: &str = r#"{"t":"READY","s":1,"op":0,"d":{"v":10,"session_id":"abc","resume_gateway_url":"wss://resume.example/","guilds":[]}}"#;

    fn greeted() -> Peer {
        let mut peer = Peer::of_preset("discord", &[("token", "secret")]);
        peer.says(HELLO);
        peer
    }

    fn ready() -> Peer {
        let mut peer = greeted();
        peer.says(READY);
        assert!(peer.is_ready());
        peer.sent();
        peer.delivered();
        peer
    }

    #[test]
    fn it_identifies_and_beats_at_the_servers_interval() {
        let mut peer = greeted();
        let identify = json(&peer.sent()[0]);
        assert_eq!(identify["op"], 2);
        assert_eq!(identify["d"]["token"], "secret");
        assert_eq!(identify["d"]["intents"], 513);
        peer.says(READY);
        assert!(peer.is_ready());
        assert_eq!(peer.delivered(), [READY]);
        let resume_at = peer.resume_at();
        assert_eq!(resume_at.as_deref(), Some("wss://resume.example/?v=10&encoding=json"));

        peer.wait(Duration::from_millis(41_249));
        assert_eq!(peer.sent(), []);
        peer.says(r#"{"t":"MESSAGE_CREATE","s":42,"op":0,"d":{"content":"\"op\":1"}}"#);
        peer.wait(Duration::from_millis(1));
        assert_eq!(peer.sent(), [text(r#"{"op":1,"d":42}"#)]);
        peer.says(r#"{"op":11}"#);
        assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);
        peer.says(r#"{"op":1,"d":null}"#);
        assert_eq!(peer.sent(), [text(r#"{"op":1,"d":42}"#)], "the server wants a beat at once");
        peer.says(r#"{"op":11}"#);
        assert_eq!(peer.delivered().len(), 1);
    }

    #[test]
    fn it_resumes_with_the_last_sequence() {
        let mut peer = ready();
        peer.says(r#"{"t":"X","s":7,"op":0,"d":{}}"#);
        peer.says(r#"{"op":7,"d":null}"#);
        assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
        assert_eq!(peer.sent(), [Sent::Close(4000)], "1000 would end the session");

        peer.accept_next();
        peer.says(HELLO);
        let resume = json(&peer.sent()[0]);
        assert_eq!(resume["op"], 6);
        let data = &resume["d"];
        assert_eq!((&data["token"], &data["session_id"]), (&"secret".into(), &"abc".into()));
        assert_eq!(data["seq"], 7);
        peer.says(r#"{"t":"MISSED","s":8,"op":0,"d":{}}"#);
        assert!(!peer.is_ready());
        peer.says(r#"{"t":"RESUMED","s":9,"op":0,"d":{}}"#);
        assert!(peer.is_ready());
        assert_eq!(peer.delivered().len(), 3, "missed events are delivered, and the end of them");
    }

    #[test]
    fn an_invalid_session_begins_anew_after_a_while() {
        let mut peer = ready();
        peer.cut();
        peer.accept_next();
        peer.says(HELLO);
        assert_eq!(json(&peer.sent()[0])["op"], 6);
        peer.says(r#"{"op":9,"d":false}"#);
        assert_eq!(peer.resume_at().as_deref(), Some(""), "at the endpoint again");
        assert!(peer.retry_delay() >= Some(Duration::from_secs(5)));
        peer.sent();
        peer.accept_next();
        peer.says(HELLO);
        assert_eq!(json(&peer.sent()[0])["op"], 2);
    }

    #[test]
    fn an_invalid_session_that_can_be_resumed_is() {
        let mut peer = ready();
        peer.says(r#"{"op":9,"d":true}"#);
        peer.sent();
        peer.accept_next();
        peer.says(HELLO);
        assert_eq!(json(&peer.sent()[0])["op"], 6);
    }

    #[test]
    fn close_codes_end_the_session_or_the_client() {
        let mut peer = ready();
        peer.closes(4009);
        peer.accept_next();
        peer.says(HELLO);
        assert_eq!(json(&peer.sent()[0])["op"], 2, "the session timed out");

        let discord = preset("discord").unwrap();
        let rules = discord.suggestions().policy;
        let config = rules.iter().fold(Config::builder(), |config, rule| config.rule(*rule));
        let mut peer = Peer::open_with(config, discord.dialect(), &[("token", "wrong")]);
        peer.says(HELLO);
        peer.closes(4004);
        assert!(peer.gave_up());
    }

    #[test]
    fn a_silent_server_is_left() {
        let mut peer = ready();
        peer.wait_secs(47);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
    }

    #[test]
    fn an_interval_that_makes_no_sense_is_ignored_with_one_warning() {
        for (interval, warnings) in [("0", 1), ("-1", 1), ("\"x\"", 1), ("1e12", 0), ("1e300", 0)] {
            let mut peer = Peer::of_preset("discord", &[("token", "t")]);
            peer.says(&format!(r#"{{"op":10,"d":{{"heartbeat_interval":{interval}}}}}"#));
            assert_eq!(peer.warnings(), warnings, "{interval}");
            peer.says(READY);
            assert!(peer.is_ready(), "{interval}");
        }
    }

    #[test]
    fn without_a_token_or_with_wrong_intents_nothing_is_sent() {
        for secrets in [&[][..], &[("token", "t"), ("intents", "all")]] {
            let mut peer = Peer::of_preset("discord", secrets);
            peer.says(HELLO);
            assert_eq!(peer.sent(), [Sent::Close(1011)]);
            assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
        }
        assert_eq!(preset("discord").unwrap().secrets(), ["token"]);
    }
}
