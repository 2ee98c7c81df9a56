//! How a server ends or refuses a connection: the raw payload of a Close frame, and raw HTTP
//! responses.
//!
//! Catches: a panic on any bytes; a code or status with another verdict than that of
//! [`Policy::judge`]; an invalid Close that counts as valid; a protocol error that is not answered
//! with its code, or is not retried; two Close frames; a Retry-After that is ignored, or honoured
//! past its cap; a response that opens without the upgrade, the Connection field or the right key,
//! or means something else in other pieces.

mod said;

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    CloseCode, Config, ConnectionState, DisconnectCause, Failure, GiveUpCause, Instant, NoDialect,
    Notice, OpenError, RetryAfter, SocketId, UnixMillis, Verdict,
};
use gateway_testkit::{Frame, history::Settings};
use gateway_wire::{ClientEvent, Endpoint, Handshake, OpenFailure, Opened, Order, Session};
use serde::{Deserialize, Serialize};

use self::said::{Answer, Close, Field, Head, key_of};
pub(crate) use self::said::{CODES, KnownCode};
use crate::{Sights, watch::Watch};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Input {
    settings: Settings,
    seed: u64,
    /// How large the pieces are in which bytes arrive.
    piece: u8,
    ends: Vec<End>,
}

#[derive(Serialize, Deserialize)]
enum End {
    Close(Close),
    Answer(Answer),
}

/// More ends than this are left out.
const MOST_ENDS: usize = 6;

/// What the wall clock shows, always.
const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

impl crate::Input for Input {
    fn run(self) -> Sights {
        let mut sights = Sights::new();
        let config = Arc::new(self.settings.config());
        let session = Session::new(Arc::clone(&config), self.seed, Box::new(NoDialect))
            .with_observer(Box::<Watch>::default());
        let piece = usize::from(self.piece).max(1);
        let mut story = Story { session, config, now: Instant::ZERO, piece, sights: &mut sights };
        for end in self.ends.into_iter().take(MOST_ENDS) {
            story.tell(end);
        }
        sights
    }
}

struct Story<'a> {
    session: Session,
    config: Arc<Config>,
    now: Instant,
    piece: usize,
    sights: &'a mut Sights,
}

