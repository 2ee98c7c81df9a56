//! What holds of every configuration that is accepted, over the whole range that may be configured: a silent peer is dead in
//! time (I6), and no state is a dead end (I3). The rig's checker judges every event as well.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    AcceptanceRule, Action, Because, CloseFrame, Config, ConnectionState, DisconnectCause, Event,
    Failure, HeartbeatKind, Instant, Login, Multiplier, Notice, OpenError,
};
use gateway_testkit::{Rig, cause};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::cases;

/// Any span that may be configured, from a millisecond to a year; the ends more often than chance has them.
fn span() -> impl Strategy<Value = Duration> {
    let most = u64::try_from(Config::MAX_SPAN.as_millis()).unwrap_or(u64::MAX);
    prop_oneof![
        4 => (1..120_000_u64).prop_map(Duration::from_millis),
        2 => (1..=most).prop_map(Duration::from_millis),
        1 => Just(Duration::from_millis(1)),
        1 => Just(Config::MAX_SPAN),
    ]
}

/// Settings of which some are accepted: timeout and interval, first and longest delay are drawn apart.
fn settings() -> impl Strategy<Value = Config> {
    let login = prop_oneof![
        Just(None),
        span().prop_map(|timeout| Some(Login::External { timeout })),
        span().prop_map(|timeout| {
            let send = "open sesame".into();
            let (accepted, refused) = (AcceptanceRule::Any, Vec::new());
            Some(Login::Message { send, accepted, refused, timeout })
        }),
    ];
    let beat = prop::sample::select(vec![HeartbeatKind::Json, HeartbeatKind::Ping]);
    let switches = (any::<bool>(), any::<bool>(), beat);
    let jitter = crate::backoff::jitter();
    let growth = (1_000..=1_000_000_u32, jitter, prop::option::of(0..4_u32), span());
    let spans = prop::array::uniform7(span());
    let data = prop::option::weighted(0.3, span());
    let drawn = (spans, data, login, switches, growth);
    let built = drawn.prop_map(|(spans, data, login, switches, growth)| {
        let [initial, max, stable, interval, timeout, connect, close] = spans;
        let (is_strict, has_phase, kind) = switches;
        let (thousandths, jitter, most, connect_max) = growth;
        Config::builder()
            .initial_delay(initial)
            .max_delay(max)
            .multiplier(Multiplier::from_thousandths(thousandths)?)
            .jitter(jitter)
            .max_attempts(most)
            .stable_after(stable)
            .heartbeat(kind)
            .heartbeat_interval(interval)
            .heartbeat_timeout(timeout)
            .heartbeat_strict(is_strict)
            .heartbeat_phase(has_phase)
            .login(login.unwrap_or(Login::None))
            .connect_timeout(connect)
            .connect_timeout_max(connect.max(connect_max))
            .close_timeout(close)
            .data_timeout(data)
            .build()
            .ok()
    });
    built.prop_filter_map("not accepted", |config| config)
}

fn rig(config: Config, seed: u64) -> Rig<ChaCha8Rng> {
    Rig::with(Arc::new(config), ChaCha8Rng::seed_from_u64(seed))
}

/// Opens the socket, and accepts the login where there is one.
fn get_ready(rig: &mut Rig<ChaCha8Rng>) {
    rig.open();
    rig.on(Event::LoginAccepted);
    assert!(rig.connection.is_ready());
}

