//! A conversation with a speaker, for the tests of the dialects: no IO, and time is a number.

use std::time::Duration;

use gateway_wire::Message;

use super::{
    ServedDialect, Speaker, Subprotocol, Upgraded,
    exchange::{Close, Exchange, Pong, Reply},
};
use crate::{
    logins::{LoginRules, Logins},
    options::Options,
};

/// When the connections of tests are upgraded.
const UPGRADED: Duration = Duration::from_secs(100);

pub(super) struct Talk {
    dialect: ServedDialect,
    options: Options,
    logins: Logins,
    upgraded: Upgraded,
    speaker: Box<dyn Speaker>,
    now: Duration,
}

impl Talk {
    /// A conversation that needs no token.
    pub(super) fn with(dialect: ServedDialect) -> Self {
        Self::new(dialect, Options::default())
    }

    /// A conversation that needs this token.
    pub(super) fn guarded(dialect: ServedDialect, token: &str) -> Self {
        let tokens = vec![token.parse().expect("not empty")];
        let logins = LoginRules { tokens, ..LoginRules::default() };
        Self::new(dialect, Options { logins, ..Options::default() })
    }

    fn new(dialect: ServedDialect, options: Options) -> Self {
        let upgraded = Upgraded { number: 7, at: UPGRADED, subprotocol: Subprotocol::Acceptable };
        let speaker = dialect.speaker(upgraded, &options);
        let logins = Logins::new(options.logins.clone());
        Self { dialect, options, logins, upgraded, speaker, now: UPGRADED }
    }

    /// Begins again, with this subprotocol.
    pub(super) fn subprotocol(&mut self, subprotocol: Subprotocol) {
        self.upgraded.subprotocol = subprotocol;
        self.speaker = self.dialect.speaker(self.upgraded, &self.options);
    }

    pub(super) fn open(&mut self) -> Vec<String> {
        self.call(|speaker, exchange| speaker.opened(exchange))
    }

    pub(super) fn say(&mut self, text: &str) -> Vec<String> {
        self.call(|speaker, exchange| speaker.received(Message::text(text), exchange))
    }

    pub(super) fn say_bytes(&mut self, bytes: &[u8]) -> Vec<String> {
        let message = Message::binary(bytes.to_vec());
        self.call(|speaker, exchange| speaker.received(message, exchange))
    }

    /// Lets time pass, and fires what is due, at the time when it is due.
    pub(super) fn wait(&mut self, span: Duration) -> Vec<String> {
        let end = self.now + span;
        let mut all = Vec::new();
        while let Some(due_at) = self.speaker.due_at().filter(|due_at| *due_at <= end) {
            self.now = self.now.max(due_at);
            all.extend(self.call(|speaker, exchange| speaker.due(exchange)));
            assert!(self.speaker.due_at().is_none_or(|next| next > due_at), "it does not go on");
        }
        self.now = end;
        all
    }

    fn call(&mut self, call: impl FnOnce(&mut dyn Speaker, &mut Exchange<'_>)) -> Vec<String> {
        let mut exchange = Exchange::new(self.now, &self.logins);
        call(&mut *self.speaker, &mut exchange);
        exchange.into_replies().into_iter().map(words).collect()
    }
}

fn words(reply: Reply) -> String {
    match reply {
        Reply::Text(text) => text,
        Reply::Echo(Message::Text(text)) => format!("echo: {text}"),
        Reply::Echo(Message::Binary(bytes)) => format!("echo: {bytes:?}"),
        Reply::Pong(Pong { right, .. }) => format!("pong: {right}"),
        Reply::Close(Close::With { code, reason }) => format!("close {}: {reason}", code.number()),
        Reply::Close(Close::WithoutCode) => "close".to_owned(),
    }
}
