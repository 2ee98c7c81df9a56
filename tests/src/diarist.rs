//! Records a client's events for the suite, on every driver.

use std::ops::RangeInclusive;

use gateway_testkit::{Diary, Stage};
use gateway_wire::core::{Instant, Notice};
use gateway_wire::{ClientEvent, Fate, Message, SendError};

/// Writes a stage's diary.
#[derive(Debug, Default)]
pub(crate) struct Diarist {
    /// The number of the message of each line that says what became of one.
    sent: Vec<Option<u64>>,
    taken: u64,
}

impl Diarist {
    /// A text was handed to the client. Those that are taken are numbered from 1, whether the client says so or not.
    pub(crate) fn sent(&mut self, stage: &mut Stage, sent: Result<(), SendError>) {
        let line = match sent {
            Ok(()) => {
                self.taken += 1;
                self.sent.push(Some(self.taken));
                "no outcome yet".to_owned()
            }
            Err(refused) => {
                self.sent.push(None);
                format!("rejected: {}", refused.rejection().name())
            }
        };
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
            ClientEvent::LoginRefused { socket, verdict, .. } => {
                diary.notice(now, &Notice::LoginRefused { socket, verdict });
            }
            ClientEvent::Outcome(outcome) => {
                let line = match outcome.fate {
                    Fate::Sent { socket } => format!("sent on {socket}"),
                    Fate::MaybeSent { socket } => format!("maybe sent on {socket}"),
                    Fate::Rejected => "rejected: not written".to_owned(),
                    other => panic!("a fate that the suite does not know: {other:?}"),
                };
                let numbers = outcome.first.number()..=outcome.last.number();
                self.settle(diary, &numbers, &line);
            }
            other => panic!("an event that the suite does not know: {other:?}"),
        }
    }

    fn settle(&self, diary: &mut Diary, numbers: &RangeInclusive<u64>, line: &str) {
        for (index, number) in self.sent.iter().enumerate() {
            if number.is_some_and(|number| numbers.contains(&number)) {
                line.clone_into(&mut diary.sends[index]);
            }
        }
    }
}