/// The delay of the retry that was announced, and what determined it.
fn scheduled(actions: &[Action]) -> (Duration, Because) {
    let scheduled = actions.iter().find_map(|action| match action {
        Action::Notify(Notice::RetryScheduled { delay, because, .. }) => Some((*delay, *because)),
        _ => None,
    });
    scheduled.expect("the loss is retried")
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn i6_whatever_is_accepted_a_silent_peer_is_dead_within_interval_and_timeout(
        config in settings(),
        seed in any::<u64>(),
        begins_at in 0..1_u64 << 62,
    ) {
        let dead_after = config.heartbeat_interval() + config.heartbeat_timeout();
        let dead_after = config.data_timeout().map_or(dead_after, |data| dead_after.min(data));
        let mut rig = rig(config, seed);
        rig.now = Instant::from_nanos(begins_at);
        rig.on(Event::ConnectRequested);
        get_ready(&mut rig);

        let dead_by = rig.now.saturating_add(dead_after);

        // A silent peer is asked twice at most: no more than a few deadlines lie on the way.
        let mut died = None;
        for _ in 0..4 {
            died = died.or(cause(&rig.tick()));
            if died.is_some() { break; }
        }

        let expected = [Some(DisconnectCause::PongTimeout), Some(DisconnectCause::DataTimeout)];
        prop_assert!(expected.contains(&died), "{:?}", died);
        prop_assert!(rig.now <= dead_by, "dead at {:?}, not by {dead_by:?}", rig.now);
    }

    #[test]
    fn a_spread_lengthens_the_first_delay_after_a_ready_connection_and_no_other(
        config in settings(),
        spread in span(),
        seed in any::<u64>(),
    ) {
        let with = |spread| {
            let drawn = config.backoff();
            let builder = Config::builder()
                .initial_delay(drawn.initial())
                .max_delay(drawn.max())
                .multiplier(drawn.multiplier())
                .jitter(drawn.strategy())
                .spread(spread);
            let mut rig = rig(builder.build().unwrap(), seed);
            rig.on(Event::ConnectRequested);
            rig.open();
            let lost = rig.connection.socket().unwrap();
            let first = scheduled(&rig.on(Event::SocketFailed(lost, Failure::Reset)));
            rig.tick();
            let refused = rig.connection.socket().unwrap();
            let second = scheduled(&rig.on(Event::OpenFailed(refused, OpenError::Refused)));
            (first, second, rig)
        };
        let (bare, _, _) = with(Duration::ZERO);
        let (first, second, _) = with(spread);

        prop_assert!(bare.0 <= first.0 && first.0 <= bare.0.saturating_add(spread), "{first:?}");
        prop_assert_eq!(first.1 == Because::Spread, first.0 > bare.0);
        let (low, high) = config.backoff().bounds(1);
        prop_assert!(low <= second.0 && second.0 <= high && second.1 == Because::Backoff);
    }

    #[test]
    fn the_connect_timeout_grows_up_to_its_bound_and_only_a_fresh_start_resets_it(
        config in settings(),
        seed in any::<u64>(),
        refusals in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let mut rig = rig(config.clone(), seed);
        let (least, most) = (config.connect_timeout(), config.connect_timeout_max());
        let mut expected = least;
        rig.on(Event::ConnectRequested);
        for is_refused in refusals {
            let due = rig.connection.next_deadline();
            prop_assert_eq!(due, Some(rig.now.saturating_add(expected)));
            prop_assert!(least <= expected && expected <= most);
            if is_refused {
                let socket = rig.connection.socket().unwrap();
                rig.on(Event::OpenFailed(socket, OpenError::Refused));
            } else {
                rig.tick();
                expected = expected.saturating_mul(4).min(most);
            }
            if rig.connection.next_deadline().is_none() {
                break; // the attempts are spent
            }
            rig.tick(); // the wait
        }

        rig.on(Event::CloseRequested(CloseFrame::NORMAL));
        rig.on(Event::ConnectRequested);
        prop_assert_eq!(rig.connection.next_deadline(), Some(rig.now.saturating_add(least)));
    }

    #[test]
    fn i3_whatever_is_accepted_each_state_ends_by_its_own_deadline(
        config in settings(),
        seed in any::<u64>(),
    ) {
        let spent = config.max_attempts() == Some(0);
        let mut rig = rig(config.clone(), seed);

        rig.on(Event::ConnectRequested);
        let due = rig.now.saturating_add(config.connect_timeout());
        prop_assert_eq!(cause(&rig.tick()), Some(DisconnectCause::ConnectTimeout));
        prop_assert_eq!(rig.now, due);

        // DISCONNECTED ends with the next attempt, unless none may be made.
        if spent {
            prop_assert_eq!(rig.connection.state(), ConnectionState::Closed);
            rig.on(Event::ConnectRequested);
        } else {
            rig.tick();
        }
        prop_assert_eq!(rig.connection.state(), ConnectionState::Connecting);

        // The login ends by its timeout.
        if let Login::Message { timeout, .. } | Login::External { timeout } = config.login() {
            rig.open();
            let due = rig.now.saturating_add(*timeout);
            prop_assert_eq!(cause(&rig.tick()), Some(DisconnectCause::LoginTimeout));
            prop_assert_eq!(rig.now, due);
            if rig.connection.state() == ConnectionState::Closed {
                rig.on(Event::ConnectRequested);
            } else {
                rig.tick();
            }
        }

        // CLOSING ends by its timeout, and stays ended.
        get_ready(&mut rig);
        rig.on(Event::CloseRequested(CloseFrame::NORMAL));
        let due = rig.now.saturating_add(config.close_timeout());
        prop_assert_eq!(cause(&rig.tick()), Some(DisconnectCause::CloseTimeout));
        prop_assert_eq!(rig.now, due);
        prop_assert_eq!(rig.connection.state(), ConnectionState::Closed);
        prop_assert_eq!(rig.connection.next_deadline(), None);
    }
}
