//! The opening handshake, over memory.

use gateway_core::{RetryAfter, UnixMillis};

use super::*;
use crate::endpoint::{Changes, EndpointBuilder};

fn handshake() -> Handshake {
    let endpoint = Endpoint::builder("ws://host:9000/path?q=1")
        .header("X-One", "1")
        .subprotocol("a")
        .build()
        .unwrap();
    Handshake::start(&with_header(&endpoint, "x-one", "2"))
}

/// The endpoint of an attempt whose request has this header.
fn with_header(endpoint: &Endpoint, name: &str, value: &str) -> Endpoint {
    let headers = vec![(name.to_owned(), value.into())];
    endpoint.changed(Changes { headers, ..Changes::default() }).unwrap()
}

fn to(endpoint: EndpointBuilder) -> Handshake {
    Handshake::start(&endpoint.build().unwrap())
}

fn request(endpoint: EndpointBuilder) -> String {
    String::from_utf8(to(endpoint).request().to_vec()).unwrap()
}

fn accepting(handshake: &Handshake) -> String {
    let request = String::from_utf8(handshake.request().to_vec()).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: a\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
}

fn refused(answer: &str) -> OpenError {
    handshake().received(answer.as_bytes()).unwrap_err().error()
}

#[test]
fn the_request_carries_path_host_headers_and_the_credentials_in_place_of_older_ones() {
    let request = String::from_utf8(handshake().request().to_vec()).unwrap();
    assert!(request.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{request}");
    for line in ["Host: host:9000", "x-one: 2", "Sec-WebSocket-Protocol: a"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{line} in {request}");
    }
    assert!(!request.contains("x-one: 1"));
}

#[test]
fn an_answer_in_single_bytes_opens_and_leaves_the_first_frames() {
    let mut handshake = handshake();
    let answer = accepting(&handshake);
    let (last, first) = answer.as_bytes().split_last().unwrap();
    for byte in first {
        assert!(handshake.received(&[*byte]).unwrap().is_none());
    }
    let opened = handshake.received(&[*last, 0x81, 0x01, b'x']).unwrap().unwrap();
    assert_eq!(opened.subprotocol.as_deref(), Some("a"));
    assert_eq!(opened.rest, [0x81, 0x01, b'x']);
}

#[test]
fn every_other_answer_is_classified() {
    let http = |status, retry_after| OpenError::Http { status, retry_after };
    let date = Some(RetryAfter::Date(UnixMillis(784_111_777_000)));
    for (answer, expected) in [
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", http(401, None)),
        ("HTTP/1.0 404 Not Found\r\n\r\n", http(404, None)),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", http(302, None)),
        ("HTTP/1.1 429 x\r\nretry-after: 7\r\n\r\n", http(429, Some(RetryAfter::Seconds(7)))),
        (
            "HTTP/1.1 503 x\r\nRetry-After: 99999999999999999999\r\n\r\n",
            http(503, Some(RetryAfter::Seconds(u64::MAX))),
        ),
        ("HTTP/1.1 503 x\r\nRetry-After: -5\r\n\r\n", http(503, None)),
        ("HTTP/1.1 503 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", http(503, date)),
        ("SSH-2.0-OpenSSH_9.2\r\n", OpenError::NotHttp),
        ("HTTP/1.1 999 x\r\n\r\n", OpenError::NotHttp),
        ("HTTP/1.1 \u{1}\r\n\r\n", OpenError::NotHttp),
        ("HTTP/1.1 101 x\r\n\r\n", OpenError::Upgrade),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            OpenError::Upgrade,
        ),
    ] {
        assert_eq!(refused(answer), expected, "{answer}");
    }
}

