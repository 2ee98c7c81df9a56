//! Calls of a session that come twice, late or in the wrong order. They cause no panic and no false
//! outcome, and count as stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gateway_core::{
    CloseFrame, Config, ConfigBuilder, ConnectionState, Failure, HeartbeatKind, Instant, Login,
    Network, NoDialect, OpenError, SocketId, UnixMillis, Verdict,
};
use gateway_wire::{
    ClientEvent, Fate, Limits, Message, OpenFailure, Order, ProviderError, Session,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// Which socket a call names.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// The socket that is opening or open.
    Current,
    /// The socket whose bytes the session holds.
    Linked,
    /// Any other, most of them long dropped or not yet opened.
    Number(u64),
}

/// How many bytes a call reports.
#[derive(Clone, Copy, Debug)]
enum Count {
    None,
    Some(usize),
    All,
    TooMany,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Connect,
    Close,
    Tick,
    TakeOrder,
    TakeEvent,
    Send(usize),
    Hold(bool),
    UpdateFlow,
    FailBreached,
    LoginAccepted,
    LoginRejected,
    Online,
    WallClock(u64),
    ProviderAnswered(Which),
    ProviderFailed(Which),
    Opened(Which),
    OpenFailed(Which),
    Received(Which, &'static [u8]),
    Failed(Which),
    Written(Which, Count),
    WriteWaits(Which),
    WriteFailed(Which, Count),
    Flushed(Which),
    Dropped(Which),
}

/// Frames of a server: complete, cut and invalid.
const FRAMES: [&[u8]; 8] = [
    b"\x81\x05hello",
    b"\x82\x80",
    b"\x81\x0f{\"type\":\"pong\"}",
    b"\x89\x04ping",
    b"\x88\x02\x03\xe8",
    b"\x88\x02\x03\xed",
    b"\x81\x05hel",
    b"\x81\x02ok\xff\xff",
];

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        4 => Just(Which::Current),
        4 => Just(Which::Linked),
        2 => (0..8_u64).prop_map(Which::Number),
    ]
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![
        1 => Just(Count::None),
        3 => (1..40_usize).prop_map(Count::Some),
        3 => Just(Count::All),
        1 => Just(Count::TooMany),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Connect),
        1 => Just(Call::Close),
        3 => Just(Call::Tick),
        6 => Just(Call::TakeOrder),
        2 => Just(Call::TakeEvent),
        8 => (0..60_usize).prop_map(Call::Send),
        1 => any::<bool>().prop_map(Call::Hold),
        1 => Just(Call::UpdateFlow),
        1 => Just(Call::FailBreached),
        1 => Just(Call::LoginAccepted),
        1 => Just(Call::LoginRejected),
        1 => Just(Call::Online),
        1 => (0..1_000_000_u64).prop_map(Call::WallClock),
        3 => which().prop_map(Call::ProviderAnswered),
        1 => which().prop_map(Call::ProviderFailed),
        6 => which().prop_map(Call::Opened),
        1 => which().prop_map(Call::OpenFailed),
        4 => (which(), select(FRAMES.to_vec())).prop_map(|(which, bytes)| Call::Received(which, bytes)),
        2 => which().prop_map(Call::Failed),
        5 => (which(), count()).prop_map(|(which, count)| Call::Written(which, count)),
        1 => which().prop_map(Call::WriteWaits),
        4 => (which(), count()).prop_map(|(which, count)| Call::WriteFailed(which, count)),
        4 => which().prop_map(Call::Flushed),
        3 => which().prop_map(Call::Dropped),
    ]
}

fn config() -> impl Strategy<Value = ConfigBuilder> {
    let login = select(vec![Login::None, Login::External { timeout: Login::TIMEOUT }]);
    let heartbeat = select(vec![HeartbeatKind::Off, HeartbeatKind::Json, HeartbeatKind::Ping]);
    (heartbeat, login, any::<bool>()).prop_map(|(heartbeat, login, asks)| {
        Config::builder().heartbeat(heartbeat).login(login).ask_provider(asks)
    })
}

