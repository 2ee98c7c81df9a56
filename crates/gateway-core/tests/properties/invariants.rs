//! The invariants over random histories: those that the checker sees, and those that it cannot see. A
//! failure shrinks to a short plan.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    Action, Actions, CloseFrame, Config, ConnectionState, Event, EventKind, Failure, Frame,
    Instant, Login, Message, Network, OpenError, Outgoing, SocketId, every,
};
use gateway_testkit::Violation;
use gateway_testkit::history::{
    Advance, Fact, LoginKind, Plan, Settings, Speech, Step, Wants, World, run,
};
use gateway_testkit::{Rig, attempt, delay};
use proptest::collection::vec;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::{cases, strategies};

fn fail(violation: &Violation) -> TestCaseError {
    TestCaseError::fail(violation.to_string())
}

/// The connection where the plan leaves it; a plan that breaks an invariant is left to the others.
fn after(plan: &Plan) -> World {
    let mut world = World::new(plan);
    for step in &plan.steps {
        if world.take(step).is_err() {
            break;
        }
    }
    world
}

fn rig(config: Config, seed: u64) -> Rig<ChaCha8Rng> {
    Rig::with(Arc::new(config), ChaCha8Rng::seed_from_u64(seed))
}

/// The settings with this heartbeat, no login, no watch over data, and no renewal.
fn beating(settings: &Settings, kind: u8) -> Config {
    let settings = settings.clone();
    let (login, data_timeout, renew_after) = (LoginKind::None, None, None);
    Settings { heartbeat: kind, login, data_timeout, renew_after, ..settings }.config()
}

