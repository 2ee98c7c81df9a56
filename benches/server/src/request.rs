//! The HTTP/1.1 request that a connection begins with: an upgrade, or one of the two plain paths.

use data_encoding::BASE64;
use sha1::{Digest as _, Sha1};

/// The longest request head that is taken.
const LONGEST: usize = 16 << 10;
const HEADERS: usize = 100;
/// RFC 6455, section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A WebSocket; with the value of `Sec-WebSocket-Accept`.
    Upgrade(String),
    Statistics,
    Reset,
    /// Nothing that is served here; with the status to say so.
    Refused(&'static str),
}

impl Request {
    /// Reads the request that `bytes` begin with, and how long its head is; `None` while it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(size)) => Some((Self::of(&request), size)),
            Ok(httparse::Status::Partial) if bytes.len() <= LONGEST => None,
            Ok(httparse::Status::Partial) => {
                Some((Self::Refused("431 Request Header Fields Too Large"), bytes.len()))
            }
            Err(_) => Some((Self::Refused("400 Bad Request"), bytes.len())),
        }
    }

    fn of(request: &httparse::Request<'_, '_>) -> Self {
        if request.method != Some("GET") {
            return Self::Refused("405 Method Not Allowed");
        }
        match request.path {
            Some("/statistics") => return Self::Statistics,
            Some("/reset") => return Self::Reset,
            _ => {}
        }
        let header = |name: &str| {
            let found =
                request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| header.value.trim_ascii())
        };
        let upgrades = header("Upgrade").is_some_and(|it| it.eq_ignore_ascii_case(b"websocket"));
        if !upgrades || header("Sec-WebSocket-Version") != Some(b"13") {
            return Self::Refused("426 Upgrade Required");
        }
        header("Sec-WebSocket-Key")
            .map_or(Self::Refused("400 Bad Request"), |key| Self::Upgrade(accept(key)))
    }
}

/// The value of `Sec-WebSocket-Accept` for a key.
pub(crate) fn accept(key: &[u8]) -> String {
    BASE64.encode(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The answer to an upgrade.
pub(crate) fn switching(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// The answer to any other request; the last on its connection.
pub(crate) fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::accept;

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
