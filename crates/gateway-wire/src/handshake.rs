//! The opening handshake (RFC 6455 section 4.1): a request to write, an answer to read. No IO.

pub(crate) mod head;
pub(crate) mod refusal;
mod response;
mod retry_after;

use std::fmt;

use gateway_core::OpenError;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use self::head::Head;
use self::refusal::Refusal;
pub use self::response::ResponseHeaders;
pub use self::retry_after::parse_retry_after;
use crate::endpoint::Endpoint;
use crate::hidden::Hidden;
use crate::open_failure::OpenFailure;

/// One opening handshake (RFC 6455 section 4.1). Write [`request`](Self::request), then pass each
/// read to [`received`](Self::received) until the handshake is done.
///
/// Interim answers (1xx, RFC 9110 section 15.2) are skipped. If the server refuses the upgrade, the
/// failure's text shows the status, the `Location` and the first 512 bytes of a text body.
pub struct Handshake {
    request: Vec<u8>,
    /// The `Sec-WebSocket-Accept` that proves that the server has understood the request.
    accept: String,
    subprotocols: Vec<String>,
    requires_subprotocol: bool,
    /// What the text of a refusal must not show.
    hidden: Hidden,
    /// The bytes of the answer's head so far, with the interim answers before it.
    answer: Vec<u8>,
    /// The length of the interim answers.
    skipped: usize,
    refusal: Option<Refusal>,
}

/// The result of a successful handshake. `Debug` shows no contents: the first frames may be secret,
/// and so may a subprotocol.
#[non_exhaustive]
pub struct Opened {
    /// The subprotocol that the server chose, if it chose one.
    pub subprotocol: Option<String>,
    /// The header fields of the answer.
    pub headers: ResponseHeaders,
    /// Bytes that came after the answer: the first frames.
    pub rest: Vec<u8>,
    /// What later texts of this server must not show.
    pub(crate) hidden: Hidden,
}

/// The longest head that is read, in bytes, including the interim answers before it.
const MAX_HEAD: usize = 64 << 10;

/// The `User-Agent` of a request, unless a header sets another one.
pub(crate) const USER_AGENT: &str = concat!("gateway/", env!("CARGO_PKG_VERSION"));

/// Shows nothing of the request, whose headers may be secret.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("answer", &self.answer.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_subprotocol = self.subprotocol.is_some();
        let mut shown = f.debug_struct("Opened");
        shown.field("has_subprotocol", &has_subprotocol).field("headers", &self.headers);
        shown.field("rest", &self.rest.len());
        shown.finish_non_exhaustive()
    }
}

impl Handshake {
    /// Starts a handshake with this endpoint.
    #[must_use]
    pub fn start(endpoint: &Endpoint) -> Self {
        let key = generate_key();
        Self {
            request: request(endpoint, &key),
            accept: derive_accept_key(key.as_bytes()),
            subprotocols: endpoint.subprotocols().to_vec(),
            requires_subprotocol: endpoint.requires_subprotocol(),
            hidden: Hidden::of(endpoint),
            answer: Vec::new(),
            skipped: 0,
            refusal: None,
        }
    }

