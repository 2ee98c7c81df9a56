//! What an application of the suite notes of its client's events, on every driver.

use gateway_testkit::{Diary, Stage};
use gateway_wire::core::Instant;
use gateway_wire::{ClientEvent, Fate, Message, MessageId, SendError};

/// Writes a stage's diary.
#[derive(Debug, Default)]
pub(crate) struct Diarist {
    /// The message of each line that says what became of one.
    sent: Vec<Option<MessageId>>,
}

impl Diarist {
    /// A text was handed to the client.
    pub(crate) fn sent(&mut self, stage: &mut Stage, sent: Result<MessageId, SendError>) {
        let line = match &sent {
            Ok(_) => "no outcome yet".to_owned(),
            Err(refused) => format!("rejected: {}", refused.rejection().name()),
        };
        self.sent.push(sent.ok());
        stage.diary().sends.push(line);
    }

    /// The client has yielded an event.
    pub(crate) fn note(&self, stage: &mut Stage, now: Instant, event: ClientEvent) {
        let diary = stage.diary();
        match event {
            ClientEvent::Message(Message::Text(text)) => diary.text(now, &text),
            ClientEvent::Message(Message::Binary(bytes)) => diary.binary(now, &bytes),
            ClientEvent::Notice(notice) => diary.notice(now, &notice),
            ClientEvent::Disconnected { socket, cause, .. } => {
                diary.disconnected(now, socket, cause);
            }
            ClientEvent::Outcome(outcome) => {
                let line = match outcome.fate {
                    Fate::Sent { socket } => format!("sent on {socket}"),
                    Fate::MaybeSent { socket } => format!("maybe sent on {socket}"),
                    other => format!("{other:?}"),
                };
                self.settle(diary, |id| outcome.first <= id && id <= outcome.last, &line);
            }
            other => panic!("an event that the suite does not know: {other:?}"),
        }
    }

    fn settle(&self, diary: &mut Diary, is_among: impl Fn(MessageId) -> bool, line: &str) {
        for (index, id) in self.sent.iter().enumerate() {
            if id.is_some_and(&is_among) {
                line.clone_into(&mut diary.sends[index]);
            }
        }
    }
}
