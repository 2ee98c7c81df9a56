//! The opening handshake (RFC 6455 section 4.1): a request to write, an answer to read. No IO.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use gateway_core::{OpenError, RetryAfter, UnixMillis};
use http::header::{
    CONNECTION, DATE, HOST, HeaderMap, HeaderName, RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Request};
use tungstenite::handshake::client::{ClientHandshake, generate_key};
use tungstenite::handshake::{HandshakeError, MidHandshake};

use crate::endpoint::Endpoint;
use crate::open_failure::OpenFailure;

/// One opening handshake. Write [`request`](Self::request), then hand over what comes with
/// [`received`](Self::received) until it is done.
pub struct Handshake {
    request: Vec<u8>,
    answer: Vec<u8>,
    rest: Option<MidHandshake<ClientHandshake<Wire>>>,
}

/// What a completed handshake has brought.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The subprotocol that the server chose, where any was offered.
    pub subprotocol: Option<String>,
    /// Bytes that came after the answer: the first frames.
    pub rest: Vec<u8>,
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The most header fields of an answer that are read.
const MAX_HEADERS: usize = 124;

/// Shows nothing of the request, whose headers may be secret.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("answer", &self.answer.len()).finish_non_exhaustive()
    }
}

impl Handshake {
    /// A handshake with this endpoint; `credentials` are headers of this attempt alone and win over the
    /// endpoint's of the same name.
    ///
    /// # Errors
    /// [`OpenError::Configuration`] where the request cannot be written.
    pub fn start(endpoint: &Endpoint, credentials: &HeaderMap) -> Result<Self, OpenFailure> {
        let configuration = |error: &dyn fmt::Display| {
            OpenFailure::new(OpenError::Configuration, format!("cannot write the upgrade: {error}"))
        };
        // The codec wants the scheme; it goes no further.
        let uri = http::Uri::builder()
            .scheme("ws")
            .authority("gateway")
            .path_and_query(endpoint.target().clone())
            .build()
            .map_err(|error| configuration(&error))?;
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.clone_from(endpoint.headers());
        headers.insert(HOST, endpoint.authority().clone());
        for name in credentials.keys() {
            headers.remove(name);
            for value in credentials.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let key = HeaderValue::try_from(generate_key()).map_err(|error| configuration(&error))?;
        headers.insert(SEC_WEBSOCKET_KEY, key);
        let started = ClientHandshake::start(Wire::default(), request, None)
            .map_err(|error| configuration(&error))?;
        match started.handshake() {
            Err(HandshakeError::Interrupted(mut rest)) => {
                let request = std::mem::take(&mut rest.get_mut().get_mut().output);
                Ok(Self { request, answer: Vec::new(), rest: Some(rest) })
            }
            Err(HandshakeError::Failure(error)) => Err(configuration(&error)),
            Ok(_) => Err(configuration(&"answered before it was asked")),
        }
    }

    /// The bytes to write.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Takes bytes of the answer, in pieces of any size; `None` until it is whole.
    ///
    /// # Errors
    /// What the answer is in place of a completed handshake, classified.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<Opened>, OpenFailure> {
        self.answer.extend_from_slice(bytes);
        // A head ends with a line: an answer in small pieces is not parsed for each of them.
        let line = bytes.contains(&b'\n') || self.answer.len() >= MAX_ANSWER;
        if !line && starts_like_http(&self.answer) {
            return Ok(None);
        }
        let Some(length) = judge(&self.answer)? else { return Ok(None) };
        let Some(mut handshake) = self.rest.take() else {
            return Err(OpenFailure::new(OpenError::NotHttp, "the answer was already read"));
        };
        let rest = self.answer.split_off(length);
        let answer = plain_connection(std::mem::take(&mut self.answer));
        handshake.get_mut().get_mut().input = io::Cursor::new(answer);
        match handshake.handshake() {
            // None is offered: the codec knows none (RFC 6455 section 4.1, item 5 of the client's checks).
            Ok((_, answer)) if answer.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) => {
                Err(OpenFailure::new(
                    OpenError::Upgrade,
                    "the server uses an extension that was not offered",
                ))
            }
            Ok((_, answer)) => {
                let chosen = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
                let subprotocol = chosen.and_then(|name| name.to_str().ok()).map(ToOwned::to_owned);
                Ok(Some(Opened { subprotocol, rest }))
            }
            Err(HandshakeError::Failure(error)) => {
                Err(OpenFailure::new(OpenError::Upgrade, error.to_string()))
            }
            Err(HandshakeError::Interrupted(_)) => {
                Err(OpenFailure::new(OpenError::Upgrade, "the answer is not complete"))
            }
        }
    }
}