/// One event of each kind for the live socket, and some frames and failures more.
fn every_event(world: &World) -> Vec<Event<'static>> {
    let live = world.rig.connection.socket().unwrap_or(SocketId::new(0));
    let mut events = every::events(live);
    events.extend([
        Event::NetworkChanged(Network::Offline),
        Event::FrameReceived(live, Frame::Close(None)),
        Event::FrameReceived(live, Frame::Text(r#"{"type":"welcome"}"#)),
        Event::SocketFailed(live, Failure::Protocol),
    ]);
    events
}

/// After any plan, a connect request in a healthy network leads to ready.
fn becomes_ready(plan: &Plan) -> Result<(), TestCaseError> {
    let mut world = after(plan);
    world.rig.now = world.rig.now.saturating_add(Duration::from_secs(1));
    let connect = Step { advance: Advance::Stay, fact: Fact::Connect };
    world.take(&connect).map_err(|violation| fail(&violation))?;
    // At most: leave a refused login, reserve an open, retry or connect, open, log in.
    for _ in 0..5 {
        if !world.rig.connection.is_ready() {
            let next = Step { advance: Advance::Stay, fact: Fact::Next };
            world.take(&next).map_err(|violation| fail(&violation))?;
        }
    }
    prop_assert!(world.rig.connection.is_ready());
    Ok(())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn every_invariant_holds_over_random_histories(plan in strategies::plan()) {
        run(&plan).map_err(|violation| fail(&violation))?;
    }

    #[test]
    fn every_invariant_holds_where_ticks_come_on_time(plan in strategies::punctual_plan()) {
        run(&plan).map_err(|violation| fail(&violation))?;
    }

    #[test]
    fn every_invariant_holds_where_logins_are_refused(plan in strategies::refused_plan()) {
        run(&plan).map_err(|violation| fail(&violation))?;
    }

    #[test]
    fn every_invariant_holds_whatever_a_dialect_asks_for(plan in strategies::spoken_plan()) {
        run(&plan).map_err(|violation| fail(&violation))?;
    }

    #[test]
    fn a_dialect_that_sees_everything_and_does_nothing_changes_nothing(plan in strategies::plan()) {
        let wants = Speech { interest: vec![Wants::All], ..Speech::default() };
        let (mut silent, mut shown) = (World::new(&plan), World::new(&Plan { speech: wants, ..plan.clone() }));
        for step in &plan.steps {
            silent.take(step).map_err(|violation| fail(&violation))?;
            shown.take(step).map_err(|violation| fail(&violation))?;
            let (one, other) = (&silent.rig.connection, &shown.rig.connection);
            prop_assert_eq!(one.machine(), other.machine());
            let now = silent.rig.now;
            prop_assert_eq!(one.statistics(now), other.statistics(now));
            prop_assert_eq!(silent.done(), shown.done());
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn i1_what_a_stale_socket_says_leaves_the_machine_as_it_is(
        plan in strategies::any_plan(),
        by in 1_u64..5,
        is_older in any::<bool>(),
    ) {
        let mut world = after(&plan);
        let connection = &mut world.rig.connection;
        let live = connection.socket().map_or(0, SocketId::number);
        let stale = if is_older { live.saturating_sub(by) } else { live.saturating_add(1_000 + by) };
        let now = Instant::ZERO; // an earlier `now` counts as the last one
        let _ = connection.handle(now, Event::Flushed(SocketId::new(u64::MAX)));
        let events = every::events(SocketId::new(stale));
        for event in events.into_iter().filter(|event| event.socket().is_some()) {
            let before = connection.machine().clone();
            let actions = connection.handle(now, event);
            prop_assert_eq!(connection.machine(), &before, "{:?}", event);
            let is_opened = event.kind() == EventKind::SocketOpened;
            prop_assert_eq!(actions.as_slice().len(), if is_opened { 2 } else { 1 });
        }
    }

    #[test]
    fn i2_ticks_that_are_early_or_double_change_nothing(plan in strategies::any_plan()) {
        let mut plain = World::new(&plan);
        let mut pestered = World::new(&plan);
        for step in &plan.steps {
            if plain.take(step).is_err() || pestered.take(step).is_err() { break; }
            let latest = pestered.rig.latest;
            let is_early = pestered.rig.connection.next_deadline().is_none_or(|at| at > latest);
            if is_early {
                let ticked = pestered.rig.feed(Instant::ZERO, Event::Tick).map_err(|v| fail(&v))?;
                prop_assert!(ticked.is_empty(), "{ticked:?}");
            }
            prop_assert_eq!(pestered.rig.connection.machine(), plain.rig.connection.machine());
        }
    }

    #[test]
    fn i3_from_wherever_it_stands_a_connection_can_become_ready(plan in strategies::plan()) {
        becomes_ready(&plan)?;
    }

    #[test]
    fn i3_from_a_refused_login_a_connection_can_become_ready(plan in strategies::refused_plan()) {
        becomes_ready(&plan)?;
    }

    #[test]
    fn i3_from_an_attempt_that_asks_a_connection_can_become_ready(plan in strategies::asking_plan()) {
        becomes_ready(&plan)?;
    }

    #[test]
    fn i4_attempts_are_no_closer_than_the_strategy_allows(
        settings in strategies::settings(),
        seed in any::<u64>(),
    ) {
        let config = Settings { max_attempts: None, ..settings }.config();
        let backoff = *config.backoff();
        let mut rig = rig(config, seed);
        let mut last = rig.now;
        rig.on(Event::ConnectRequested);
        for count in 0..40 {
            rig.answer_if_asked();
            let id = rig.socket();
            let lost = rig.on(Event::OpenFailed(id, OpenError::Refused));
            let (low, high) = backoff.bounds(count);
            let waited = delay(&lost).unwrap_or_default();
            prop_assert!(low <= waited && waited <= high, "{waited:?} is the {count}th");
            rig.tick();
            prop_assert!(rig.now.saturating_duration_since(last) >= low);
            last = rig.now;
        }
    }

    #[test]
    fn i5_a_stay_shorter_than_stable_counts_on_and_a_longer_one_counts_anew(
        settings in strategies::settings(),
        stays in vec((any::<bool>(), 1_u64..1_000), 1..12),
        seed in any::<u64>(),
    ) {
        let settings = Settings { max_attempts: None, rules: Vec::new(), ..settings };
        let config = beating(&settings, 2);
        let stable_after = config.stable_after();
        let mut rig = rig(config, seed);
        rig.on(Event::ConnectRequested);
        let (mut count, mut waited) = (0, Duration::ZERO);
        for (is_stable, millis) in stays {
            rig.open();
            let least = stable_after.max(waited);
            let stay = if is_stable {
                least + Duration::from_millis(millis - 1)
            } else {
                least.saturating_sub(Duration::from_millis(millis))
            };
            rig.pass(stay);
            let id = rig.socket();
            let lost = rig.on(Event::SocketFailed(id, Failure::Reset));
            count = if is_stable { 1 } else { count + 1 };
            prop_assert_eq!(attempt(&lost), Some(count), "after {:?}, stable at {:?}", stay, least);
            waited = delay(&lost).unwrap_or_default();
            rig.tick();
        }
    }

    #[test]
    fn i6_a_silent_peer_is_dead_in_time_whatever_is_sent(
        settings in strategies::settings(),
        kind in 0_u8..2,
        heard in vec(1_u64..90_000, 0..6),
        send_each in 1_u64..5_000,
    ) {
        let config = Settings { is_strict: false, ..settings.clone() };
        let config = beating(&config, kind);
        let span = config.heartbeat_interval() + config.heartbeat_timeout();
        let mut rig = rig(config, 7);
        rig.on(Event::ConnectRequested);
        rig.open();
        let id = rig.socket();
        let mut last = rig.now;
        for millis in heard {
            rig.run_for(Duration::from_millis(millis));
            if rig.connection.socket() != Some(id) { break; }
            rig.on(Event::BytesReceived(id));
            last = rig.now;
        }
        let dead_by = last.saturating_add(span);
        let each = Duration::from_millis(send_each).max(span / 50);
        while rig.connection.socket() == Some(id) {
            prop_assert!(rig.now < dead_by, "still alive at {:?}, silent since {last:?}", rig.now);
            let left = dead_by.saturating_duration_since(rig.now);
            rig.run_for(each.min(left));
            rig.on(Event::SendRequested(Message::Text("busy")));
        }
    }

    #[test]
    fn i6_a_peer_that_answers_or_only_talks_is_never_dead(
        settings in strategies::settings(),
        kind in 0_u8..2,
        tenths in vec((1_u32..10, any::<bool>()), 1..60),
    ) {
        let config = Settings { is_strict: false, ..settings };
        let config = beating(&config, kind);
        let timeout = config.heartbeat_timeout();
        let mut rig = rig(config, 7);
        rig.on(Event::ConnectRequested);
        rig.open();
        let id = rig.socket();
        for (tenths, is_frame) in tenths {
            rig.run_for(timeout * tenths / 10);
            rig.on(match is_frame {
                true => Event::FrameReceived(id, Frame::Binary(b"..")),
                false => Event::BytesReceived(id),
            });
        }
        prop_assert!(rig.connection.is_ready());
    }

    #[test]
    fn i6_a_peer_that_answered_is_not_dead_for_a_pause(
        settings in strategies::settings(),
        kind in 0_u8..2,
        paused in 0_u64..100_000,
        is_early in any::<bool>(),
    ) {
        let config = beating(&Settings { has_phase: false, ..settings }, kind);
        let timeout = config.heartbeat_timeout();
        // Shorter than the interval: the ping that answers a longer one has a judgement of its own.
        let paused = Duration::from_millis(paused).min(config.heartbeat_interval() - Duration::from_nanos(1));
        let mut rig = rig(config, 7);
        rig.on(Event::ConnectRequested);
        rig.open();
        let id = rig.socket();
        let pong = match kind {
            0 => Event::FrameReceived(id, Frame::Text(r#"{"type":"pong"}"#)),
            _ => Event::FrameReceived(id, Frame::Pong(b"1")),
        };
        if is_early { rig.on(pong); }
        rig.on(Event::ReadingPaused(id));
        rig.pass(paused);
        if !is_early { rig.on(pong); } // read before the pause, handed over in it
        rig.on(Event::ReadingResumed(id));
        rig.run_for(timeout);
        prop_assert_eq!(rig.connection.socket(), Some(id));
    }

    #[test]
    fn i7_closing_ends_and_nothing_opens_after_a_close_request(
        plan in strategies::any_plan(),
        more in vec(strategies::step(), 0..30),
    ) {
        let mut world = after(&plan);
        let request = Event::CloseRequested(CloseFrame::NORMAL);
        let asked_at = world.rig.now;
        world.feed(request).map_err(|violation| fail(&violation))?;
        for step in more {
            let connects = matches!(step.fact, Fact::Connect | Fact::Reconnect | Fact::Next);
            if connects { continue; }
            let before = world.rig.connection.statistics(asked_at).attempts;
            world.take(&step).map_err(|violation| fail(&violation))?;
            prop_assert_eq!(world.rig.connection.statistics(asked_at).attempts, before);
        }
        let state = world.rig.connection.state();
        let closing = ConnectionState::Closing;
        prop_assert!(matches!(state, ConnectionState::Closed) || state == closing);
        if let Some(at) = world.rig.connection.next_deadline() {
            world.rig.now = world.rig.now.max(at);
            world.feed(Event::Tick).map_err(|violation| fail(&violation))?;
        }
        prop_assert_eq!(world.rig.connection.state(), ConnectionState::Closed);
        prop_assert_eq!(world.rig.connection.next_deadline(), None);
    }

    #[test]
    fn i8_no_event_yields_more_actions_than_the_capacity(
        plan in strategies::any_plan(),
        index in any::<prop::sample::Index>(),
    ) {
        let mut world = after(&plan);
        let events = every_event(&world);
        let now = world.rig.latest;
        let actions = world.rig.connection.handle(now, events[index.index(events.len())]);
        prop_assert!(actions.as_slice().len() <= Actions::CAPACITY);
    }

    #[test]
    fn i9_the_same_seed_and_events_give_the_same_actions_byte_for_byte(plan in strategies::any_plan()) {
        let (one, other) = (after(&plan), after(&plan));
        prop_assert_eq!(one.rig.connection.machine(), other.rig.connection.machine());
        let now = one.rig.now;
        prop_assert_eq!(one.rig.connection.statistics(now), other.rig.connection.statistics(now));
    }

    #[test]
    fn i10_no_event_at_any_instant_panics_or_breaks_an_invariant(
        plan in strategies::any_plan(),
        leaps in vec((strategies::leap(), strategies::fact()), 1..60),
    ) {
        let leaps = leaps.into_iter().map(|(advance, fact)| Step { advance, fact });
        let steps = plan.steps.iter().cloned().chain(leaps).collect();
        run(&Plan { steps, ..plan }).map_err(|violation| fail(&violation))?;
    }

    #[test]
    fn i12_each_message_has_one_outcome(plan in strategies::any_plan()) {
        let mut world = after(&plan);
        let connection = &world.rig.connection;
        let speaks_for_itself = connection.state() == ConnectionState::Connected
            && matches!(connection.config().login(), Login::External { .. });
        let may_send = connection.is_ready() || speaks_for_itself;
        let request = Event::SendRequested(Message::Text("x"));
        let actions = world.feed(request).map_err(|violation| fail(&violation))?;
        prop_assert_eq!(actions.len(), 1);
        let is_sent = matches!(actions[0], Action::Send(_, Outgoing::Requested));
        prop_assert!(may_send || !is_sent, "sent while not ready");
    }
}
