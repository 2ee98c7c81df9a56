//! Futures and clients are dropped at each point where they wait, on hostile streams. Nothing is
//! lost, and no socket or task remains.

mod requests;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_tests::hostile::{
    Fault, Life, Plan, Story, Sum, Verdict, World, hostile_client, paused, while_alive,
};
use gateway_tests::{Cuts, elapse, now, settle};
use gateway_tokio::core::{CloseFrame, Notice};
use gateway_tokio::{Client, ClientEvent, Message};
use tokio::runtime::Handle;

/// Past the close timeout of a client that is left in its task.
const CLOSED: Duration = Duration::from_secs(3);

/// Streams on which a client lives: fair ones, and those that wait at every poll or take a byte at a time.
fn fair() -> Vec<Plan> {
    let mut waits = Plan::none(false);
    waits.waits = true;
    let mut crawls = Plan::none(true);
    (crawls.waits, crawls.short_writes) = (true, true);
    vec![Plan::none(false), waits, crawls]
}

/// These, and some that are lost on the way: in the attempt, the upgrade, the messages, and after them.
fn plans() -> Vec<Plan> {
    let mut plans = fair();
    for (at, fault) in [
        (0, Fault::Reset),
        (3, Fault::End),
        (30, Fault::Reset),
        (60, Fault::Broken),
        (90, Fault::End),
    ] {
        plans.push(plans[1].and(at, fault));
    }
    plans.push(Plan::none(true).and(40, Fault::Passed));
    plans.push(plans[1].clone().asking());
    plans
}

