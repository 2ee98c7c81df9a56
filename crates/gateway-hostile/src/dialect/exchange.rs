//! What a dialect may do when it is called: look at the time, judge a login, answer, close.

use std::time::Duration;

use gateway_core::CloseCode;
use gateway_wire::Message;

use crate::logins::{Logins, Refused};

/// One call of a [`Speaker`](super::Speaker): what it may know, and what it answers.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    now: Duration,
    logins: &'a Logins,
    replies: Vec<Reply>,
}

/// What a speaker does, in the order in which it says so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Sends a text: a greeting, a ping, the answer to a login.
    Text(String),
    /// Answers an ordinary message. Scripts count these.
    Echo(Message),
    /// Answers a ping. A script may drop, delay or falsify the answer.
    Pong(Pong),
    /// Closes the connection. What follows is ignored.
    Close(Close),
}

/// The answer to a ping.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pong {
    pub(crate) right: String,
    /// An answer to another ping. `None` if the dialect cannot tell one pong from another.
    pub(crate) wrong: Option<String>,
}

/// How a speaker closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    With { code: CloseCode, reason: &'static str },
    WithoutCode,
}

impl<'a> Exchange<'a> {
    /// `now` counts from the server's start.
    pub(crate) const fn new(now: Duration, logins: &'a Logins) -> Self {
        Self { now, logins, replies: Vec::new() }
    }

    pub(crate) const fn now(&self) -> Duration {
        self.now
    }

    /// Judges a login with this token, or with none. An accepted one counts as used.
    pub(crate) fn login(&self, token: Option<&str>) -> Result<(), Refused> {
        self.logins.judge(token, self.now)
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.replies.push(Reply::Text(text.into()));
    }

    pub(crate) fn echo(&mut self, message: Message) {
        self.replies.push(Reply::Echo(message));
    }

    pub(crate) fn pong(&mut self, right: impl Into<String>, wrong: Option<String>) {
        self.replies.push(Reply::Pong(Pong { right: right.into(), wrong }));
    }

    pub(crate) fn close(&mut self, close: Close) {
        self.replies.push(Reply::Close(close));
    }

    pub(crate) fn into_replies(self) -> Vec<Reply> {
        self.replies
    }
}

impl Close {
    pub(crate) const fn with(code: CloseCode, reason: &'static str) -> Self {
        Self::With { code, reason }
    }
}