#[test]
fn a_retry_after_date_counts_from_the_answers_own_date() {
    let retry_after = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT";
    let date = RetryAfter::Date(UnixMillis(784_111_777_000));
    for (own, expected) in [
        ("Date: Sun, 06 Nov 1994 08:49:07 GMT", RetryAfter::Seconds(30)),
        ("date:Sunday, 06-Nov-94 08:49:07 GMT  ", RetryAfter::Seconds(30)),
        ("Date: Sun Nov  6 08:49:07 1994", RetryAfter::Seconds(30)),
        ("Date: Sun, 06 Nov 1994 08:49:37 GMT", RetryAfter::Seconds(0)),
        ("Date: Fri, 31 Dec 9999 23:59:59 GMT", RetryAfter::Seconds(0)),
        ("Date: Thu, 01 Jan 1970 00:00:00 GMT", RetryAfter::Seconds(784_111_777)),
        ("Date: yesterday", date),
        ("Date: ", date),
        ("Date: Thu, 01 Jan 1900 00:00:00 GMT", date),
        ("Date: \u{e9}", date),
        ("Date: 784111747", date),
        ("X-Date: Sun, 06 Nov 1994 08:49:07 GMT", date),
        ("Date: no\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT", date), // the first of two is read
    ] {
        for answer in [
            format!("HTTP/1.1 503 x\r\n{own}\r\n{retry_after}\r\n\r\n"),
            format!("HTTP/1.1 503 x\r\n{retry_after}\r\n{own}\r\n\r\n"),
        ] {
            let expected = OpenError::Http { status: 503, retry_after: Some(expected) };
            assert_eq!(refused(&answer), expected, "{own}");
        }
    }
    let seconds = "HTTP/1.1 503 x\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\nRetry-After: 7\r\n\r\n";
    let expected = OpenError::Http { status: 503, retry_after: Some(RetryAfter::Seconds(7)) };
    assert_eq!(refused(seconds), expected);
}

#[test]
fn an_endless_head_is_cut_off() {
    let mut handshake = handshake();
    handshake.received(b"HTTP/1.1 200 OK\r\n").unwrap();
    let outcome = (0..100).find_map(|n| {
        handshake.received(format!("X-{n}: {}\r\n", "x".repeat(1_000)).as_bytes()).err()
    });
    assert_eq!(outcome.unwrap().error(), OpenError::NotHttp);
}

#[test]
fn a_connection_field_may_list_more_than_the_upgrade() {
    for list in ["keep-alive, Upgrade", "upgrade", "UPGRADE ,close", "close\r\nConnection: Upgrade"]
    {
        let mut handshake = handshake();
        let answer =
            accepting(&handshake).replace("Connection: Upgrade", &format!("connection: {list}"));
        let opened = handshake.received(answer.as_bytes());
        assert!(opened.is_ok_and(|opened| opened.is_some()), "{list}");
    }
    for list in ["keep-alive", "not-upgrade", "upgrade-not, close", ""] {
        let mut handshake = handshake();
        let answer =
            accepting(&handshake).replace("Connection: Upgrade", &format!("Connection: {list}"));
        let refused = handshake.received(answer.as_bytes()).unwrap_err();
        assert_eq!(refused.error(), OpenError::Upgrade, "{list}");
    }
}

#[test]
fn a_list_with_any_byte_and_lines_without_carriage_return_are_read_as_others() {
    for (from, to) in [("Upgrade\r\nSec", "caf\u{e9}, Upgrade\r\nSec"), ("\r\n", "\n")] {
        let mut handshake = handshake();
        let answer = accepting(&handshake).replace(from, to);
        let latin: Result<Vec<u8>, _> = answer.chars().map(u8::try_from).collect();
        let opened = handshake.received(&latin.unwrap());
        assert!(opened.is_ok_and(|opened| opened.is_some()), "{answer}");
    }
}

/// RFC 9112 section 5.1 allows no space between a name and its colon. Readers that disagree about
/// such a field can be played off against each other. So the client refuses the whole head, and
/// reads no list in it.
#[test]
fn a_space_before_the_colon_is_no_http() {
    for spaced in ["Connection : Upgrade", "Connection : x\r\nConnection: Upgrade"] {
        let mut handshake = handshake();
        let answer = accepting(&handshake).replace("Connection: Upgrade", spaced);
        let refused = handshake.received(answer.as_bytes()).unwrap_err();
        assert_eq!(refused.error(), OpenError::NotHttp, "{spaced}");
    }
}

#[test]
fn header_names_are_sent_as_they_were_written() {
    let request =
        request(Endpoint::builder("ws://ann:pw@host").header("X-aPI-key", "7").header("x-b", "8"));
    for line in ["X-aPI-key: 7", "x-b: 8", "Authorization: Basic YW5uOnB3"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{line} in {request}");
    }
}

#[test]
fn a_request_names_its_user_agent_once() {
    let agents = |endpoint| {
        let request = request(endpoint);
        let agent = |line: &&str| line.to_ascii_lowercase().starts_with("user-agent:");
        request.lines().filter(agent).map(str::to_owned).collect::<Vec<_>>()
    };
    let own = concat!("User-Agent: gateway/", env!("CARGO_PKG_VERSION"));
    assert_eq!(agents(Endpoint::builder("ws://host")), [own]);
    let mine = Endpoint::builder("ws://host").header("user-agent", "mine/1");
    assert_eq!(agents(mine), ["user-agent: mine/1"]);
}

