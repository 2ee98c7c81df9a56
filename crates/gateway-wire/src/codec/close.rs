//! The payload of a Close frame (section 5.5.1): nothing, or a code and a reason.

use gateway_core::{CloseCode, CloseFrame};

use super::breach::Breach;
use crate::escape::first_bytes;
use crate::message::Text;

/// Parses the payload of a received Close.
pub(super) fn parse(payload: &[u8]) -> Result<Option<(CloseCode, Text)>, Breach> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Breach::CloseOfOneByte) };
    };
    let number = u16::from_be_bytes(*code);
    let code = CloseCode::new(number).map_err(|_| Breach::CloseCode(number))?;
    let reason = std::str::from_utf8(reason).map_err(|_| Breach::CloseReason)?;
    Ok(Some((code, reason.into())))
}

/// The payload of a Close to send.
pub(super) fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
    let reason = first_bytes(reason, CloseFrame::MAX_REASON);
    [&code.number().to_be_bytes()[..], reason.as_bytes()].concat()
}
