//! Other threads' requests and messages, and what the client shows to those threads.

use std::task::Poll;

use gateway_core::{CloseFrame, ConnectionState, SendRejection};

use super::{Asked, Client};
use crate::mailbox::{Control, Facts, Letter, Question, Setting, Standing, Wait};
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

    /// Shows it again after requests were taken: a request to connect hides the end.
    fn publish_again(&mut self) {
        self.standing = Standing::of(self.engine.session());
        self.mailbox.publish(self.standing);
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
                Control::Drain(code, reason, within) => {
                    if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
                        self.start_drain(frame, within);
                    }
                }
                Control::Connect => self.connect(),
                Control::Reconnect => self.reconnect(),
                Control::Network(network) => self.network_changed(network),
                Control::LoginAccepted => self.login_accepted(),
                Control::LoginRejected(verdict) => self.login_rejected(verdict),
                Control::OnReady(Setting { key, message }, answer) => {
                    let done = match message {
                        Some(message) => self.set_on_ready(&key, message).map(|()| true),
                        None => Ok(self.remove_on_ready(&key)),
                    };
                    let _ = answer.send(done); // the sender may be gone
                }
                Control::Request(question) => self.take_question(*question),
                Control::Facts(answer) => {
                    let _ = answer.send(self.facts()); // the sender may be gone
                }
            }
        }
        if any {
            self.publish_again();
        }
        any |= self.release();
        any |= self.open_letters();
        // Behind the messages that find space. What they release is for those that did not.
        match self.open_reserved() {
            true => self.open_letters() | true,
            false => any,
        }
    }

    /// Sends the answers to the threads that wait for them.
    pub(super) fn answer_requests(&mut self) {
        if self.asked.is_empty() || !self.engine.session().has_ended_requests() {
            return;
        }
        let session = self.engine.session_mut();
        self.asked.retain(|asked| match session.take_answer(asked.request) {
            Some(answer) => {
                let _ = asked.answer.send(answer); // the sender may be gone
                false
            }
            None => true,
        });
    }

    /// Makes another thread's request.
    fn take_question(&mut self, question: Question) {
        let Question { message, timeout, repeat, answer, is_awaited } = question;
        if is_awaited.strong_count() == 0 {
            return; // its time was over before the client was driven
        }
        match self.engine.request(&message, timeout, repeat) {
            Ok(request) => self.asked.push(Asked { request, answer }),
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    fn release(&mut self) -> bool {
        let released = self.mailbox.take_released();
        if released > 0 {
            self.engine.tell_time(); // what waited for the space may leave
            self.engine.session_mut().release(released);
        }
        released > 0
    }

    /// Sends the messages for which space is reserved.
    fn open_reserved(&mut self) -> bool {
        let mut any = false;
        while let Some((letter, space)) = self.mailbox.next_reserved() {
            any = true;
            self.answer(letter);
            self.engine.session_mut().release(space);
        }
        any
    }

    /// Sends a message, or reserves space. There is space, or no connection.
    fn answer(&mut self, letter: Letter) {
        match letter {
            // The channel has space for the one answer, and the sender may be gone.
            Letter::Message(message, answer) => {
                let _ = answer.send(self.engine.send(message));
            }
            Letter::Space(..) if is_closed(self.state()) => {
                letter.refuse(SendRejection::Closed, None);
            }
            Letter::Space(space, answer) => {
                self.engine.session_mut().reserve(space);
                let _ = answer.send(Ok(()));
            }
        }
    }

    /// Which letters wait for space, and need not be looked at before there is some.
    pub(super) fn letters_wait(&self) -> Wait {
        let session = self.engine.session();
        // While only permits fill the buffer, there is no deadline.
        let is_awaited = session.is_waiting() || session.pending().is_empty();
        let messages = session.poll_space().is_pending() && is_awaited;
        Wait { messages, reservations: messages || self.only_permits_make_space() }
    }

    /// There is no connection, and still no space: a reservation has to wait for a permit.
    fn only_permits_make_space(&self) -> bool {
        let session = self.engine.session();
        session.is_full() && !session.takes_messages() && !is_closed(session.state())
    }

    /// What senders may ask for.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            status: self.engine.status(),
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
            let only_messages = self.only_permits_make_space();
            let Some(letter) = self.mailbox.next_letter(only_messages) else { break };
            any = true;
            match space {
                Poll::Ready(Err(stalled)) => {
                    letter.refuse(stalled, self.engine.session().name().cloned());
                    has_stalled = true;
                }
                Poll::Ready(Ok(())) | Poll::Pending => self.answer(letter),
            }
        }
        if has_stalled {
            self.engine.end_wait(); // a later message has its own wait
        }
        any
    }
}

/// Whether nothing is sent before the next connect.
const fn is_closed(state: ConnectionState) -> bool {
    matches!(state, ConnectionState::Closing | ConnectionState::Closed)
}