#[test]
fn interim_answers_are_skipped_however_they_are_cut() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for size in [1, 7, 30, usize::MAX] {
        let mut handshake = handshake();
        let mut bytes = [interim, &accepting(&handshake)].concat().into_bytes();
        bytes.extend([0x81, 0x00]);
        let mut pieces = bytes.chunks(size.min(bytes.len()));
        let opened = pieces.find_map(|piece| handshake.received(piece).unwrap()).unwrap();
        let rest = pieces.fold(opened.rest, |rest, piece| [&rest, piece].concat());
        assert_eq!(rest, [0x81, 0x00], "in pieces of {size}");
    }
    let refusal = [interim, "HTTP/1.1 401 x\r\n\r\n"].concat();
    assert_eq!(refused(&refusal), OpenError::Http { status: 401, retry_after: None });
}

#[test]
fn interim_answers_without_end_are_cut_off_and_one_alone_is_waited_behind() {
    let mut handshake = handshake();
    let interim = b"HTTP/1.1 103 x\r\n\r\n";
    assert!(handshake.received(interim).unwrap().is_none());
    assert!(!handshake.is_refused(), "the connect deadline ends it");

    let failed = (1..10_000).find_map(|count| Some((count, handshake.received(interim).err()?)));

    let (count, failure) = failed.unwrap();
    assert_eq!(failure.error(), OpenError::NotHttp);
    assert!(count * interim.len() <= MAX_HEAD, "{count}");
}

#[test]
fn a_server_that_chooses_no_subprotocol_opens_unless_one_is_required() {
    let endpoint = || Endpoint::builder("ws://host").subprotocol("a").subprotocol("b");
    for (chosen, required, expected) in [
        ("Sec-WebSocket-Protocol: b\r\n", true, Some(Some("b"))),
        ("", false, Some(None)),
        ("Sec-WebSocket-Protocol: \r\n", false, Some(None)),
        ("", true, None),
        ("Sec-WebSocket-Protocol: \r\n", true, None),
        ("Sec-WebSocket-Protocol: c\r\n", false, None),
        ("Sec-WebSocket-Protocol: B\r\n", false, None),
    ] {
        let mut handshake = to(endpoint().require_subprotocol(required));
        let answer = accepting(&handshake).replace("Sec-WebSocket-Protocol: a\r\n", chosen);
        let opened = handshake.received(answer.as_bytes());
        let subprotocol =
            opened.as_ref().ok().map(|opened| opened.as_ref().unwrap().subprotocol.as_deref());
        assert_eq!(subprotocol, expected, "{chosen:?}, required: {required}: {opened:?}");
    }
}

/// The text of a refusal that comes in one piece.
fn words(answer: &str) -> String {
    let mut handshake = handshake();
    let failure = handshake.received(answer.as_bytes()).err();
    failure.unwrap_or_else(|| handshake.ended()).detail().to_owned()
}

#[test]
fn a_refusal_keeps_its_status_its_location_and_the_beginning_of_its_text() {
    for (answer, expected) in [
        ("401 x\r\nContent-Length: 0\r\n\r\n", "401"),
        (
            "302 x\r\nLocation: /login?token=1#a\r\nContent-Length: 2\r\n\r\n<a",
            "302, Location: /login",
        ),
        ("302 x\r\nLocation: //u:p@h/x\r\n\r\n", "302, Location: //h/x"),
        ("302 x\r\nLocation: /\u{202e}x\r\n\r\n", "302, Location: /\\u{202e}x"),
        ("302 x\r\nLocation: https://u:p@h:1/a@b?c\r\n\r\n", "302, Location: https://h:1/a@b"),
        ("503 x\r\nContent-Length: 4\r\n\r\nbusy and more", "503: busy"),
        (
            "503 x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n  a\r\nb\x1b[2J\u{9b}\n",
            "503: a b\\u{1b}[2J\\u{9b}",
        ),
        ("400 x\r\nContent-Type: application/problem+json\r\n\r\n{}", "400: {}"),
        ("503 x\r\nContent-Type: image/png\r\n\r\nPNG", "503"),
        ("503 x\r\nContent-Encoding: gzip\r\n\r\nzip", "503"),
        (
            "503 x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nbu\r\n2\r\nsy\r\n0\r\n\r\n",
            "503: busy",
        ),
        ("503 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nbusy", "503: busy"),
        ("503 x\r\nTransfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n", "503"),
        ("503 x\r\nConnection: close\r\n\r\nbusy", "503: busy"),
    ] {
        assert_eq!(words(&format!("HTTP/1.1 {answer}")), format!("the server answered {expected}"));
    }
}

