//! The opening of a connection: the request for an upgrade, and the scripted answer to it.

use std::{io, time::Duration};

use tungstenite::{
    handshake::{
        machine::TryParse as _,
        server::{Request, create_response, write_response},
    },
    http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
};

use crate::{
    clock,
    dialect::{ServedDialect, Subprotocol},
    line::Line,
    options::Options,
    script::{Ending, Header, HttpAnswer, Opening, Pace, Step},
};

/// The largest request that is read.
const MAX_HEAD: usize = 16 * 1024;
/// How long a client may take to send its request.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

const BAD_REQUEST: HttpAnswer =
    HttpAnswer { status: 400, reason: "Bad Request", header: Header::None };

/// The result of an opening.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The connection is upgraded, and the script continues.
    WebSocket {
        /// Bytes that the client sent after its request.
        early: Vec<u8>,
        subprotocol: Subprotocol,
        steps: &'static [Step],
        end: Ending,
    },
    /// The connection is over: it was not upgraded, or the client left.
    Over,
}

/// The client's request, and what followed it.
struct Head {
    request: Result<Request, tungstenite::Error>,
    early: Vec<u8>,
}

/// Runs the opening of a script.
///
/// # Errors
/// If the client ends TCP, is too slow, or sends too much before the upgrade is done.
pub(crate) async fn open(
    line: &mut Line,
    opening: &Opening,
    options: &Options,
) -> io::Result<Opened> {
    let (pace, steps, end) = match opening {
        Opening::Silence => {
            line.hung_up().await;
            return Ok(Opened::Over);
        }
        Opening::HangUp => {
            read_head(line).await?;
            return hang_up_after(line, b"").await;
        }
        Opening::Http(answer) => {
            read_head(line).await?;
            line.note(|pen| pen.answered(answer.status));
            return hang_up_after(line, &answer.to_bytes()).await;
        }
        Opening::Bytes(bytes) => {
            read_head(line).await?;
            return hang_up_after(line, bytes).await;
        }
        Opening::Upgrade { pace, steps, end } => (*pace, *steps, *end),
    };
    let Head { request, early } = read_head(line).await?;
    let needed = options.dialect.and_then(ServedDialect::subprotocol);
    match request.and_then(|request| upgrade(&request, needed)) {
        Ok((answer, subprotocol)) => {
            write_paced(line, &answer, pace, options.beat).await?;
            line.note(|pen| pen.opened());
            Ok(Opened::WebSocket { early, subprotocol, steps, end })
        }
        Err(error) => {
            tracing::info!(%error, "the request is not a WebSocket upgrade");
            hang_up_after(line, &BAD_REQUEST.to_bytes()).await
        }
    }
}

/// Reads the whole request.
async fn read_head(line: &mut Line) -> io::Result<Head> {
    let mut bytes = Vec::with_capacity(1024);
    let reading = async {
        loop {
            match Request::try_parse(&bytes) {
                Ok(Some((length, request))) => {
                    return Ok(Head { request: Ok(request), early: bytes.split_off(length) });
                }
                Ok(None) if bytes.len() >= MAX_HEAD => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "oversized request"));
                }
                Ok(None) => {}
                Err(error) => {
                    return Ok(Head { request: Err(error), early: Vec::new() });
                }
            }
            if line.read(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    clock::within(HEAD_DEADLINE, reading).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

/// The response that upgrades. It selects the needed subprotocol, or the first offered one if none is
/// needed.
fn upgrade(
    request: &Request,
    needed: Option<&str>,
) -> Result<(Vec<u8>, Subprotocol), tungstenite::Error> {
    let mut response = create_response(request)?;
    let selected = subprotocol(request, needed);
    let subprotocol = match (needed, &selected) {
        (Some(_), None) => Subprotocol::Missing,
        (Some(_), Some(_)) | (None, _) => Subprotocol::Acceptable,
    };
    if let Some(selected) = selected {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, selected);
    }
    let mut bytes = Vec::with_capacity(256);
    write_response(&mut bytes, &response)?;
    Ok((bytes, subprotocol))
}

/// The needed subprotocol if it is offered, or the first offered one if none is needed.
fn subprotocol(request: &Request, needed: Option<&str>) -> Option<HeaderValue> {
    let headers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = headers
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let selected = offered.find(|name| needed.is_none_or(|needed| *name == needed))?;
    HeaderValue::from_str(selected).ok()
}

async fn write_paced(line: &mut Line, answer: &[u8], pace: Pace, beat: Duration) -> io::Result<()> {
    match pace {
        Pace::AtOnce => line.write_all(answer).await,
        Pace::ByteABeat => {
            for byte in answer {
                line.write_all(std::slice::from_ref(byte)).await?;
                // Both are cancel-safe.
                tokio::select! {
                    biased;
                    () = line.left_unheard() => return Err(io::ErrorKind::UnexpectedEof.into()),
                    () = clock::pause(beat) => {}
                }
            }
            Ok(())
        }
    }
}

async fn hang_up_after(line: &mut Line, answer: &[u8]) -> io::Result<Opened> {
    line.write_all(answer).await?;
    line.end().await?;
    Ok(Opened::Over)
}

impl HttpAnswer {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { status, reason, header } = self;
        let header = match header {
            Header::None => String::new(),
            Header::RetryAfterSeconds(seconds) => format!("Retry-After: {seconds}\r\n"),
            Header::RetryAfterDate(seconds) => {
                let date = clock::wall_after(Duration::from_secs(u64::from(*seconds)));
                format!("Retry-After: {}\r\n", httpdate::fmt_http_date(date))
            }
            Header::Location(location) => format!("Location: {location}\r\n"),
            Header::Authenticate(scheme) => format!("WWW-Authenticate: {scheme}\r\n"),
        };
        let length = reason.len();
        format!(
            "HTTP/1.1 {status} {reason}\r\n{header}Content-Type: text/plain\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{reason}"
        )
        .into_bytes()
    }
}