/// The reports about a socket's bytes, as positions in all its outgoing bytes.
#[derive(Debug, Default)]
struct Bytes {
    written: usize,
    flushed: usize,
    /// Reported as written, or as offered to a write that failed.
    offered: usize,
}

/// An accepted message: its socket, and the position of its bytes.
#[derive(Debug)]
struct Taken {
    socket: SocketId,
    start: usize,
    end: usize,
}

/// A session, and what a correct driver would know about it.
struct World {
    session: Session,
    now: u64,
    /// The attempts for which the order to ask the provider was taken.
    asked: BTreeSet<SocketId>,
    /// Those of them that the provider has answered.
    answered: BTreeSet<SocketId>,
    /// The attempts whose order to open was taken.
    ordered: BTreeSet<SocketId>,
    /// The socket whose open the session accepted and whose drop it has not.
    linked: Option<SocketId>,
    opened: BTreeSet<SocketId>,
    /// Orders to drop a socket that was never open, not yet answered.
    drops: u32,
    bytes: BTreeMap<SocketId, Bytes>,
    messages: BTreeMap<u64, Taken>,
    fates: BTreeMap<u64, Fate>,
}

impl World {
    fn new(config: ConfigBuilder) -> Self {
        let mut limits = Limits::default();
        (limits.high_water, limits.owed, limits.backlog) = (100, 20, 300);
        let config = Arc::new(config.build().unwrap());
        let session = Session::new(config, 7, Box::new(NoDialect))
            .with_limits(limits)
            .with_sent_reported(true);
        Self {
            session,
            now: 0,
            asked: BTreeSet::new(),
            answered: BTreeSet::new(),
            ordered: BTreeSet::new(),
            linked: None,
            opened: BTreeSet::new(),
            drops: 0,
            bytes: BTreeMap::new(),
            messages: BTreeMap::new(),
            fates: BTreeMap::new(),
        }
    }

    fn now(&mut self) -> Instant {
        self.now += 7;
        Instant::from_millis(self.now)
    }

    fn id(&self, which: Which) -> SocketId {
        let other = SocketId::new(1);
        match which {
            Which::Current => self.session.socket().unwrap_or(other),
            Which::Linked => self.linked.unwrap_or(other),
            Which::Number(number) => SocketId::new(number),
        }
    }

    fn bytes_of(&self, count: Count) -> usize {
        let pending = self.session.pending().len();
        match count {
            Count::None => 0,
            Count::Some(count) => count.min(pending),
            Count::All => pending,
            Count::TooMany => pending + 1,
        }
    }

    fn stale(&self) -> u64 {
        self.session.statistics(Instant::from_millis(self.now)).stale_events
    }

    /// The state that a call out of order must not change.
    fn standing(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let session = &self.session;
        (
            (session.state(), session.socket(), session.is_ready(), session.deadline()),
            session.pending().to_vec(),
            (session.is_dirty(), session.is_write_blocked()),
            (session.has_messages(), session.wants_input()),
        )
    }

    /// Calls the session. A call out of order must be counted, and change nothing.
    fn call(&mut self, call: Call) {
        let (before, stale) = (self.standing(), self.stale());
        let in_order = self.make(call);
        if !in_order {
            assert_eq!(self.stale(), stale + 1, "{call:?} is stale, and counted once");
            assert_eq!(self.standing(), before, "{call:?} changes nothing");
        } else if !matches!(call, Call::TakeEvent) {
            assert_eq!(self.stale(), stale, "{call:?} is in order");
        }
    }

