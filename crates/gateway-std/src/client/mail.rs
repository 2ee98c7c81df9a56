//! Other threads' requests and messages, and what the client shows to those threads.

use std::task::Poll;

use gateway_core::{CloseFrame, SendRejection};
use gateway_wire::SendError;

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
                    self.open_messages(); // they were sent before, or at the same time
                    if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
                        self.start_drain(frame, within);
                    }
                }
                Control::Connect | Control::Reconnect | Control::Restart if self.is_leaving => {}
                Control::Connect => self.connect(),
                Control::Reconnect => self.reconnect(),
                Control::Restart => self.restart(),
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
        any | self.open_messages()
    }

    /// Sends the messages of other threads, as far as there is space. Returns whether there was any.
    fn open_messages(&mut self) -> bool {
        let any = self.release() | (self.open_letters(usize::MAX) > 0);
        // Behind the messages that find space. What they release is for those that did not.
        if !self.open_reserved() {
            return any;
        }
        self.open_letters(usize::MAX);
        true
    }

    /// Ends the requests of threads that wait no longer: their time was over while no one drove the
    /// client. An answer that comes now is an ordinary message. Call this before each look at the
    /// socket.
    pub(super) fn forget_requests(&mut self) {
        let session = self.engine.session_mut();
        self.asked.retain(|asked| {
            let is_awaited = asked.is_awaited.strong_count() > 0;
            if !is_awaited {
                session.forget_request(asked.request);
            }
            is_awaited
        });
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
        let Question { message, time, repeat, answer, is_awaited } = question;
        if is_awaited.strong_count() == 0 {
            return; // its time was over before the client was driven
        }
        match self.engine.request(&message, time.left(), repeat) {
            Ok(request) => self.asked.push(Asked { request, answer, is_awaited }),
            Err(why) => drop(answer.send(Err(why.into()))),
        }
    }

    fn release(&mut self) -> bool {
        let released = self.mailbox.take_released();
        if !released.is_empty() {
            self.engine.release(released);
        }
        !released.is_empty()
    }

    /// Sends the messages for which space is reserved.
    fn open_reserved(&mut self) -> bool {
        let mut any = false;
        while let Some((letter, space)) = self.mailbox.next_reserved() {
            any = true;
            match letter {
                // The channel has space for the one answer, and the sender may be gone.
                Letter::Message(message, answer) => {
                    let sent = self.engine.accept_reserved(&message, space);
                    let name = self.engine.session().name();
                    let _ = answer.send(
                        sent.map_err(|why| SendError::new(why, message).named(name.cloned())),
                    );
                }
                letter @ Letter::Space(..) => {
                    self.answer(letter);
                    self.engine.release(space);
                }
            }
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
            Letter::Space(..) if self.engine.session().is_closed() => {
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
        Wait { messages, reservations: messages || self.reservations_wait() }
    }

    /// Whether a reservation has to wait, for a permit or for a token, also if messages do not: there
    /// may be no connection.
    fn reservations_wait(&self) -> bool {
        let session = self.engine.session();
        !session.may_reserve() && !session.is_closed()
    }

    /// What senders may ask for.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            status: self.engine.status(),
            subprotocol: self.engine.subprotocol().map(str::to_owned),
            response_headers: self.engine.response_headers().clone(),
        }
    }

    /// Sends at most `most` letters of other threads, as far as there is space. Returns how many.
    /// Letters that come meanwhile wait for the next call: threads whose messages are refused at once
    /// must not keep this one busy.
    pub(super) fn open_letters(&mut self, most: usize) -> usize {
        let (mut count, mut has_stalled) = (0, false);
        for _ in 0..self.mailbox.waiting_letters().min(most) {
            let space = self.engine.session().poll_space();
            if space.is_pending() {
                self.engine.wait_for_space();
                return count;
            }
            let only_messages = space == Poll::Ready(Ok(())) && self.reservations_wait();
            let Some(letter) = self.mailbox.next_letter(only_messages) else { break };
            count += 1;
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
        count
    }
}