#[test]
fn what_is_kept_of_a_refusal_is_bounded() {
    let long = "\u{1b}".repeat(64 << 10);
    let (head, escape) = ("HTTP/1.1 503 x\r\n", "\\u{1b}");
    let text = words(&format!("{head}Content-Length: 65536\r\n\r\n{long}"));
    assert_eq!(text, format!("the server answered 503: {}", escape.repeat(512)));
    let umlauts = "\u{e4}".repeat(600); // a character is cut at the 512th byte
    let text = words(&format!("{head}Connection: close\r\n\r\nx{umlauts}"));
    assert_eq!(text, format!("the server answered 503: x{}", "\u{e4}".repeat(255)));
    let place = words(&format!("{head}Location: /{}\r\n\r\n", "x".repeat(60_000)));
    assert_eq!(place.len(), "the server answered 503, Location: ".len() + 512);
}

#[test]
fn a_body_that_is_on_its_way_is_waited_for() {
    let mut handshake = handshake();
    let refused = |status| OpenError::Http { status, retry_after: None };
    for piece in ["HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\n", "bu"] {
        assert!(handshake.received(piece.as_bytes()).unwrap().is_none());
    }
    assert_eq!(handshake.ended().detail(), "the server answered 503: bu");

    let failure = handshake.received(b"sy").unwrap_err();

    assert_eq!(
        (failure.error(), failure.detail()),
        (refused(503), "the server answered 503: busy")
    );
}

/// RFC 6455 section 4.1, items 2, 4, 5 and 6 of the client's checks, and sections 11.3.3 and
/// 11.3.4.
#[test]
fn an_answer_that_says_more_than_the_standard_lets_it_is_no_upgrade() {
    for (field, by) in [
        ("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Extensions: permessage-deflate"),
        ("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x"),
        ("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Extensions: \u{e9}"),
        ("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b"),
        ("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: \u{e9}"),
        ("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: "),
    ] {
        let mut handshake = handshake();
        let answer = accepting(&handshake).replace(field, by);
        let latin: Result<Vec<u8>, _> = answer.chars().map(u8::try_from).collect();
        let refused = handshake.received(&latin.unwrap());
        assert_eq!(refused.unwrap_err().error(), OpenError::Upgrade, "{by}");
    }
}

#[test]
fn the_words_of_a_refusal_repeat_neither_the_query_nor_a_header() {
    let endpoint = Endpoint::builder("ws://ann:pa55word@host/feed?token=s3cr3t%2Bvalue&v=2")
        .header("X-Api-Key", "k3y-of-the-endpoint");
    let body = "/feed?token=s3cr3t%2Bvalue&amp;v=2 s3cr3t+value Bearer abc.def-ghi pa55word k3y-of-the-endpoint";
    let own = endpoint.build().unwrap();
    for own in [with_header(&own, "Authorization", "Bearer abc.def-ghi"), own] {
        let mut handshake = Handshake::start(&own);
        let answer = format!(
            "HTTP/1.1 404 x\r\nLocation: /s3cr3t%2Bvalue/feed\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let words = handshake.received(answer.as_bytes()).unwrap_err().detail().to_owned();
        for secret in ["s3cr3t", "k3y-of-the-endpoint"] {
            assert!(!words.contains(secret), "{words}");
        }
        let hides = if words.contains("abc.def-ghi") { "pa55word" } else { "abc.def-ghi" };
        assert!(
            !words.contains(hides) && words.contains("/feed?token=(hidden)&amp;v=2"),
            "{words}"
        );
    }
}

#[test]
fn debug_shows_no_header() {
    let shown = format!("{:?}", handshake());
    let header = format!("{:?}", b"X-One");
    assert!(!shown.contains(header.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn a_head_longer_than_its_bound_is_refused_however_it_is_cut() {
    for (padding, expected) in [(MAX_HEAD, OpenError::NotHttp), (60_000, OpenError::Upgrade)] {
        let head = format!("HTTP/1.1 101 x\r\nX: {}\r\n\r\n", "x".repeat(padding));
        for size in [1_000, 48 << 10, MAX_HEAD, head.len()] {
            let endpoint = Endpoint::builder("ws://host/").build().unwrap();
            let mut handshake = Handshake::start(&endpoint);
            let told = head
                .as_bytes()
                .chunks(size)
                .find_map(|piece| handshake.received(piece).err())
                .map(|failure| failure.error());
            assert_eq!(told, Some(expected), "{padding} in pieces of {size}");
        }
    }
}