    /// Returns whether the call was in order.
    fn make(&mut self, call: Call) -> bool {
        match call {
            Call::Connect => self.with_now(Session::connect),
            Call::Close => self.with_now(|session, now| session.close(now, CloseFrame::NORMAL)),
            Call::Tick => {
                let deadline = self.session.deadline().map_or(0, |at| at.as_nanos() / 1_000_000);
                self.now = self.now.max(deadline);
                self.with_now(Session::tick)
            }
            Call::TakeOrder => self.take_order(),
            Call::TakeEvent => self.take_event(),
            Call::Send(length) => self.send(length),
            Call::Hold(held) => self.with_now(|session, _| session.hold(held)),
            Call::UpdateFlow => {
                let in_order = self.session.is_flow_changed();
                self.with_now(Session::update_flow) && in_order
            }
            Call::FailBreached => {
                let in_order = self.session.is_breach_due();
                self.with_now(Session::fail_breached) && in_order
            }
            Call::LoginAccepted => self.with_now(Session::login_accepted),
            Call::LoginRejected => {
                self.with_now(|session, now| session.login_rejected(now, Verdict::Retry))
            }
            Call::Online => {
                self.with_now(|session, now| session.network_changed(now, Network::Online))
            }
            Call::WallClock(wall) => {
                self.with_now(|session, now| session.wall_clock(now, UnixMillis(wall)))
            }
            Call::ProviderAnswered(which) => {
                let id = self.id(which);
                let in_order = self.is_asked(id);
                if in_order {
                    self.answered.insert(id);
                }
                self.with_now(|session, now| session.provider_answered(now, id)) && in_order
            }
            Call::ProviderFailed(which) => {
                let id = self.id(which);
                let in_order = self.is_asked(id);
                let error = ProviderError::retry("no token");
                self.with_now(|session, now| session.provider_failed(now, id, &error)) && in_order
            }
            Call::Opened(which) => self.opened(self.id(which)),
            Call::OpenFailed(which) => {
                let id = self.id(which);
                let in_order = self.is_opening(id);
                let failure = OpenFailure::new(OpenError::Refused, "refused");
                self.with_now(|session, now| session.open_failed(now, id, &failure)) && in_order
            }
            Call::Received(which, bytes) => {
                let id = self.id(which);
                let in_order = self.is_open(id);
                self.with_now(|session, now| session.received(now, id, bytes)) && in_order
            }
            Call::Failed(which) => {
                let id = self.id(which);
                let in_order = self.is_open(id);
                self.with_now(|session, now| session.failed(now, id, Failure::Reset, "reset"))
                    && in_order
            }
            Call::Written(which, count) => self.written(self.id(which), self.bytes_of(count)),
            Call::WriteWaits(which) => {
                let id = self.id(which);
                self.session.write_waits(id);
                self.linked == Some(id)
            }
            Call::WriteFailed(which, count) => {
                let (id, count) = (self.id(which), self.bytes_of(count));
                let pending = self.session.pending().len();
                self.offer(id, count.min(pending));
                self.session.write_failed(id, count);
                self.linked == Some(id) && count <= pending
            }
            Call::Flushed(which) => {
                let id = self.id(which);
                self.session.flushed(id);
                if self.linked == Some(id) {
                    let bytes = self.bytes.entry(id).or_default();
                    bytes.flushed = bytes.written;
                }
                self.linked == Some(id)
            }
            Call::Dropped(which) => self.dropped(self.id(which)),
        }
    }

    fn with_now(&mut self, call: impl FnOnce(&mut Session, Instant)) -> bool {
        let now = self.now();
        call(&mut self.session, now);
        true
    }

    fn is_asked(&self, id: SocketId) -> bool {
        self.session.socket() == Some(id)
            && self.asked.contains(&id)
            && !self.answered.contains(&id)
    }

    fn is_opening(&self, id: SocketId) -> bool {
        self.session.socket() == Some(id)
            && self.ordered.contains(&id)
            && !self.opened.contains(&id)
    }

    fn is_open(&self, id: SocketId) -> bool {
        self.session.socket() == Some(id) && self.linked == Some(id)
    }

