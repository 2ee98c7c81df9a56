//! A slow, obvious model of the contract, which predicts every action of the core.
//!
//! It is written from the contract, not from the core. It shares no machine, no deadlines and no backoff
//! with the core, only pure tables: [`Config`]'s getters, `Policy::judge`, `Login::judge` and
//! `Dialect::recognise`. One flat struct has the whole state, and each deadline is computed from it.

mod attempts;
mod backoff;
mod beat;
mod budget;
mod clocks;
mod comparison;
mod frames;
mod lifecycle;
mod replacement;
mod speech;

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    Action, Because, Config, ConnectionState, DisconnectCause, Event, Instant, Interest, Notice,
    OpenError, RetryCause, SocketId, Spoken, UnixMillis, Verdict,
};
use rand_core::Rng;

use beat::{Hold, Ping, Watch};
pub use comparison::Comparison;
use speech::Speech;

/// A model of the connection. From the same events it predicts what the core must do.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{Config, Connection, Event, Instant};
/// use gateway_testkit::{Fixed, Reference};
///
/// let config = Arc::new(Config::default());
/// let mut core = Connection::new(Arc::clone(&config), Fixed::HALF);
/// let mut model = Reference::new(config, Fixed::HALF);
/// let done = core.handle(Instant::ZERO, Event::ConnectRequested);
/// let (event, silent) = (Event::ConnectRequested, None);
/// assert_eq!(done.as_slice(), model.handle(Instant::ZERO, &event, silent, core.spoken(&done)));
/// assert_eq!(core.next_deadline(), model.deadline());
/// ```
#[derive(Clone, Debug)]
pub struct Reference<R> {
    config: Arc<Config>,
    rng: R,
    now: Instant,
    state: ConnectionState,
    actions: Vec<Action>,
    /// The last timer action.
    timer: Option<Instant>,

    // The socket.
    last_socket: u64,
    socket: Option<SocketId>,
    /// Whether the provider is asked for this socket, which is not opening yet.
    is_asked: bool,
    /// Whether this attempt is a reconnect on purpose.
    is_on_purpose: bool,
    /// When the provider, opening, logging in or closing has taken too long.
    too_late_at: Option<Instant>,
    is_paused: bool,
    is_blocked: bool,
    /// The verdict of a refused login, while the client waits for the peer's Close.
    refusal: Option<Verdict>,

    // The attempts.
    /// Retries since the count was last reset.
    attempts: u32,
    /// How many attempts since then have ended by the connect timeout.
    timeouts: u32,
    last_delay: Duration,
    /// The strategy's last delay, without a least delay of the server or the policy.
    last_drawn: Duration,
    is_refreshed: bool,
    wants_refresh: bool,
    retry_at: Option<Instant>,
    /// Why there is a retry whose open the driver has not reserved yet, and what set its time.
    unreserved: Option<(RetryCause, Because)>,
    /// The retry at this time is a reconnect on purpose.
    is_retry_on_purpose: bool,
    /// No hint starts an attempt before this.
    not_before: Instant,
    /// When the last reconnect on purpose begins its attempt; once its socket opens, when that is.
    reconnect_at: Option<Instant>,
    /// When it was last ready, or first asked to connect.
    unready_since: Instant,

    // The stay in the ready state.
    ready_since: Option<Instant>,
    ping_at: Option<Instant>,
    /// The ping whose answer is due. At its deadline a silent peer is dead.
    watch: Option<Watch>,
    /// The ping that the driver holds.
    hold: Option<Hold>,
    /// Whether the driver has not reported the newest ping.
    is_newest_ordered: bool,
    /// Whether a sign of life came since a timeout last started.
    was_heard: bool,
    /// When the data timeout is due.
    data_at: Option<Instant>,
    last_data: Instant,
    /// When the renewal is due. Then the driver drains its buffer, at most until `drained_by`.
    renew_at: Option<Instant>,
    drained_by: Option<Instant>,
    /// The pings that no pong has answered, the oldest first.
    pings_out: Vec<Ping>,
    pings_sent: u64,

    // The clocks and the hints.
    /// The last wall-clock time, and when it was read.
    wall: Option<(Instant, UnixMillis)>,
    jumped_at: Option<Instant>,
    online_at: Option<Instant>,

    // The dialect.
    /// What it says during the current event.
    speech: Speech,
    /// The heartbeat's interval and timeout that it has set on this socket.
    pace: Option<(Duration, Duration)>,
    /// Whether an effect without effect was reported on this socket.
    is_effect_told: bool,
    /// Within which time it expects something, and when that has passed.
    expected: Option<Duration>,
    silent_at: Option<Instant>,
    last_byte: Instant,
    /// Whether the ping that it is asked for is a probe.
    is_probing: bool,

    tally: Tally,
}

/// The core's statistics that are cheap to predict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as the fields of `gateway_core::Statistics` are named")]
#[allow(clippy::exhaustive_structs, reason = "tests compare it field by field")]
pub struct Tally {
    pub attempts: u64,
    pub opened: u64,
    pub reconnects: u64,
    pub last_disconnect: Option<DisconnectCause>,
    pub last_open_error: Option<OpenError>,
    pub last_round_trip: Option<Duration>,
    pub time_ready: Duration,
    pub frames_in: u64,
    pub frames_out: u64,
    pub bytes_in: u64,
    pub stale_events: u64,
    pub became_ready: bool,
    pub effects_ignored: u64,
}

