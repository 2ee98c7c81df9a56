//! The application of a hostile run: it sends until every message has its outcome, asks once more,
//! and closes.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_wire::core::{
    AcceptanceRule, Config, ConfigBuilder, HeartbeatKind, Login, Notice, Secret,
};
use gateway_wire::{ClientEvent, Fate};

use super::server::{LOGIN, Story};

/// So many messages are to be sent.
const MESSAGES: usize = 6;

/// How long a retry waits: always the same, so that time can be held to account.
pub(crate) const DELAY: Duration = Duration::from_secs(1);

/// How long after it is ready a socket's first heartbeat leaves.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// It does not grow, so that each stall costs the same.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A message says this to be answered behind all others.
const LAST: &str = "the last";

/// The application's actions, and all its events. It is independent of the driver.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct App {
    /// Messages that are still to be sent, or to be sent again.
    todo: VecDeque<usize>,
    /// Every attempt to send one, in order.
    pub(crate) tries: Vec<Try>,
    /// How many were taken: the number of the last.
    taken: u64,
    /// The messages that came, in order.
    pub(crate) received: Vec<String>,
    /// Events that no client should report.
    pub(crate) complaints: Vec<String>,
    /// Outcomes that came for a message that had one.
    pub(crate) doubled: usize,
    is_flush_due: bool,
    /// A send was refused: events come before the next.
    is_refused: bool,
    is_asking: bool,
    /// The present socket has brought the answer behind all others. It closes only then: a ping that comes in CLOSING is not
    /// answered, and the verdict wants an answer to each.
    is_answered: bool,
    /// The present socket's first heartbeat was answered, or it sends none. It closes only then: the verdict counts one.
    is_beaten: bool,
    has_heartbeat: bool,
    is_closing: bool,
    /// One more message is to be sent while it closes: it must come back.
    is_late_due: bool,
    /// The client has said that nothing more comes.
    is_over: bool,
}

/// An attempt to send a message.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) text: String,
    /// `None` where it is the one that is answered behind all others.
    message: Option<usize>,
    /// The number, where it was taken.
    pub(crate) number: Option<u64>,
    pub(crate) fate: Option<Fate>,
    /// Unknown whether it was accepted: it waits, or its future was dropped.
    pub(crate) is_unknown: bool,
}

/// What the application does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a driver's harness does all of them")]
pub enum Step {
    /// Sends, and sees it written.
    Send(String),
    /// Sends, and leaves it to be written later.
    Feed(String),
    /// Sees everything written.
    Flush,
    /// Starts to close.
    Close,
    /// Takes the next event.
    Wait,
}

impl App {
    /// One that has done nothing.
    #[must_use]
    pub fn new(story: Story) -> Self {
        let has_heartbeat = kind(story) != HeartbeatKind::Off;
        let todo = (0..MESSAGES).collect();
        Self { todo, has_heartbeat, ..Self::default() }
    }

    /// The settings of its client.
    pub fn settings(story: Story) -> ConfigBuilder {
        Config::builder()
            .heartbeat(kind(story))
            .heartbeat_interval(INTERVAL)
            .connect_timeout(CONNECT_TIMEOUT)
            .answer_pings(true)
            .initial_delay(DELAY)
            .max_delay(DELAY)
            .connect_timeout_max(CONNECT_TIMEOUT)
            .login(Login::Message {
                send: Secret::new(LOGIN),
                accepted: AcceptanceRule::parse("/type=welcome").expect("a rule"),
                refused: Vec::new(),
                timeout: Login::TIMEOUT,
            })
    }