    fn take_order(&mut self) -> bool {
        match self.session.next_order() {
            Some(Order::Ask { id, .. }) => drop(self.asked.insert(id)),
            Some(Order::Open { id, .. }) => drop(self.ordered.insert(id)),
            Some(Order::Drop { id, .. } | Order::Abort { id }) if self.linked != Some(id) => {
                self.drops += 1;
            }
            Some(Order::Drop { .. } | Order::Abort { .. }) | None => {}
        }
        true
    }

    fn take_event(&mut self) -> bool {
        if let Some(ClientEvent::Outcome(outcome)) = self.session.next_event() {
            for number in outcome.first.number()..=outcome.last.number() {
                let before = self.fates.insert(number, outcome.fate);
                assert_eq!(before, None, "message {number} has a second outcome");
            }
        }
        true
    }

    fn send(&mut self, length: usize) -> bool {
        let before = self.session.pending().len();
        if let Ok(accepted) = self.session.send(Message::binary(vec![0; length])) {
            let socket = self.session.socket().expect("a message is taken for a socket");
            assert_eq!(self.linked, Some(socket), "an open one");
            let written = self.bytes.entry(socket).or_default().written;
            let end = written + self.session.pending().len();
            let taken = Taken { socket, start: written + before, end };
            self.messages.insert(accepted.id().number(), taken);
        }
        true
    }

    fn opened(&mut self, id: SocketId) -> bool {
        let in_order = self.is_opening(id) && self.linked.is_none();
        if in_order {
            self.linked = Some(id);
            self.opened.insert(id);
        }
        self.with_now(|session, now| session.opened(now, id)) && in_order
    }

    fn written(&mut self, id: SocketId, count: usize) -> bool {
        let pending = self.session.pending().len();
        let in_order = self.linked == Some(id) && count <= pending;
        self.offer(id, count.min(pending));
        self.session.written(id, count);
        if in_order {
            self.bytes.entry(id).or_default().written += count;
        }
        in_order
    }

    /// Records that bytes of the socket were reported as offered to its transport.
    fn offer(&mut self, id: SocketId, count: usize) {
        if self.linked == Some(id) {
            let bytes = self.bytes.entry(id).or_default();
            bytes.offered = bytes.offered.max(bytes.written + count);
        }
    }

    fn dropped(&mut self, id: SocketId) -> bool {
        let is_left = self.session.socket() != Some(id);
        self.session.dropped(id);
        if self.linked == Some(id) {
            self.linked = self.linked.filter(|_| !is_left);
            return is_left;
        }
        let in_order = is_left && self.drops > 0;
        self.drops -= u32::from(in_order);
        in_order
    }

    /// Closes as a correct driver does, and checks the outcome of each message.
    fn end(mut self) {
        self.make(Call::Close);
        while !self.session.is_over() {
            self.make(Call::TakeOrder);
            if let Some(id) = self.linked {
                self.dropped(id);
            }
            self.make(Call::Tick);
        }
        assert_eq!(self.session.state(), ConnectionState::Closed);
        while self.session.has_events() {
            self.take_event();
        }
        for (number, Taken { socket, start, end }) in &self.messages {
            let bytes = &self.bytes[socket];
            match self.fates.remove(number) {
                Some(Fate::Sent { socket: on }) => {
                    assert!(on == *socket && *end <= bytes.flushed, "{number} was not sent");
                }
                Some(Fate::MaybeSent { socket: on }) => {
                    let is_in_doubt = *start < bytes.offered && *end > bytes.flushed;
                    assert!(on == *socket && is_in_doubt, "{number} is in no doubt");
                }
                Some(Fate::Rejected) => {
                    assert!(*start >= bytes.offered, "some of {number} was offered");
                }
                other => panic!("{number}: {other:?}"),
            }
        }
        assert!(self.fates.is_empty(), "outcomes of messages that were not taken");
    }
}

fn seeded() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn calls_in_any_order_for_any_socket_change_nothing_that_they_should_not(
        config in config(),
        calls in prop::collection::vec(call(), 1..120),
    ) {
        let mut world = World::new(config);
        world.call(Call::Connect);
        calls.into_iter().for_each(|call| world.call(call));
        world.end();
    }
}