impl Story<'_> {
    /// An attempt, and its end.
    fn tell(&mut self, end: End) {
        let id = self.dial();
        match end {
            End::Close(mut close) => {
                close.cut();
                self.session.opened(self.now, id);
                self.close(id, &close.payload());
            }
            End::Answer(mut answer) => {
                answer.cut();
                self.answer(id, &answer);
            }
        }
        while self.session.next_event().is_some() {}
    }

    /// Goes on to the next attempt.
    fn dial(&mut self) -> SocketId {
        if self.session.state() == ConnectionState::Disconnected
            && self.session.deadline().is_some()
        {
            self.now = self.session.deadline().map_or(self.now, |due| self.now.max(due));
            self.session.tick(self.now);
        } else {
            self.session.wall_clock(self.now, WALL);
            self.session.connect(self.now);
        }
        loop {
            match self.session.next_order() {
                Some(Order::Ask { id, .. }) => self.session.provider_answered(self.now, id),
                Some(Order::Open { id, .. }) => return id,
                Some(Order::Drop { id, .. } | Order::Abort { id }) => self.session.dropped(id),
                None => panic!("nothing is opened in {:?}", self.session.state()),
            }
        }
    }

    fn close(&mut self, id: SocketId, payload: &[u8]) {
        let bytes = Frame::new(0x88, payload).bytes();
        for piece in bytes.chunks(self.piece) {
            // A driver reads nothing from a socket that it was ordered to drop.
            if self.session.socket() == Some(id) {
                self.session.received(self.now, id, piece);
            }
        }
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        let reason = std::str::from_utf8(payload.get(2..).unwrap_or_default());
        let cause = self.cause();
        match (payload.len(), code.map(CloseCode::new), reason) {
            (0, ..) => {
                self.sights.insert("no code");
                assert_eq!(cause, DisconnectCause::CloseReceived(None));
                self.judged(1005, cause, None);
            }
            (2..=125, Some(Ok(code)), Ok(_)) => {
                self.sights.insert("a code");
                assert_eq!(cause, DisconnectCause::CloseReceived(Some(code)));
                self.judged(code.number(), cause, None);
            }
            (2..=125, Some(Ok(_)), Err(_)) => {
                self.sights.insert("a reason that is no text");
                let DisconnectCause::ProtocolError(failure) = cause else { panic!("{cause:?}") };
                assert!(matches!(failure, Failure::InvalidUtf8 | Failure::Protocol), "{failure:?}");
                self.retried(cause);
            }
            (_, Some(Err(_)) | None, _) | (126.., ..) => {
                self.sights.insert("a breach");
                let DisconnectCause::ProtocolError(failure) = cause else { panic!("{cause:?}") };
                // Two errors may be reported as either.
                let both = reason.is_err() && failure == Failure::InvalidUtf8;
                assert!(both || failure == Failure::Protocol, "{failure:?} of {payload:?}");
                self.retried(cause);
            }
            (1, Some(_), _) => panic!("two bytes of one"),
        }
        self.farewell(id, payload, cause);
    }

    /// The one Close that goes back: the peer's own code, or what it is reproached with.
    fn farewell(&mut self, id: SocketId, payload: &[u8], cause: DisconnectCause) {
        let mut bytes = self.session.pending().to_vec();
        let mut closes = Vec::new();
        while let Some(frame) = Frame::take(&mut bytes) {
            assert!(closes.is_empty(), "a frame after the Close: {frame:?}");
            if frame.first == 0x88 {
                closes.push(frame);
            }
        }
        let [close] = &closes[..] else { panic!("{} Close frames", closes.len()) };
        match cause {
            DisconnectCause::CloseReceived(None) => assert!(close.payload.len() <= 2),
            DisconnectCause::CloseReceived(Some(_)) => {
                assert_eq!(close.payload.get(..2), payload.get(..2), "another code goes back");
            }
            _ => {
                let code = close.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                assert!(matches!(code, Some(1002 | 1007)), "{code:?} on {cause:?}");
            }
        }
        assert_eq!(self.session.next_order(), Some(Order::Drop { id, farewell: true }));
        self.session.dropped(id);
    }

    fn answer(&mut self, id: SocketId, answer: &Answer) {
        let endpoint = Endpoint::builder("ws://gateway.example/feed").build();
        let endpoint = endpoint.expect("a valid URL");
        let start = || Handshake::start(&endpoint);
        let (whole, pieces) = (start(), start());
        let key = key_of(whole.request());
        let one = hear(whole, answer, usize::MAX);
        let outcome = hear(pieces, answer, self.piece);
        // What is settled by some of the pieces is not settled otherwise by all.
        match (&one, &outcome) {
            (_, None) => {}
            (Some(Err(one)), Some(Err(other))) => assert_eq!(one.error(), other.error()),
            (Some(Ok((_, head))), Some(Ok((_, other)))) => {
                assert_eq!(head, other, "the head ends elsewhere");
            }
            (one, other) => panic!("whole it is {one:?}, in pieces {other:?}"),
        }
        match one {
            None => {
                self.sights.insert("no answer yet");
                let hung_up = OpenFailure::new(OpenError::NotHttp, "it hung up");
                self.session.open_failed(self.now, id, &hung_up);
            }
            Some(Ok((opened, _))) => {
                self.sights.insert("opened");
                let Answer::Built { status, rest, .. } = answer else { panic!("{answer:?} opens") };
                if opened.rest.len() > rest.len() {
                    self.sights.insert("fields behind the head");
                }
                if let 100 | 102..=199 = status.number() {
                    self.sights.insert("opened behind an interim answer");
                } else {
                    assert_eq!(status.number(), 101, "it opens without being asked in");
                    assert!(Head::of(&answer.bytes(&key)).upgrades(&key), "it opens on {answer:?}");
                }
                self.session.opened(self.now, id);
                self.session.received(self.now, id, &opened.rest);
                self.session.failed(self.now, id, Failure::Eof, "");
                self.session.next_order();
                self.session.dropped(id);
            }
            Some(Err(failure)) => {
                self.session.open_failed(self.now, id, &failure);
                let cause = self.cause();
                assert_eq!(cause, DisconnectCause::OpenFailed(failure.error()));
                self.built(answer, &key, failure.error());
                match failure.error() {
                    OpenError::Http { status, retry_after } => {
                        self.sights.insert("a status");
                        self.judged(status, cause, retry_after);
                    }
                    _ => {
                        self.sights.insert("no upgrade");
                        self.retried(cause);
                    }
                }
            }
        }
    }

    /// What is known of an answer that was built.
    fn built(&mut self, answer: &Answer, key: &str, error: OpenError) {
        let Answer::Built { status, fields, .. } = answer else { return };
        match (status.number(), error) {
            // What follows an interim answer is an answer of its own.
            (100 | 102..=199, _) => {
                self.sights.insert("interim");
            }
            (101, OpenError::Upgrade | OpenError::NotHttp) => {
                // A field of any bytes may say more, or break the answer.
                let any = |field: &Field| matches!(field, Field::RetryAfter(_) | Field::Other(..));
                let is_complete = Head::of(&answer.bytes(key)).upgrades(key);
                if is_complete {
                    assert!(fields.iter().any(any), "an upgrade that is complete is {error:?}");
                } else {
                    self.sights.insert("not asked in");
                }
            }
            (200..=599, OpenError::Http { status: seen, retry_after })
                if seen == status.number() =>
            {
                let first = fields.iter().find_map(|field| match field {
                    Field::RetryAfterSeconds(seconds) => Some(Some(RetryAfter::Seconds(*seconds))),
                    Field::RetryAfterDate(seconds) => {
                        let date = RetryAfter::Date(UnixMillis(u64::from(*seconds) * 1_000));
                        // Any bytes may be a `Date`, from which it counts.
                        let any = |field: &Field| {
                            matches!(field, Field::RetryAfter(_) | Field::Other(..))
                        };
                        Some((!fields.iter().any(any)).then_some(date))
                    }
                    // Others may be broken, or broken in the middle.
                    Field::RetryAfter(_) | Field::Other(..) => Some(None),
                    Field::Upgrade | Field::Connection(_) | Field::Accept => None,
                });
                if let Some(Some(expected)) = first {
                    self.sights.insert("retry after");
                    assert_eq!(retry_after, Some(expected));
                }
            }
            // A field of any bytes may make it no HTTP; a status of none is none.
            (_, OpenError::NotHttp) => {}
            (status, error) => panic!("{status} is {error:?}"),
        }
    }

    /// The cause of the last disconnection.
    fn cause(&mut self) -> DisconnectCause {
        loop {
            match self.session.next_event() {
                Some(ClientEvent::Disconnected { cause, .. }) => return cause,
                Some(_) => {}
                None => panic!("no disconnection in {:?}", self.session.state()),
            }
        }
    }

    /// What follows on a code or a status is what the policy says.
    fn judged(&mut self, code: u16, cause: DisconnectCause, retry_after: Option<RetryAfter>) {
        let verdict = self.config.policy().judge(code).verdict();
        let given_up = |cause| matches!(cause, GiveUpCause::CloseCode(c) | GiveUpCause::HttpStatus(c) if c == code);
        match (verdict, self.follows()) {
            (Verdict::Fatal, Follows::GaveUp(cause)) if given_up(cause) => {
                self.sights.insert("fatal");
            }
            // Credentials are refreshed once.
            (Verdict::RefreshCredentials, Follows::GaveUp(cause)) if given_up(cause) => {
                self.sights.insert("fatal after a refresh");
            }
            (verdict, Follows::GaveUp(GiveUpCause::AttemptsSpent)) if verdict != Verdict::Fatal => {
                assert!(self.config.max_attempts().is_some());
                self.sights.insert("spent");
            }
            (verdict, Follows::Retry(delay)) if verdict != Verdict::Fatal => {
                self.sights.insert("retried");
                let spread = match cause {
                    DisconnectCause::OpenFailed(_) => Duration::ZERO,
                    _ => self.config.spread(),
                };
                self.heeds(verdict, delay, retry_after, spread);
            }
            (verdict, follows) => panic!("{verdict} on {cause:?}, and then {follows:?}"),
        }
    }

    /// A Retry-After is honoured up to its cap. A random part follows: that of a least delay, or the
    /// `spread` after the loss of a ready connection, if that is longer.
    fn heeds(
        &mut self,
        verdict: Verdict,
        delay: Duration,
        header: Option<RetryAfter>,
        spread: Duration,
    ) {
        let backoff = self.config.backoff();
        let (_, high) = backoff.bounds(u32::MAX);
        let heeded = match header {
            Some(RetryAfter::Seconds(seconds)) => Duration::from_secs(seconds),
            // The wall clock is reported at the first attempt and stays; the core's own runs on from there.
            Some(RetryAfter::Date(_)) | None => Duration::ZERO,
        };
        let heeded = heeded.min(self.config.retry_after_max());
        assert!(delay >= heeded, "{delay:?}, and {header:?}");
        let ruled = match verdict {
            Verdict::RetryNoSoonerThan(least) => least,
            Verdict::Retry | Verdict::RefreshCredentials | Verdict::Fatal => Duration::ZERO,
        };
        assert!(delay >= ruled, "{delay:?}, and {verdict}");
        let bound = if header.is_some() { self.config.retry_after_max() } else { ruled };
        let most = high.max(bound).max(ruled);
        let jitter = (most / 5).max(Duration::from_secs(1));
        if delay > most.saturating_add(jitter) {
            self.sights.insert("spread");
        }
        assert!(delay <= most.saturating_add(jitter.max(spread)), "{delay:?} of at most {most:?}");
    }

    /// What no code decides on is retried while there are attempts.
    fn retried(&mut self, cause: DisconnectCause) {
        match self.follows() {
            Follows::Retry(_) => {}
            Follows::GaveUp(GiveUpCause::AttemptsSpent) if self.config.max_attempts().is_some() => {
            }
            follows => panic!("{cause:?}, and then {follows:?}"),
        }
    }

    fn follows(&mut self) -> Follows {
        loop {
            match self.session.next_event() {
                Some(ClientEvent::Notice(Notice::RetryScheduled { delay, .. })) => {
                    // A shared budget opens an attempt without a delay at once.
                    let is_opened = self.config.shares_budget() && delay.is_zero();
                    let state = self.session.state();
                    assert!(state == ConnectionState::Disconnected || is_opened, "{state}");
                    if state == ConnectionState::Connecting {
                        self.sights.insert("opened without a delay");
                    }
                    return Follows::Retry(delay);
                }
                Some(ClientEvent::Notice(Notice::GaveUp { cause })) => {
                    assert_eq!(self.session.state(), ConnectionState::Closed);
                    return Follows::GaveUp(cause);
                }
                Some(_) => {}
                None => panic!("nothing follows in {:?}", self.session.state()),
            }
        }
    }
}

/// What follows on a loss.
#[derive(Debug)]
enum Follows {
    Retry(Duration),
    GaveUp(GiveUpCause),
}

/// Hands an answer over in pieces; what it comes to, if it comes to something, and the length of a head that opens. The bytes of two
/// answers differ, for each handshake has a key of its own; their lengths do not.
fn hear(
    mut handshake: Handshake,
    answer: &Answer,
    piece: usize,
) -> Option<Result<(Opened, usize), OpenFailure>> {
    let bytes = answer.bytes(&key_of(handshake.request()));
    let mut heard = 0;
    for piece in bytes.chunks(piece) {
        heard += piece.len();
        match handshake.received(piece) {
            Ok(None) => {}
            Ok(Some(opened)) => {
                assert!(bytes[..heard].ends_with(&opened.rest), "other bytes are left");
                let head = heard - opened.rest.len();
                let ends = |line: &[u8]| bytes[..head].ends_with(line);
                assert!(ends(b"\n\r\n") || ends(b"\n\n"), "the head does not end where it ends");
                return Some(Ok((opened, head)));
            }
            Err(failure) => return Some(Err(failure)),
        }
    }
    handshake.is_refused().then(|| Err(handshake.ended())) // its body has not come whole
}
