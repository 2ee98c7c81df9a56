//! A correlator with few ids, so that they soon start again.

use gateway_wire::{CorrelationError, Correlator, Message};

/// Two ids, which stand before the request's text.
#[derive(Debug)]
pub(crate) struct TwoIds;

impl TwoIds {
    /// The number of ids.
    pub(crate) const COUNT: usize = 2;

    /// The server's answer to the request with this id: an unmasked text frame.
    pub(crate) fn answer(id: u64) -> Vec<u8> {
        let text = format!("answer {id}");
        let mut frame = vec![0x81, text.len() as u8];
        frame.extend_from_slice(text.as_bytes());
        frame
    }
}

impl Correlator for TwoIds {
    fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
        let text = request.as_text().ok_or(CorrelationError::Binary)?;
        Ok(Message::text(format!("{id} {text}")))
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        message.as_text()?.strip_prefix("answer ")?.parse().ok()
    }

    fn greatest_id(&self) -> u64 {
        Self::COUNT as u64
    }
}
