//! Counts the outcomes of messages: every accepted message must have exactly one.

use std::collections::BTreeMap;

use gateway_tokio::{ClientEvent, Fate};

/// The fate of each message, by its number.
#[derive(Debug, Default)]
pub struct Tally {
    fates: BTreeMap<u64, Fate>,
}

impl Tally {
    /// Takes the outcomes among these events.
    ///
    /// # Panics
    /// A message has two.
    pub fn add(&mut self, events: &[ClientEvent]) {
        for event in events {
            let ClientEvent::Outcome(outcome) = event else { continue };
            assert_eq!(outcome.count(), outcome.last.number() - outcome.first.number() + 1);
            for number in outcome.first.number()..=outcome.last.number() {
                let before = self.fates.insert(number, outcome.fate);
                assert_eq!(before, None, "message {number} has a second outcome");
            }
        }
    }

    /// The numbers of the messages that have an outcome.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.fates.keys().copied()
    }

    /// How many were sent, maybe sent, and rejected.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let count =
            |wanted: fn(&Fate) -> bool| self.fates.values().filter(|fate| wanted(fate)).count();
        [
            count(|fate| matches!(fate, Fate::Sent { .. })),
            count(|fate| matches!(fate, Fate::MaybeSent { .. })),
            count(|fate| matches!(fate, Fate::Rejected)),
        ]
    }

    /// The fate of a message.
    #[must_use]
    pub fn fate(&self, number: u64) -> Option<Fate> {
        self.fates.get(&number).copied()
    }
}