    /// The client has said that nothing more comes.
    pub fn end(&mut self) {
        if !self.is_closing {
            self.complaints.push("it was over before it was closed".to_owned());
        }
        self.is_over = true;
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// What comes next. After a send it wants to know [what became of it](Self::sent).
    pub fn step(&mut self, is_ready: bool) -> Step {
        if std::mem::take(&mut self.is_late_due) {
            let text = format!("try {}: too late", self.tries.len());
            self.attempt(text.clone(), None);
            return Step::Send(text);
        }
        if self.is_closing || !is_ready || self.is_refused {
            return Step::Wait;
        }
        if std::mem::take(&mut self.is_flush_due) {
            return Step::Flush;
        }
        if let Some(message) = self.todo.pop_front() {
            let text = format!("try {}: message {message}", self.tries.len());
            let feeds = !self.tries.len().is_multiple_of(3);
            self.is_flush_due = self.tries.len() % 3 == 2; // two at a time
            self.attempt(text.clone(), Some(message));
            return if feeds { Step::Feed(text) } else { Step::Send(text) };
        }
        if self.is_answered && (self.is_beaten || !self.has_heartbeat) {
            (self.is_closing, self.is_late_due) = (true, true);
            return Step::Close;
        }
        let is_settled = |one: &Try| one.number.is_none() || one.fate.is_some();
        if !self.is_asking && self.tries.iter().all(is_settled) {
            self.is_asking = true;
            let text = format!("try {}: {LAST}", self.tries.len());
            self.attempt(text.clone(), None);
            return Step::Send(text);
        }
        // What was fed is written while the client is polled.
        Step::Wait
    }

    fn attempt(&mut self, text: String, message: Option<usize>) {
        let (number, fate, is_unknown) = (None, None, true); // until it is told
        self.tries.push(Try { text, message, number, fate, is_unknown });
    }

    /// The send of the last step was taken, and has this number where the client says it.
    pub fn sent(&mut self, number: Option<u64>) {
        self.is_told();
        if self.is_closing {
            self.complaints.push("a message was taken after the close".to_owned());
        }
        self.taken += 1;
        if let Some(number) = number.filter(|_| self.tries.iter().any(|one| one.is_unknown)) {
            self.taken = self.taken.max(number); // unknown ones have numbers, too
        }
        if number.is_some_and(|number| number != self.taken) {
            self.complaints.push(format!("number {number:?} for the message {}", self.taken));
        }
        if let Some(last) = self.tries.last_mut() {
            last.number = Some(self.taken);
        }
    }

    /// The send of the last step was refused.
    pub fn refused(&mut self) {
        self.is_refused = true;
        self.again();
    }

    /// The send of the last step was dropped half-way, and was not taken.
    pub fn cut(&mut self) {
        self.again();
    }

    fn is_told(&mut self) {
        if let Some(last) = self.tries.last_mut() {
            last.is_unknown = false;
        }
    }

    fn again(&mut self) {
        self.is_told();
        match self.tries.last().map(|last| last.message) {
            Some(Some(message)) => self.todo.push_front(message),
            Some(None) | None => self.is_asking = false,
        }
    }

    /// The client has yielded this.
    pub fn note(&mut self, event: ClientEvent) {
        self.is_refused = false;
        match event {
            ClientEvent::Message(message) => match message.as_text() {
                Some(text) => {
                    self.is_answered |= text.ends_with(LAST);
                    self.received.push(text.to_owned());
                }
                None => self.complaints.push("a binary message".to_owned()),
            },
            ClientEvent::Disconnected { .. } => {
                (self.is_asking, self.is_answered) = (false, false);
                self.is_beaten = false;
            }
            ClientEvent::Notice(Notice::PongReceived { .. }) => self.is_beaten = true,
            ClientEvent::Outcome(outcome) => {
                for number in outcome.first.number()..=outcome.last.number() {
                    self.settle(number, outcome.fate);
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, number: u64, fate: Fate) {
        let Some(one) = self.tries.iter_mut().find(|one| one.number == Some(number)) else {
            if !self.tries.iter().any(|one| one.is_unknown) {
                self.complaints
                    .push(format!("an outcome of message {number}, which was not taken"));
            }
            return;
        };
        if one.fate.is_some() {
            self.doubled += 1;
            self.complaints.push(format!("{:?} and {fate:?} of {}", one.fate, one.text));
        }
        one.fate = Some(fate);
        if let (Fate::Rejected, Some(message)) = (fate, one.message)
            && !self.is_closing
        {
            let at = self.todo.partition_point(|other| *other < message);
            self.todo.insert(at, message);
        }
    }
}

const fn kind(story: Story) -> HeartbeatKind {
    match story {
        Story::Chat | Story::Restart => HeartbeatKind::Json,
        Story::Quiet => HeartbeatKind::Off,
    }
}
