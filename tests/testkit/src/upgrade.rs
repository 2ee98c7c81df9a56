//! The server's side of the opening handshake.

use tungstenite::handshake::derive_accept_key;

/// The most header fields of an upgrade request.
const MAX_HEADERS: usize = 64;

/// Returns the length of an upgrade request, and the answer that accepts it (RFC 6455 section 4.2).
/// `None` if the request is not complete.
///
/// # Panics
/// If the request is no HTTP, or asks for no WebSocket.
#[must_use]
pub fn answer_upgrade(bytes: &[u8]) -> Option<(usize, String)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(error) => panic!("the upgrade is no HTTP: {error}"),
    };
    let field = |name: &str| {
        let field = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.unwrap_or_else(|| panic!("the upgrade has no {name}")).value
    };
    assert_eq!(field("Upgrade").to_ascii_lowercase(), b"websocket");
    assert_eq!(field("Sec-WebSocket-Version"), b"13");
    let accept = derive_accept_key(field("Sec-WebSocket-Key"));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Some((length, answer))
}
