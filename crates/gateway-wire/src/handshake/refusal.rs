//! An answer that refuses the upgrade: its status, its `Location`, and the beginning of its body.

use gateway_core::OpenError;

use super::head::Head;
use super::retry_after;
use crate::escape::escaped;
use crate::hidden::Hidden;
use crate::open_failure::OpenFailure;

/// The most that is kept of a body, and of a `Location`, in bytes.
const KEPT: usize = 512;

/// The most that is read of a chunked body, in bytes.
const MAX_CHUNKS: usize = 4 << 10;

/// A refusal whose body may still be on its way.
pub(crate) struct Refusal {
    error: OpenError,
    status: u16,
    location: Option<String>,
    framing: Framing,
    body: Vec<u8>,
}

/// Where a body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// There is no body, or no text body.
    None,
    /// The head does not say. The bytes in the same read are kept, and no more are waited for.
    Unknown,
    Length(usize),
    Chunks,
    /// At the end of the connection.
    End,
}

impl Refusal {
    pub(crate) fn new(head: &Head<'_>) -> Self {
        let status = head.status;
        Self {
            error: OpenError::Http { status, retry_after: retry_after::of(head) },
            status,
            location: head.value("Location").filter(|place| !place.is_empty()).map(place),
            framing: Framing::of(head),
            body: Vec::new(),
        }
    }

    /// Processes bytes of the body.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        let most = match self.framing {
            Framing::None => 0,
            Framing::Length(length) => length.min(KEPT),
            Framing::Chunks => MAX_CHUNKS,
            Framing::Unknown | Framing::End => KEPT,
        };
        let room = most.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether all of the body has come that is kept.
    pub(crate) fn is_whole(&self) -> bool {
        match self.framing {
            Framing::None | Framing::Unknown => true,
            Framing::Length(length) => self.body.len() >= length.min(KEPT),
            Framing::End => self.body.len() >= KEPT,
            Framing::Chunks => {
                let (text, is_whole) = joined(&self.body);
                is_whole || text.len() >= KEPT || self.body.len() >= MAX_CHUNKS
            }
        }
    }

    pub(super) fn failure(&self, hidden: &Hidden) -> OpenFailure {
        OpenFailure::new(self.error, format!("the server {}", self.words(hidden)))
    }

    /// What the peer answered.
    pub(crate) fn words(&self, hidden: &Hidden) -> String {
        let mut detail = format!("answered {}", self.status);
        if let Some(location) = &self.location {
            detail += &format!(", Location: {}", hidden.removed_from(location));
        }
        if let Some(text) = self.text() {
            detail += &format!(": {}", escaped(&hidden.removed_from(&text)));
        }
        detail
    }

    /// The beginning of the body on one line, if it is text.
    fn text(&self) -> Option<String> {
        let body = match self.framing {
            Framing::Chunks => joined(&self.body).0,
            Framing::None | Framing::Unknown | Framing::Length(_) | Framing::End => {
                self.body.clone()
            }
        };
        let body = &body[..body.len().min(KEPT)];
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            // The last character is incomplete.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return None,
        };
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!words.is_empty()).then_some(words)
    }
}

impl Framing {
    fn of(head: &Head<'_>) -> Self {
        // A redirect says no more than its `Location`.
        let is_empty = matches!(head.status, 204 | 300..=399);
        let is_coded = head.value("Content-Encoding").is_some_and(|coding| !coding.is_empty());
        if is_empty || is_coded || !is_text(head.value("Content-Type")) {
            return Self::None;
        }
        if head.lists("Transfer-Encoding", "chunked") {
            return Self::Chunks;
        }
        if let Some(length) = head.value("Content-Length") {
            return length.parse().map_or(Self::Unknown, Self::Length);
        }
        // Many servers that do not announce a body send none, and keep the connection open.
        if head.lists("Connection", "close") { Self::End } else { Self::Unknown }
    }
}

/// Whether a body of this type is text. If the type is missing, the bytes decide.
fn is_text(kind: Option<&str>) -> bool {
    let Some(kind) = kind else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_structured = kind.strip_prefix("application/").is_some_and(|subtype| {
        let suffix = subtype.rsplit('+').next().unwrap_or_default();
        matches!(suffix, "json" | "xml")
    });
    kind.starts_with("text/") || is_structured
}

/// Joins the data of these chunks, as far as they have come. The bool says whether the body has
/// ended.
fn joined(mut chunks: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let (start, length) = match httparse::parse_chunk_size(chunks) {
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return (body, false),
            Err(_) => return (body, true), // the rest cannot be parsed
        };
        let Ok(length) = usize::try_from(length) else { return (body, false) };
        if length == 0 {
            return (body, true);
        }
        let data = &chunks[start..];
        body.extend_from_slice(&data[..data.len().min(length)]);
        // A line end follows the data.
        let Some(next) = length.checked_add(2).and_then(|end| data.get(end..)) else {
            return (body, false);
        };
        chunks = next;
    }
}

/// Returns a location in ASCII, without userinfo and query, which may be secret.
fn place(location: &str) -> String {
    let shown = location.split(['?', '#']).next().unwrap_or_default();
    let shown = match shown.split_once("//") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..host_end].rfind('@').map_or(rest, |at| &rest[at + 1..]);
            format!("{scheme}//{host}")
        }
        None => shown.to_owned(),
    };
    let mut shown = shown.escape_default().to_string();
    shown.truncate(KEPT);
    shown
}