/// Runs once for each point at which it can be cut, and once more, to the end: `run` says whether it was cut.
fn at_each_point(mut run: impl FnMut(usize) -> bool) -> usize {
    (0..).position(|at| !run(at)).expect("a life has an end")
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Lives a life with these cuts, and judges it.
fn live(world: &World, mut life: Life, cuts: &mut Cuts) -> Verdict {
    let (elapsed, tasks) = paused(async {
        let begin = now();
        while_alive(life.live(hostile_client(world, &life.watch), cuts)).await;
        (now() - begin, tasks())
    });
    let mut verdict = Verdict::of(world, &life.app(), &life.watch, elapsed);
    verdict.tasks_left = tasks;
    verdict
}

#[test]
fn a_future_that_is_cut_at_any_one_point_loses_nothing() {
    cut_at_each_point("one future", 500, &[Story::Quiet], live);
}

#[test]
fn futures_that_are_all_cut_lose_nothing() {
    let mut sum = Sum::default();
    // Time does not pass if no task waits: a delay would never end.
    for plan in fair() {
        let world = World::new(plan.clone(), Story::Quiet);
        sum.add(&live(&world, Life::new(Story::Quiet), &mut Cuts::everywhere()), &plan);
    }

    println!("cancel, every future: {sum}");
    sum.is_flawless();
}

/// Runs these stories on each of the plans with a cut at each point, and more often than `least` in all.
fn cut_at_each_point(
    name: &str,
    least: usize,
    stories: &[Story],
    run: impl Fn(&World, Life, &mut Cuts) -> Verdict,
) {
    let mut sum = Sum::default();
    for (story, plan) in
        stories.iter().flat_map(|story| plans().into_iter().map(|plan| (*story, plan)))
    {
        at_each_point(|at| {
            let (world, mut cuts) = (World::new(plan.clone(), story), Cuts::at(at));
            sum.add(&run(&world, Life::new(story), &mut cuts), &(story, &plan, at));
            at < cuts.seen()
        });
    }

    println!("cancel, {name}: {sum}");
    sum.is_flawless();
    assert!(sum.runs() > least, "{} points only", sum.runs());
}

/// Drops what `life` makes at each point where it waits; gives it this long to clear up.
fn drop_at_each_point<F: Future<Output = ()>>(
    name: &str,
    clear_up: Duration,
    life: impl Fn(Life, Client) -> F,
) {
    cut_at_each_point(name, 150, &[Story::Quiet, Story::Restart], |world, one, cuts| {
        let tasks = paused(async {
            let client = hostile_client(world, &one.watch);
            while_alive(cuts.once(life(one.clone(), client))).await;
            if clear_up.is_zero() {
                assert_eq!(world.alive()[0], 0, "a socket outlives its client");
            }
            elapse(clear_up).await;
            settle().await;
            tasks()
        });
        let mut verdict = Verdict::of_unfinished(world, &one.app(), &one.watch);
        verdict.tasks_left = tasks;
        verdict
    });
}

#[test]
fn a_client_that_is_dropped_at_any_point_leaves_no_socket_and_no_task() {
    drop_at_each_point("the client", Duration::ZERO, async |mut life, client| {
        life.live(client, &mut Cuts::at(usize::MAX)).await;
    });
}

#[test]
fn a_spawned_client_whose_handle_and_events_are_dropped_at_any_point_ends_its_task() {
    drop_at_each_point("a spawned client", CLOSED, async |mut life, client| {
        life.live_spawned(client, &mut Cuts::at(usize::MAX)).await;
    });
}

/// The two halves in one task, as `select!` has them: one sends, the other takes events, and both are dropped.
async fn live_in_halves(client: Client) {
    let (mut sink, mut stream) = client.split();
    let send = async {
        let mut number = 0;
        loop {
            if sink.send(Message::text(format!("half {number}"))).await.is_err() {
                elapse(Duration::from_millis(300)).await; // not ready: the other half gets there
            }
            number += 1;
            if number == 12 {
                let _ = sink.close().await;
                return;
            }
        }
    };
    let take = async { while stream.next().await.is_some() {} };
    futures_util::future::join(send, take).await;
}

#[test]
fn halves_that_are_dropped_at_any_point_leave_no_socket_and_no_task() {
    drop_at_each_point("two halves", Duration::ZERO, async |_, client| {
        live_in_halves(client).await;
    });
}

#[test]
fn a_runtime_that_is_dropped_at_any_point_takes_its_clients_sockets_along() {
    cut_at_each_point("the runtime", 70, &[Story::Restart], |world, mut life, cuts| {
        let runtime = paused(async {
            let client = hostile_client(world, &life.watch);
            while_alive(cuts.once(life.live_spawned(client, &mut Cuts::at(usize::MAX)))).await;
            Handle::current()
        });
        let mut verdict = Verdict::of_unfinished(world, &life.app(), &life.watch);
        verdict.tasks_left = runtime.metrics().num_alive_tasks();
        verdict
    });
}

/// Drops each future of a spawned client's handle and events at its point. The client does not take a
/// message whose send was dropped.
#[test]
fn a_handle_and_its_events_may_be_cut_at_any_one_point_of_a_hostile_stream() {
    cut_at_each_point("a handle and its events", 40, &[Story::Quiet], |world, mut life, cuts| {
        let (elapsed, tasks) = paused(async {
            let begin = now();
            let client = hostile_client(world, &life.watch);
            while_alive(life.live_spawned(client, cuts)).await;
            let elapsed = now() - begin;
            settle().await;
            (elapsed, tasks())
        });
        let mut verdict = Verdict::of(world, &life.app(), &life.watch, elapsed);
        verdict.tasks_left = tasks;
        verdict
    });
}

#[test]
fn sends_of_a_handle_that_are_cut_are_not_taken_and_the_others_arrive_in_order() {
    for plan in fair() {
        let (world, life) = (World::new(plan.clone(), Story::Quiet), Life::new(Story::Quiet));
        let told = paused(while_alive(async {
            let mut told = Vec::new();
            let (handle, mut events) = hostile_client(&world, &life.watch).spawn();
            while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::Ready { .. }))) {}
            let mut cuts = Cuts::everywhere();
            for number in 10..30 {
                let sent = cuts.once(handle.send(format!("message {number}"))).await;
                told.extend(sent.map(|_| format!("message {number}")));
            }
            settle().await;
            handle.close(CloseFrame::NORMAL).unwrap();
            while events.next().await.is_some() {}
            told
        }));

        let arrived = world.seen().into_iter().flat_map(|(socket, _)| socket.messages);
        assert_eq!(arrived.collect::<Vec<_>>(), told, "{plan:?}");
        assert!(!told.is_empty(), "{plan:?}");
    }
}

/// A small write buffer, before a stream that waits and takes few bytes at once.
fn little_room() -> (gateway_tokio::Limits, Plan) {
    let mut limits = gateway_tokio::Limits::default();
    limits.high_water = 64;
    let mut plan = Plan::none(false);
    (plan.waits, plan.short_writes) = (true, true);
    (limits, plan)
}

