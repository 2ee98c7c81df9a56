//! Where the codec may differ from tungstenite, and why.
//!
//! Both read the same bytes, and this file compares the results. `frames.rs` handles two more
//! differences, by changing the bytes that tungstenite gets:
//!
//! - tungstenite accepts a length in more bytes than it needs (RFC 6455, 5.2);
//! - the codec refuses a frame early: by its head, or at the first wrong byte of a text.
//!
//! Two things are not compared. tungstenite has no extensions, so it reads their messages without RSV1.
//! After a Close it reports the end of the connection, or an error if bytes follow. The codec ignores
//! these bytes (5.5.1).

use gateway_core::Failure;
use gateway_wire::codec::{Breach, Incoming};
use tungstenite::Error;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::codec::{End, Reading};

/// The difference of two readings in words, or `None` if it is not allowed. `length` is that of the
/// frame that the codec has refused.
pub(super) fn difference(
    ours: &Reading<Breach>,
    theirs: &Reading<Error>,
    length: Option<u64>,
    limit: usize,
) -> Option<&'static str> {
    let is_same = ours.incoming == theirs.incoming;
    match (ours.error, theirs.end()) {
        // A code that may not be sent is a breach (7.4). tungstenite reports another Close in place of
        // the peer's, as if the peer had found an error.
        (Some(Breach::CloseCode(code)), End::Closed) if is_forbidden(code) => {
            let (last, before) = theirs.incoming.split_last()?;
            (ours.incoming == before && is_replaced(last))
                .then_some("a code that tungstenite replaces")
        }
        // tungstenite does not know 1014, which is registered, and replaces it.
        (None, End::Closed) => {
            let (our_last, ours_before) = ours.incoming.split_last()?;
            let (their_last, before) = theirs.incoming.split_last()?;
            (ours_before == before && is_bad_gateway(our_last) && is_replaced(their_last))
                .then_some("the code 1014")
        }
        // Two errors in one Close: the codec reports the code, tungstenite the reason.
        (Some(Breach::CloseCode(code)), End::Failed(Failure::InvalidUtf8)) => {
            (is_same && is_forbidden(code)).then_some("a wrong code and a wrong reason")
        }
        // Two errors in one head: tungstenite reports that the frame is longer than a message may be,
        // the codec what else is wrong. The codec judges control frames by their own limit (5.5).
        (
            Some(
                Breach::Masked
                | Breach::Unmasked
                | Breach::ReservedBit
                | Breach::Interrupted
                | Breach::NothingToContinue
                | Breach::FragmentedControl
                | Breach::LongControl,
            ),
            End::Failed(Failure::TooBig),
        ) => {
            (is_same && length? > limit.max(125) as u64).then_some("a wrong head that is too long")
        }
        // tungstenite has no extension that could refuse a message.
        (Some(Breach::Extension(_)), _) => {
            theirs.incoming.starts_with(&ours.incoming).then_some("refused by the extension")
        }
        _ => None,
    }
}

/// By tungstenite's list, which lacks 1014.
fn is_forbidden(code: u16) -> bool {
    code != 1014 && !CloseCode::from(code).is_allowed()
}

fn is_bad_gateway(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Close(Some((code, _))) if code.number() == 1014)
}

/// What tungstenite reports in place of a Close with a code that it does not allow.
fn is_replaced(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Close(Some((code, reason)))
        if code.number() == 1002 && reason.as_str() == "Protocol violation")
}