/// The length of the answer's head once it is whole and its status is 101; every other end is an error.
fn judge(answer: &[u8]) -> Result<Option<usize>, OpenFailure> {
    let not_http = |why: &str| OpenFailure::new(OpenError::NotHttp, why);
    if !starts_like_http(answer) {
        return Err(not_http("the server does not speak HTTP"));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(answer) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_ANSWER => length,
        Ok(httparse::Status::Partial) if answer.len() < MAX_ANSWER => return Ok(None),
        // However it is cut into reads.
        Ok(httparse::Status::Complete(_) | httparse::Status::Partial) => {
            return Err(not_http("the answer's head is longer than 64 KiB"));
        }
        Err(error) => return Err(not_http(&format!("the answer is no HTTP: {error}"))),
    };
    let status = head.code.unwrap_or(0);
    if status == 101 {
        return Ok(Some(length));
    }
    if !(100..=599).contains(&status) {
        return Err(not_http("the answer's status is not one of HTTP's"));
    }
    let value = |name: HeaderName| {
        let field =
            head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_str()));
        field.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let now = value(DATE).and_then(parse_date);
    let retry_after = value(RETRY_AFTER).and_then(parse_retry_after).map(|at| span_from(at, now));
    let detail = format!("the server answered {status}");
    Err(OpenFailure::new(OpenError::Http { status, retry_after }, detail))
}

/// The head with the one `Connection: Upgrade` that the codec wants in the place of a list that contains it, which is as good
/// (RFC 6455 section 4.1, item 3 of the client's checks).
fn plain_connection(head: Vec<u8>) -> Vec<u8> {
    let is_connection = |line: &&[u8]| {
        let name = line.get(..CONNECTION.as_str().len());
        let ends = line.get(CONNECTION.as_str().len()) == Some(&b':');
        ends && name.is_some_and(|name| name.eq_ignore_ascii_case(CONNECTION.as_str().as_bytes()))
    };
    let has_token = |line: &[u8]| {
        let value = line.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
        let mut tokens = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"))
    };
    let lines = || head.split_inclusive(|byte| *byte == b'\n');
    if !lines().filter(is_connection).any(has_token) {
        return head;
    }
    let plain_field = b"Connection: Upgrade\r\n";
    let mut plain = Vec::with_capacity(head.len() + plain_field.len());
    plain.extend_from_slice(lines().next().unwrap_or_default());
    plain.extend_from_slice(plain_field);
    for line in lines().skip(1).filter(|line| !is_connection(line)) {
        plain.extend_from_slice(line);
    }
    plain
}

fn starts_like_http(answer: &[u8]) -> bool {
    let start = b"HTTP/1.";
    answer.starts_with(start) || start.starts_with(answer)
}

/// Parses a `Retry-After` header: seconds, however many, or an HTTP date; `None` for anything else.
#[must_use]
pub fn parse_retry_after(value: &str) -> Option<RetryAfter> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(RetryAfter::Seconds(value.parse().unwrap_or(u64::MAX)));
    }
    parse_date(value).map(RetryAfter::Date)
}

fn parse_date(value: &str) -> Option<UnixMillis> {
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Some(UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)))
}