    /// Returns the bytes to write.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Processes bytes of the answer, in pieces of any size. Returns `None` if more bytes are
    /// needed.
    ///
    /// The body of a refusal also needs more bytes. While [`is_refused`](Self::is_refused) returns
    /// true, wait for them for at most a second, then report the failure that
    /// [`ended`](Self::ended) returns.
    ///
    /// # Errors
    /// The classified failure, if the server refuses the upgrade, or if its answer is invalid.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<Opened>, OpenFailure> {
        if let Some(refusal) = &mut self.refusal {
            refusal.received(bytes);
            return self.refused_if_whole();
        }
        self.answer.extend_from_slice(bytes);
        // A head ends with a line end. So an answer in small pieces is not parsed again for each
        // piece.
        let line = bytes.contains(&b'\n') || self.answer.len() >= MAX_HEAD;
        if !line && head::starts_like_http(&self.answer) {
            return Ok(None);
        }
        self.judge()
    }

    /// Whether the server has refused the upgrade, and the body with the reason is still to come.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Returns the failure of the attempt if nothing more comes: the stream has ended, or the time
    /// is up.
    #[must_use]
    pub fn ended(&self) -> OpenFailure {
        match &self.refusal {
            Some(refusal) => refusal.failure(&self.hidden),
            None => OpenFailure::new(
                OpenError::NotHttp,
                "the server closed the connection during the upgrade",
            ),
        }
    }

    fn judge(&mut self) -> Result<Option<Opened>, OpenFailure> {
        loop {
            let answer = &self.answer[self.skipped..];
            let judged = Head::read(answer, MAX_HEAD - self.skipped, |head| match head.status {
                101 => self
                    .chosen_subprotocol(head)
                    .map(|subprotocol| Judged::Accepted(subprotocol, ResponseHeaders::of(head))),
                100..=199 => Ok(Judged::Interim),
                _ => Ok(Judged::Refused(Refusal::new(head))),
            });
            let judged = judged.map_err(|why| {
                OpenFailure::new(OpenError::NotHttp, why.words("the server", MAX_HEAD))
            });
            let Some((length, judged)) = judged? else { return Ok(None) };
            let end = self.skipped + length;
            match judged.map_err(|why| OpenFailure::new(OpenError::Upgrade, why))? {
                Judged::Interim => self.skipped = end,
                Judged::Accepted(subprotocol, headers) => {
                    let rest = self.answer.split_off(end);
                    self.answer = Vec::new();
                    return Ok(Some(Opened {
                        subprotocol,
                        headers,
                        rest,
                        hidden: std::mem::take(&mut self.hidden),
                    }));
                }
                Judged::Refused(mut refusal) => {
                    refusal.received(&self.answer[end..]);
                    self.answer = Vec::new();
                    self.refusal = Some(refusal);
                    return self.refused_if_whole();
                }
            }
        }
    }

    fn refused_if_whole(&self) -> Result<Option<Opened>, OpenFailure> {
        match &self.refusal {
            Some(refusal) if refusal.is_whole() => Err(self.ended()),
            Some(_) | None => Ok(None),
        }
    }

    /// Checks an answer with status 101 (RFC 6455 section 4.1, the client's checks from item 2 on).
    /// Returns the subprotocol that it names.
    fn chosen_subprotocol(&self, head: &Head<'_>) -> Result<Option<String>, String> {
        let wrong = |why: &str| Err(format!("the server answered 101, but {why}"));
        if !head.is_http_1_1 {
            return wrong("in HTTP/1.0");
        }
        if !head.is("Upgrade", "websocket") {
            return wrong("its Upgrade field is not websocket");
        }
        if !head.lists("Connection", "Upgrade") {
            return wrong("its Connection field does not name Upgrade");
        }
        if head.one("Sec-WebSocket-Accept") != Some(self.accept.as_bytes()) {
            return wrong("its Sec-WebSocket-Accept does not answer our key");
        }
        if head.values("Sec-WebSocket-Extensions").any(|value| !value.is_empty()) {
            return wrong("it uses an extension that was not offered");
        }
        if head.values("Sec-WebSocket-Protocol").all(<[u8]>::is_empty) {
            return match self.requires_subprotocol {
                true => wrong(
                    "it chose none of the offered subprotocols, and require_subprotocol is set",
                ),
                false => Ok(None),
            };
        }
        let chosen = head.one("Sec-WebSocket-Protocol");
        match self.subprotocols.iter().find(|offered| Some(offered.as_bytes()) == chosen) {
            Some(name) => Ok(Some(name.clone())),
            None => wrong("it chose a subprotocol that was not offered"),
        }
    }
}

/// The meaning of a complete head.
enum Judged {
    Accepted(Option<String>, ResponseHeaders),
    Interim,
    Refused(Refusal),
}

fn request(endpoint: &Endpoint, key: &str) -> Vec<u8> {
    let mut request = format!("GET {} HTTP/1.1\r\n", endpoint.target()).into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            request.extend_from_slice(part);
        }
    };
    field("Host", endpoint.authority().as_bytes());
    field("Connection", b"Upgrade");
    field("Upgrade", b"websocket");
    field("Sec-WebSocket-Version", b"13");
    field("Sec-WebSocket-Key", key.as_bytes());
    if !endpoint.subprotocols().is_empty() {
        field("Sec-WebSocket-Protocol", endpoint.subprotocols().join(", ").as_bytes());
    }
    let mut names_agent = false;
    for (name, value) in endpoint.headers() {
        names_agent |= name.eq_ignore_ascii_case("User-Agent");
        field(name, value.as_bytes());
    }
    if !names_agent {
        field("User-Agent", USER_AGENT.as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request
}

#[cfg(test)]
mod tests;