impl<R: Rng> Reference<R> {
    /// A model of a new connection with these settings and draws.
    #[must_use]
    pub fn new(config: Arc<Config>, rng: R) -> Self {
        Self {
            config,
            rng,
            now: Instant::ZERO,
            state: ConnectionState::Disconnected,
            actions: Vec::new(),
            timer: None,
            last_socket: 0,
            socket: None,
            is_asked: false,
            is_on_purpose: false,
            too_late_at: None,
            is_paused: false,
            is_blocked: false,
            refusal: None,
            attempts: 0,
            timeouts: 0,
            last_delay: Duration::ZERO,
            last_drawn: Duration::ZERO,
            is_refreshed: false,
            wants_refresh: false,
            retry_at: None,
            unreserved: None,
            is_retry_on_purpose: false,
            not_before: Instant::ZERO,
            reconnect_at: None,
            unready_since: Instant::ZERO,
            ready_since: None,
            ping_at: None,
            watch: None,
            hold: None,
            is_newest_ordered: false,
            was_heard: false,
            data_at: None,
            last_data: Instant::ZERO,
            renew_at: None,
            drained_by: None,
            pings_out: Vec::new(),
            pings_sent: 0,
            wall: None,
            jumped_at: None,
            online_at: None,
            speech: Speech::default(),
            pace: None,
            is_effect_told: false,
            expected: None,
            silent_at: None,
            last_byte: Instant::ZERO,
            is_probing: false,
            tally: Tally::default(),
        }
    }

    /// The actions of the core on this event, in order.
    ///
    /// The model does not call the dialect. It takes what the dialect of the core was interested in
    /// before the event, and what it asked for during the event. [`misspoken`](Self::misspoken) says
    /// whether the core called it when it must.
    pub fn handle(
        &mut self,
        now: Instant,
        event: &Event<'_>,
        interest: Option<Interest>,
        spoken: &Spoken,
    ) -> Vec<Action> {
        self.now = self.now.max(now); // a clock that steps back stands still
        self.actions = Vec::new();
        self.speech = Speech::of(interest, spoken);
        if self.is_stale(event) {
            self.on_stale(event);
        } else {
            self.on_event(event);
        }
        self.obey();
        self.set_timer();
        core::mem::take(&mut self.actions)
    }

    /// Which call of the dialect was missing during the last event, or one too many.
    #[must_use]
    pub fn misspoken(&self) -> Option<&str> {
        self.speech.complaint.as_deref()
    }

    /// The state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.state
    }

    /// The earliest deadline of the state.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let is_ready = self.ready_since.is_some();
        let waits_for = match self.state {
            ConnectionState::Disconnected if self.unreserved.is_some() => vec![],
            ConnectionState::Disconnected => vec![self.retry_at],
            ConnectionState::Connecting | ConnectionState::Closing => vec![self.too_late_at],
            ConnectionState::Connected | ConnectionState::Authenticated if !is_ready => {
                vec![self.too_late_at]
            }
            // While the application does not read, pings are sent but do not time out.
            ConnectionState::Connected | ConnectionState::Authenticated if self.is_paused => {
                vec![self.ping_at, self.renew_at, self.drained_by]
            }
            ConnectionState::Connected | ConnectionState::Authenticated => {
                let dead_at = self.watch.map(|watch| watch.dead_at);
                let look_at = self.hold.map(|hold| hold.look_at);
                let silent_at = self.silent_at;
                let others = [self.data_at, self.renew_at, self.drained_by];
                [vec![self.ping_at, dead_at, look_at, silent_at], others.to_vec()].concat()
            }
            ConnectionState::Closed => vec![],
        };
        waits_for.into_iter().flatten().min()
    }

    /// The statistics, with the time spent ready up to now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let stay = self.ready_since.map(|since| self.now.saturating_duration_since(since));
        let time_ready = self.tally.time_ready.saturating_add(stay.unwrap_or_default());
        Tally { time_ready, ..self.tally }
    }

    /// Adds the timer action, the last one, if the timer changes.
    fn set_timer(&mut self) {
        let deadline = self.deadline();
        if deadline == self.timer {
            return;
        }
        self.timer = deadline;
        self.act(match deadline {
            Some(at) => Action::ScheduleTimer(at),
            None => Action::CancelTimer,
        });
    }

    fn act(&mut self, action: Action) {
        if let Action::Send(..) = action {
            self.tally.frames_out += 1;
        }
        self.actions.push(action);
    }

    fn tell(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    fn change(&mut self, to: ConnectionState, socket: Option<SocketId>) {
        let from = self.state;
        self.state = to;
        self.tell(Notice::StateChanged { from, to, socket });
    }

    fn is_due(&self, at: Option<Instant>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// A random part of this span: one draw over 2^64.
    fn part_of(&mut self, span: Duration) -> Duration {
        backoff::part(span, self.rng.next_u64())
    }
}
