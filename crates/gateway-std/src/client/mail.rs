//! Other threads' requests and messages, and what the client shows to those threads.

use std::task::Poll;

use gateway_core::CloseFrame;

use super::Client;
use crate::mailbox::{Control, Facts, Standing};
use crate::system::System;

impl<S: System> Client<S> {
    /// Shows senders where the client stands.
    pub(super) fn publish(&mut self) {
        let standing = Standing::of(self.engine.session());
        if standing != self.standing {
            self.standing = standing;
            self.mailbox.publish(standing);
        }
    }

    /// Processes other threads' requests and messages. Returns whether there were any.
    #[inline]
    pub(super) fn open_mail(&mut self) -> bool {
        self.mailbox.has_mail() && self.open_all_mail()
    }

    fn open_all_mail(&mut self) -> bool {
        let mut any = false;
        while let Some(control) = self.mailbox.next_control() {
            any = true;
            match control {
                Control::Close(code, reason) => {
                    if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
                        self.close(frame);
                    }
                }
                Control::Connect => self.connect(),
                Control::Reconnect => self.reconnect(),
                Control::Network(network) => self.network_changed(network),
                Control::LoginAccepted => self.login_accepted(),
                Control::LoginRejected(verdict) => self.login_rejected(verdict),
                Control::Facts(answer) => {
                    let _ = answer.send(self.facts()); // the sender may be gone
                }
            }
        }
        any | self.open_letters()
    }

    /// What senders may ask for.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            statistics: self.engine.statistics(),
            gave_up: self.engine.session().gave_up(),
            subprotocol: self.engine.subprotocol().map(str::to_owned),
            response_headers: self.engine.response_headers().clone(),
        }
    }

    /// Sends the messages of other threads, as far as there is space. Messages that come meanwhile
    /// wait for the next call: threads whose messages are refused at once must not keep this one
    /// busy.
    fn open_letters(&mut self) -> bool {
        let (mut any, mut has_stalled) = (false, false);
        for _ in 0..self.mailbox.waiting_letters() {
            let space = self.engine.session().poll_space();
            if space.is_pending() {
                self.engine.wait_for_space();
                return any;
            }
            let Some(letter) = self.mailbox.next_letter() else { break };
            any = true;
            match space {
                Poll::Ready(Err(stalled)) => {
                    letter.refuse(stalled, self.engine.session().name().cloned());
                    has_stalled = true;
                }
                Poll::Ready(Ok(())) | Poll::Pending => {
                    letter.answer(|message| self.engine.send(message));
                }
            }
        }
        if has_stalled {
            self.engine.end_wait(); // a later message has its own wait
        }
        any
    }
}
