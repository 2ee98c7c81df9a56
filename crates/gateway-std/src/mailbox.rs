//! The mailbox of a client: the requests and messages of other threads, and what those threads see of
//! the client.

mod control;
mod letter;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use gateway_core::SendRejection;
use gateway_wire::{
    End, EndKind, Endpoint, Message, Name, NoAnswer, OnReadyError, Repeat, RequestErrorKind,
    SendError, Session, Space,
};

pub(crate) use self::control::{Control, Facts, Question, Setting, Standing};
pub(crate) use self::letter::{Answer, Letter, Wait};
use crate::clock::Countdown;
use crate::inside::is_inside;
use crate::permit::{ReserveError, ReserveErrorKind};

/// The most messages that may wait in the mailbox.
const LETTERS: usize = 256;

/// The most bytes of messages that may wait in the mailbox. A single longer message may also wait.
const LETTER_BYTES: usize = 1 << 20;

/// How much longer than its timeout a request waits for the client, which ends it in time if it is
/// driven. So two clocks do not race.
const GRACE: Duration = Duration::from_millis(100);

/// The most other requests that may wait.
const CONTROLS: usize = 16;

/// The requests and messages of other threads.
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    /// Notified when there is space again, or when there never will be.
    room: Condvar,
    /// Notified when the standing has changed.
    changed: Condvar,
    pub(crate) endpoint: Endpoint,
    pub(crate) name: Option<Name>,
    /// Whether anything waits. Read without the lock, before each look at the socket.
    any: AtomicBool,
    /// Whether the client waits, and must be woken.
    asleep: AtomicBool,
    waker: Waker,
}

pub(crate) struct Mail {
    letters: VecDeque<Letter>,
    /// Messages for which so much space is reserved.
    reserved: VecDeque<(Letter, Space)>,
    /// Space that was reserved and is not needed any more.
    released: Space,
    /// The bytes of all messages in `letters`.
    bytes: usize,
    controls: VecDeque<Control>,
    /// No one takes messages any more: the connection is over and its events are taken, or the
    /// client was dropped.
    retired: bool,
    /// While retired: the last ones.
    facts: Option<Facts>,
    pub(crate) standing: Standing,
    /// How often the standing has changed.
    pub(crate) changes: u64,
}

impl Mail {
    fn is_full_for(&self, letter: &Letter) -> bool {
        self.letters.len() >= LETTERS
            || (self.bytes > 0 && self.bytes + letter.len() > LETTER_BYTES)
    }

    /// Whether nothing waits but letters.
    fn has_only_letters(&self) -> bool {
        self.controls.is_empty() && self.reserved.is_empty() && self.released.is_empty()
    }

    fn change(&mut self, standing: Standing) {
        self.standing = standing;
        self.changes += 1;
    }

    /// Whether nothing is taken: the client is retired, and no one has asked it to connect.
    fn is_shut(&self) -> bool {
        self.retired && !self.will_connect()
    }

    /// Whether a request to connect waits. Until the client has processed it, no end is shown: it
    /// would be the end of the connection before.
    fn will_connect(&self) -> bool {
        self.controls.iter().any(Control::connects)
    }

    /// Makes space for a control. Hints and verdicts go first: without the last request to connect
    /// or to close, the client would do the opposite of what it was asked for.
    fn drop_oldest_control(&mut self) {
        let is_steering =
            |control: &Control| control.connects() || control.is_asked() || control.closes();
        let hint = self.controls.iter().position(|control| !is_steering(control));
        // A thread waits for an answer, so these stay. At most as many threads wait as there are places.
        let oldest = hint.or_else(|| self.controls.iter().position(|control| !control.is_asked()));
        if let Some(oldest) = oldest {
            self.controls.remove(oldest);
        }
    }
}

impl Mailbox {
    pub(crate) fn new(waker: Waker, endpoint: Endpoint, session: &Session) -> Self {
        let mail = Mail {
            letters: VecDeque::new(),
            reserved: VecDeque::new(),
            released: Space::default(),
            bytes: 0,
            controls: VecDeque::new(),
            retired: false,
            facts: None,
            standing: Standing::of(session),
            changes: 0,
        };
        Self {
            mail: Mutex::new(mail),
            room: Condvar::new(),
            changed: Condvar::new(),
            endpoint,
            name: session.name().cloned(),
            any: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            waker,
        }
    }