/// Counts a date from the answer's own `Date`: the server's clock and ours may differ. Without a `Date` the core counts it from
/// our clock.
fn span_from(retry_after: RetryAfter, now: Option<UnixMillis>) -> RetryAfter {
    match (retry_after, now) {
        (RetryAfter::Date(at), Some(now)) => {
            RetryAfter::Seconds(at.saturating_duration_since(now).as_secs())
        }
        (retry_after, _) => retry_after,
    }
}

/// Both directions of the handshake, in memory.
#[derive(Debug, Default)]
struct Wire {
    input: io::Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.input.read(into)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::handshake::derive_accept_key;

    fn handshake() -> Handshake {
        let endpoint = Endpoint::builder("ws://host:9000/path?q=1")
            .header("X-One", "1")
            .subprotocol("a")
            .build()
            .unwrap();
        let mut credentials = HeaderMap::new();
        credentials.insert("x-one", HeaderValue::from_static("2"));
        Handshake::start(&endpoint, &credentials).unwrap()
    }

    fn accepting(handshake: &Handshake) -> String {
        let request = String::from_utf8(handshake.request().to_vec()).unwrap();
        let key =
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
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
            (
                "HTTP/1.1 503 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
                http(503, date),
            ),
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
            ("Date: no\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT", date), // the first of two is the one that is read
        ] {
            for answer in [
                format!("HTTP/1.1 503 x\r\n{own}\r\n{retry_after}\r\n\r\n"),
                format!("HTTP/1.1 503 x\r\n{retry_after}\r\n{own}\r\n\r\n"),
            ] {
                let expected = OpenError::Http { status: 503, retry_after: Some(expected) };
                assert_eq!(refused(&answer), expected, "{own}");
            }
        }
        let seconds =
            "HTTP/1.1 503 x\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\nRetry-After: 7\r\n\r\n";
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
        for list in
            ["keep-alive, Upgrade", "upgrade", "UPGRADE ,close", "close\r\nConnection: Upgrade"]
        {
            let mut handshake = handshake();
            let answer = accepting(&handshake)
                .replace("Connection: Upgrade", &format!("connection: {list}"));
            let opened = handshake.received(answer.as_bytes());
            assert!(opened.is_ok_and(|opened| opened.is_some()), "{list}");
        }
        for list in ["keep-alive", "not-upgrade", "upgrade-not, close", ""] {
            let mut handshake = handshake();
            let answer = accepting(&handshake)
                .replace("Connection: Upgrade", &format!("Connection: {list}"));
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

    /// RFC 9112 section 5.1 lets nothing stand between a name and its colon: readers that differ in what such a field is called
    /// can be played against each other. The head is refused as a whole, and no list in it is looked for.
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
    fn an_extension_that_was_not_offered_is_no_upgrade() {
        let mut handshake = handshake();
        let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        let answer = accepting(&handshake).trim_end().to_owned() + "\r\n" + extension;

        let refused = handshake.received(answer.as_bytes()).unwrap_err();

        assert_eq!(refused.error(), OpenError::Upgrade);
    }

    #[test]
    fn debug_shows_no_header() {
        let shown = format!("{:?}", handshake());
        let header = format!("{:?}", b"X-One");
        assert!(!shown.contains(header.trim_matches(['[', ']'])), "{shown}");
    }

    #[test]
    fn a_head_longer_than_its_bound_is_refused_however_it_is_cut() {
        for (padding, expected) in [(MAX_ANSWER, OpenError::NotHttp), (60_000, OpenError::Upgrade)]
        {
            let head = format!("HTTP/1.1 101 x\r\nX: {}\r\n\r\n", "x".repeat(padding));
            for size in [1_000, 48 << 10, MAX_ANSWER, head.len()] {
                let endpoint = Endpoint::builder("ws://host/").build().unwrap();
                let mut handshake = Handshake::start(&endpoint, &HeaderMap::new()).unwrap();
                let told = head
                    .as_bytes()
                    .chunks(size)
                    .find_map(|piece| handshake.received(piece).err())
                    .map(|failure| failure.error());
                assert_eq!(told, Some(expected), "{padding} in pieces of {size}");
            }
        }
    }
}