#[test]
fn a_send_that_waits_for_room_is_not_taken_where_it_is_cut() {
    let (limits, plan) = little_room();
    let mut sum = Sum::default();
    at_each_point(|at| {
        let (world, mut cuts) = (World::new(plan.clone(), Story::Quiet), Cuts::at(at));
        let (told, events, tasks) = paused(while_alive(async {
            let mut client = hostile_client_with(&world, limits);
            while !client.is_ready() {
                client.next().await;
            }
            let mut told = Vec::new();
            for number in 0..24 {
                let text = format!("{number}: {}", "x".repeat(70)); // each fills the buffer
                client.feed(Message::text(text.as_str())).await.unwrap();
                told.push(text);
                let text = format!("{number}: after room was made");
                let before = client.statistics().frames_out;
                let sent = cuts.once(client.send(text.as_str())).await;
                let is_taken = client.statistics().frames_out > before;
                assert!(is_taken || sent.is_none(), "it is taken, or was cut");
                told.extend(is_taken.then_some(text));
            }
            client.close(CloseFrame::NORMAL);
            let mut events = Vec::new();
            while let Some(event) = client.next().await {
                events.push(event);
            }
            drop(client);
            (told, events, tasks())
        }));
        let mut verdict = of_messages(&world, &told);
        verdict.tasks_left = tasks;
        let outcome = events.iter().find(|event| matches!(event, ClientEvent::Outcome(_)));
        verdict.hold(outcome.is_none(), || format!("{outcome:?} of what was sent"));
        sum.add(&verdict, &at);
        at < cuts.seen()
    });

    println!("cancel, a send that waits for room: {sum}");
    sum.is_flawless();
    assert!(sum.runs() > 20, "{} points only", sum.runs());
}

/// Here every send of a spawned client waits for its turn. A send that is dropped sends no message, and
/// those behind it get their turns.
#[test]
fn a_send_of_a_handle_that_waits_for_its_turn_is_not_taken_where_it_is_cut() {
    let (limits, plan) = little_room();
    let mut sum = Sum::default();
    at_each_point(|at| {
        let (world, mut cuts) = (World::new(plan.clone(), Story::Quiet), Cuts::at(at));
        let (told, tasks) = paused(while_alive(async {
            let (handle, mut events) = hostile_client_with(&world, limits).spawn();
            handle.ready().await.unwrap();
            let mut told = Vec::new();
            for number in 0..8 {
                let text = |what: &str| format!("{number}: {what} {}", "x".repeat(70));
                let sent = cuts.once(handle.send(text("sent"))).await;
                told.extend(sent.map(|_| text("sent")));
                if let Some(permit) = cuts.once(handle.reserve(100)).await {
                    permit.unwrap().send(text("permitted")).unwrap();
                    told.push(text("permitted"));
                }
            }
            handle.close(CloseFrame::NORMAL).unwrap();
            while cuts.once(handle.closed()).await.is_none() {}
            while cuts.once(events.next()).await != Some(None) {}
            drop((handle, events));
            settle().await;
            (told, tasks())
        }));
        let mut verdict = of_messages(&world, &told);
        verdict.tasks_left = tasks;
        sum.add(&verdict, &at);
        at < cuts.seen()
    });

    println!("cancel, a send that waits for its turn: {sum}");
    sum.is_flawless();
    assert!(sum.runs() > 15, "{} points only", sum.runs());
}

/// Judges a run on one socket that takes these messages and no others.
fn of_messages(world: &World, told: &[String]) -> Verdict {
    let (seen, mut verdict) = (world.seen(), Verdict::default());
    let arrived: Vec<_> = seen.iter().flat_map(|(socket, _)| socket.messages.clone()).collect();
    let times = |text: &String| arrived.iter().filter(|other| *other == text).count();
    verdict.dials = seen.len();
    verdict.sockets_left = world.alive()[0];
    verdict.lost = told.iter().filter(|text| times(text) == 0).count();
    verdict.doubled = told.iter().map(|text| times(text).saturating_sub(1)).sum();
    verdict.hold(arrived == told, || format!("{arrived:?} arrived of {told:?}"));
    verdict
}

fn hostile_client_with(world: &World, limits: gateway_tokio::Limits) -> Client {
    let config = gateway_tests::hostile::App::settings(world.story());
    let builder = gateway_tests::client("ws://gateway.example/feed", config).limits(limits);
    builder.dial(gateway_tests::hostile::HostileDial(world.clone())).build().unwrap()
}