    /// Waits for space, and queues a message.
    pub(crate) fn post(&self, letter: Letter) -> Result<(), SendError> {
        let mut mail = self.lock();
        while mail.is_full_for(&letter) && !mail.is_shut() {
            if is_inside() {
                drop(mail);
                return Err(self.refusal(SendRejection::Reentrant, letter.into_message()));
            }
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        self.queue(mail, letter).map_err(|letter| self.closed(letter))
    }

    /// Waits for a place among the letters, and reserves so much of the write buffer.
    pub(crate) fn reserve(&self, space: Space) -> Result<(), ReserveError> {
        if is_inside() {
            return Err(ReserveError::new(ReserveErrorKind::Reentrant, self.name.clone()));
        }
        let (letter, reserved) = Letter::space(space);
        let reserved = match self.post(letter) {
            // If the client is dropped meanwhile, this ends, too.
            Ok(()) => reserved.recv().unwrap_or(Err(ReserveErrorKind::Gone)),
            Err(_) => Err(ReserveErrorKind::Closed),
        };
        reserved.map_err(|kind| {
            let kind = if self.is_gone() { ReserveErrorKind::Gone } else { kind };
            ReserveError::new(kind, self.name.clone())
        })
    }

    fn is_gone(&self) -> bool {
        self.lock().standing == Standing::GONE
    }

    /// Queues a message if there is space.
    pub(crate) fn try_post(&self, letter: Letter) -> Result<(), SendError> {
        let mail = self.lock();
        if mail.is_full_for(&letter) && !mail.is_shut() {
            drop(mail);
            return Err(self.refusal(SendRejection::WriteBlocked, letter.into_message()));
        }
        self.queue(mail, letter).map_err(|letter| self.closed(letter))
    }

    fn queue(&self, mut mail: MutexGuard<'_, Mail>, letter: Letter) -> Result<(), Letter> {
        if mail.is_shut() {
            return Err(letter);
        }
        mail.bytes += letter.len();
        mail.letters.push_back(letter);
        self.ring(mail);
        Ok(())
    }

    /// Queues a message for which so much space is reserved. The space is released in any case.
    pub(crate) fn post_reserved(&self, letter: Letter, space: Space) -> Result<(), SendError> {
        let mut mail = self.lock();
        let queued = match mail.is_shut() {
            true => {
                mail.released += space;
                Err(letter)
            }
            false => {
                mail.reserved.push_back((letter, space));
                Ok(())
            }
        };
        self.ring(mail);
        queued.map_err(|letter| self.closed(letter))
    }

    /// Reserved space is not needed.
    pub(crate) fn release(&self, space: Space) {
        let mut mail = self.lock();
        mail.released += space;
        self.ring(mail);
    }

    /// No one takes the letter.
    fn closed(&self, letter: Letter) -> SendError {
        let why = if self.is_gone() { SendRejection::Gone } else { SendRejection::Closed };
        self.refusal(why, letter.into_message())
    }

    pub(crate) fn refusal(&self, why: SendRejection, message: Message) -> SendError {
        SendError::new(why, message).named(self.name.clone())
    }

    /// Adds the client's name to how it ended.
    pub(crate) fn ended(&self, kind: EndKind) -> End {
        End::new(kind, self.name.clone())
    }

    /// Shows this to the senders.
    pub(crate) fn publish(&self, mut standing: Standing) {
        let mut mail = self.lock();
        if mail.will_connect() {
            standing.end = None;
        }
        if mail.standing != standing {
            mail.change(standing);
            self.changed.notify_all();
        }
    }

    /// Waits until `look` returns a value. It is called again after each change, with the standing
    /// and the number of changes. Returns `None` if it must not wait.
    pub(crate) fn wait_until<T>(&self, look: impl Fn(Standing, u64) -> Option<T>) -> Option<T> {
        let mut mail = self.lock();
        loop {
            if let Some(found) = look(mail.standing, mail.changes) {
                return Some(found);
            }
            if is_inside() {
                return None;
            }
            mail = self.changed.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Asks the client for its facts. While it is retired, returns the last ones.
    pub(crate) fn facts(&self) -> Result<Facts, End> {
        let (answer, facts) = sync_channel(1);
        let mut mail = self.lock();
        while mail.controls.len() >= CONTROLS && !mail.retired && !is_inside() {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        match (mail.standing, &mail.facts) {
            (Standing::GONE, _) => return Err(self.ended(EndKind::Gone)),
            (_, Some(last)) => return Ok(last.clone()),
            (_, None) if is_inside() => return Err(self.ended(EndKind::Reentrant)),
            (_, None) => mail.controls.push_back(Control::Facts(answer)),
        }
        self.ring(mail);
        facts.recv().map_err(|_| self.ended(EndKind::Gone))
    }

    /// Asks the client for its facts, and does not wait. `None` if it has too many requests, or is
    /// gone.
    pub(crate) fn ask_facts(&self) -> Option<Receiver<Facts>> {
        let (answer, facts) = sync_channel(1);
        let mut mail = self.lock();
        match &mail.facts {
            _ if mail.standing == Standing::GONE => return None,
            Some(last) => {
                let _ = answer.send(last.clone()); // the channel has space
                return Some(facts);
            }
            None if mail.controls.len() >= CONTROLS => return None,
            None => mail.controls.push_back(Control::Facts(answer)),
        }
        self.ring(mail);
        Some(facts)
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Sets or removes a message for every ready, and waits until the client has done so. Returns
    /// whether there was one.
    pub(crate) fn set_on_ready(&self, setting: Setting) -> Result<bool, OnReadyError> {
        let (answer, set) = sync_channel(1);
        let mut mail = self.lock();
        while mail.controls.len() >= CONTROLS && !mail.is_shut() && !is_inside() {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        match (mail.standing, mail.is_shut()) {
            (Standing::GONE, _) => return Err(OnReadyError::Gone),
            (_, true) => return Err(OnReadyError::Closed),
            (_, false) if is_inside() => return Err(OnReadyError::Reentrant),
            (_, false) => mail.controls.push_back(Control::OnReady(setting, answer)),
        }
        self.ring(mail);
        set.recv().unwrap_or(Err(OnReadyError::Gone))
    }

    /// Makes a request, and waits for its answer, at most until its time is over.
    pub(crate) fn request(
        &self,
        message: Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Message, NoAnswer> {
        let time = Countdown::start(timeout);
        let mut mail = self.lock();
        while mail.controls.len() >= CONTROLS && !mail.is_shut() && !is_inside() {
            if time.left().is_zero() {
                return Err(RequestErrorKind::TimedOut.into());
            }
            let waited = self.room.wait_timeout(mail, time.left());
            (mail, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        match (mail.standing, mail.is_shut()) {
            (Standing::GONE, _) => return Err(RequestErrorKind::Gone.into()),
            (_, true) => return Err(RequestErrorKind::Closed.into()),
            (_, false) if is_inside() => return Err(RequestErrorKind::Reentrant.into()),
            (_, false) => {}
        }
        let (answer, answered) = sync_channel(1);
        let awaited = Arc::new(());
        let (is_awaited, left) = (Arc::downgrade(&awaited), time.left());
        let question = Question { message, time, repeat, answer, is_awaited };
        mail.controls.push_back(Control::Request(Box::new(question)));
        self.ring(mail);
        // The client may not be asked for events meanwhile. Otherwise it ends the request itself.
        let answer = answered.recv_timeout(left.saturating_add(GRACE));
        answer.unwrap_or_else(|error| {
            let kind = match error {
                RecvTimeoutError::Timeout => RequestErrorKind::TimedOut,
                RecvTimeoutError::Disconnected => RequestErrorKind::Gone,
            };
            match self.withdraw(&awaited) {
                true => Err(kind.into()),
                false => Err(NoAnswer::of_maybe_sent(kind)),
            }
        })
    }

    /// Takes a request back, unless the client has taken it. Returns whether it did.
    fn withdraw(&self, awaited: &Arc<()>) -> bool {
        let mut mail = self.lock();
        let place = mail.controls.iter().position(|control| match control {
            Control::Request(question) => question.is_awaited.as_ptr() == Arc::as_ptr(awaited),
            _ => false,
        });
        let withdrawn = place.and_then(|place| mail.controls.remove(place));
        self.taken(&mail);
        drop(mail); // what is withdrawn is dropped outside of the lock
        withdrawn.is_some()
    }

    /// Waits for space, and queues a request. If no one takes requests for now, drops an old one:
    /// only the newest matter when the client is asked for an event again. The same holds within an
    /// observer, a dialect or a correlator, which must not wait.
    pub(crate) fn ask(&self, control: Control) {
        let mut mail = self.lock();
        while mail.controls.len() >= CONTROLS && !mail.retired && !is_inside() {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        self.push(mail, control);
    }

    /// The same, but never waits: drops an old request instead.
    pub(crate) fn ask_now(&self, control: Control) {
        self.push(self.lock(), control);
    }

    fn push(&self, mut mail: MutexGuard<'_, Mail>, control: Control) {
        if mail.standing == Standing::GONE {
            return;
        }
        if mail.controls.len() >= CONTROLS {
            mail.drop_oldest_control();
        }
        if control.connects() {
            mail.standing.end = None;
        }
        mail.controls.push_back(control);
        self.ring(mail);
    }

    fn ring(&self, mail: MutexGuard<'_, Mail>) {
        self.any.store(true, Ordering::SeqCst);
        drop(mail);
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake_by_ref();
        }
    }

    /// Whether requests or messages wait.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    pub(crate) fn next_control(&self) -> Option<Control> {
        if !self.has_mail() {
            return None;
        }
        let mut mail = self.lock();
        let control = mail.controls.pop_front();
        self.taken(&mail);
        control
    }

    /// Takes the space that was released.
    pub(crate) fn take_released(&self) -> Space {
        let mut mail = self.lock();
        let released = std::mem::take(&mut mail.released);
        self.taken(&mail);
        released
    }

    /// Takes the next message for which space is reserved.
    pub(crate) fn next_reserved(&self) -> Option<(Letter, Space)> {
        let mut mail = self.lock();
        let reserved = mail.reserved.pop_front();
        self.taken(&mail);
        reserved
    }

    /// Takes the next letter. If `only_messages`, those that want space keep their places.
    pub(crate) fn next_letter(&self, only_messages: bool) -> Option<Letter> {
        if !self.has_mail() {
            return None;
        }
        let mut mail = self.lock();
        let is_next = |letter: &Letter| !only_messages || matches!(letter, Letter::Message(..));
        let letter =
            mail.letters.iter().position(is_next).and_then(|index| mail.letters.remove(index));
        if let Some(letter) = &letter {
            mail.bytes -= letter.len();
        }
        self.taken(&mail);
        letter
    }

    fn taken(&self, mail: &Mail) {
        let any = !mail.letters.is_empty() || !mail.has_only_letters();
        self.any.store(any, Ordering::SeqCst);
        self.room.notify_all();
    }

    /// The number of messages that wait.
    pub(crate) fn waiting_letters(&self) -> usize {
        if !self.has_mail() {
            return 0;
        }
        self.lock().letters.len()
    }

    /// Called before the client waits. Returns whether it may: there must be nothing that it can
    /// do. A letter that waits for space in the write buffer is no reason to stay awake, because
    /// the socket, the deadline or a permit's end wakes the client.
    pub(crate) fn fall_asleep(&self, wait: Wait) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if !self.has_mail() {
            return true;
        }
        let mail = self.lock();
        if mail.has_only_letters() && mail.letters.iter().all(|letter| wait.holds(letter)) {
            return true;
        }
        self.wake_up();
        false
    }

    /// Called after the client has waited.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// No one takes messages any more: refuses those that wait, and all that come later. If a request
    /// to connect waits, what has come after it waits with it.
    pub(crate) fn retire(&self, facts: Facts) {
        let mut mail = self.lock();
        mail.retired = true;
        mail.facts = Some(facts.clone());
        let will_connect = mail.will_connect();
        let is_refused = |control: &Control| match control {
            Control::Facts(_) => true,
            control => control.is_asked() && !will_connect,
        };
        let (refused, kept): (VecDeque<_>, _) =
            std::mem::take(&mut mail.controls).into_iter().partition(is_refused);
        mail.controls = kept;
        if will_connect {
            self.taken(&mail);
            drop(mail);
        } else {
            self.refuse_all(mail, SendRejection::Closed);
        }
        // Outside of the lock: a payload may be the application's own buffer.
        refused.into_iter().for_each(|control| control.refuse(&facts));
    }

    /// The client is dropped.
    pub(crate) fn end(&self) {
        let mut mail = self.lock();
        mail.retired = true;
        mail.change(Standing::GONE);
        let controls = std::mem::take(&mut mail.controls);
        self.changed.notify_all();
        self.refuse_all(mail, SendRejection::Gone);
        // Outside of the lock. Their senders may wait for an answer.
        for control in controls {
            if let Control::Request(question) = control {
                let _ = question.answer.send(Err(RequestErrorKind::Gone.into())); // it was not sent
            }
        }
    }

    fn refuse_all(&self, mut mail: MutexGuard<'_, Mail>, why: SendRejection) {
        mail.bytes = 0;
        let mut letters = std::mem::take(&mut mail.letters);
        for (letter, space) in std::mem::take(&mut mail.reserved) {
            letters.push_back(letter);
            mail.released += space;
        }
        self.taken(&mail);
        drop(mail);
        let refuse = |letter: Letter| letter.refuse(why, self.name.clone());
        letters.into_iter().for_each(refuse);
    }

    /// Messages are taken again.
    pub(crate) fn reopen(&self) {
        let mut mail = self.lock();
        (mail.retired, mail.facts) = (false, None);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Mail> {
        // The data is consistent even if a thread panicked: nothing here panics between two
        // changes.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::CloseFrame;

    use super::*;
    use crate::Client;

    /// No other thread: whether `ready` and `closed` would wait is seen without a race.
    #[test]
    fn no_end_is_shown_from_a_request_to_connect_until_the_client_has_taken_it() {
        let mut client = Client::builder("ws://127.0.0.1:9").build().unwrap();
        let sender = client.sender();
        let mailbox = sender.mailbox();
        let end = || mailbox.lock().standing.end;

        for connect in [crate::Sender::connect, crate::Sender::reconnect] {
            client.close(CloseFrame::NORMAL);
            while client.recv().is_some() {}
            assert!(end().is_some());
            connect(&sender);
            assert_eq!(end(), None);
            assert!(client.recv().is_some());
            assert_eq!(end(), None);
        }

        drop(client);
        assert!(end().is_some());
        sender.connect();
        assert!(end().is_some());
    }

    #[test]
    fn what_was_enqueued_before_a_drain_is_accepted() {
        let mut client = offline(crate::Outbox::default());
        let sender = client.sender();
        let receipt = sender.enqueue("one").unwrap();
        let code = CloseFrame::NORMAL.code();
        sender.mailbox().ask(Control::Drain(code, String::new(), Duration::from_millis(1)));

        while client.recv().is_some() {}

        assert!(receipt.wait().unwrap().is_queued());
    }

    #[test]
    fn after_a_request_to_connect_messages_and_requests_are_taken_again() {
        let mut client = offline(crate::Outbox::default());
        let sender = client.sender();
        client.close(CloseFrame::NORMAL);
        while client.recv().is_some() {}
        let refused = sender.request_idempotent("{}", Duration::from_secs(60)).unwrap_err();
        assert_eq!(refused.kind(), &RequestErrorKind::Closed);
        assert!(sender.enqueue("one").is_err());

        sender.connect();
        let receipt = sender.enqueue("two").unwrap();
        let asking = sender.clone();
        let caller = std::thread::spawn(move || {
            asking.request_idempotent("{}", Duration::from_secs(60)).unwrap_err().kind().clone()
        });
        while sender.mailbox().lock().controls.len() < 2 && !caller.is_finished() {
            std::thread::yield_now();
        }
        while client.status().unanswered_requests == 0 && !caller.is_finished() {
            assert!(client.recv().is_some());
        }

        assert!(receipt.wait().unwrap().is_queued());
        drop(client);
        assert_eq!(caller.join().unwrap(), RequestErrorKind::Gone);
    }

    /// A client that finds no server.
    fn offline(outbox: crate::Outbox) -> Client {
        let correlator = crate::JsonCorrelator::new("/id").unwrap();
        Client::builder("ws://127.0.0.1:9").outbox(outbox).requests(correlator).build().unwrap()
    }
}
