//! Every poll of a client's byte streams goes wrong once, in every way, on each driver. No message
//! is lost or duplicated, every outcome is true, and nothing stays open.

use gateway_tests::hostile::{
    Fault, Op, Plan, Story, Sum, Verdict, World, on_spawned, on_std, on_tokio,
};

/// One driver under the world.
type Driver = fn(Story, &Plan) -> (Verdict, World);

/// So many runs with several faults, on each driver.
const RANDOM: u64 = 1_000;

/// Runs every single fault at every poll, and every harmless one everywhere; returns the number of polls.
fn each_alone(driver: Driver, story: Story, buffered: bool, sum: &mut Sum) -> usize {
    let fair = Plan::none(buffered);
    let (verdict, world) = driver(story, &fair);
    sum.add(&verdict, &fair);
    let points = world.points();
    for (at, op) in points.iter().enumerate() {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.fits(*op, &fair)) {
            let plan = fair.and(at, fault);
            sum.add(&driver(story, &plan).0, &plan);
        }
    }
    for plan in Plan::everywhere(buffered) {
        sum.add(&driver(story, &plan).0, &plan);
    }
    points.len()
}

fn every_fault_alone(name: &str, driver: Driver, story: Story) {
    let mut sum = Sum::default();

    let points = [false, true].map(|buffered| each_alone(driver, story, buffered, &mut sum));

    println!("hostile {name} {story:?}: {} points, {sum}", points.iter().sum::<usize>());
    sum.is_flawless();
    assert!(points.iter().all(|points| *points > 50), "{points:?} points only");
}

#[test]
fn one_fault_at_any_poll_of_the_async_driver_loses_nothing() {
    every_fault_alone("tokio", on_tokio, Story::Chat);
}

#[test]
fn one_fault_around_a_restart_of_the_server_loses_nothing_on_the_async_driver() {
    every_fault_alone("tokio", on_tokio, Story::Restart);
}

#[test]
fn one_fault_at_any_poll_of_a_spawned_client_loses_nothing() {
    every_fault_alone("spawned", on_spawned, Story::Chat);
}

#[test]
fn one_fault_around_a_restart_of_the_server_loses_nothing_on_a_spawned_client() {
    every_fault_alone("spawned", on_spawned, Story::Restart);
}

#[test]
fn one_fault_at_any_poll_of_the_blocking_driver_loses_nothing() {
    every_fault_alone("std", on_std, Story::Chat);
}

#[test]
fn one_fault_around_a_restart_of_the_server_loses_nothing_on_the_blocking_driver() {
    every_fault_alone("std", on_std, Story::Restart);
}

/// Each fault at each question to the provider: alone, and behind the loss of a socket at every
/// tenth poll.
fn every_fault_of_a_provider(name: &str, driver: Driver) {
    let (mut sum, mut faults) = (Sum::default(), 0);
    for story in [Story::Chat, Story::Restart] {
        let fair = Plan::none(false).asking();
        let (_, world) = driver(story, &fair);
        let lost = (1..world.points().len()).step_by(10).map(|at| fair.and(at, Fault::Reset));
        for before in [fair.clone()].into_iter().chain(lost) {
            let (verdict, world) = driver(story, &before);
            sum.add(&verdict, &before);
            let points = world.points();
            for at in (0..points.len()).filter(|at| points[*at] == Op::Ask) {
                for fault in Fault::ALL.into_iter().filter(|fault| fault.fits(Op::Ask, &before)) {
                    let plan = before.and(at, fault);
                    sum.add(&driver(story, &plan).0, &plan);
                    faults += 1;
                }
            }
        }
    }
    for seed in 0..RANDOM / 5 {
        let plan = Plan::random(seed, 300).asking();
        sum.add(&driver(Story::Restart, &plan).0, &(seed, plan));
    }

    println!("hostile {name}, a provider: {faults} faults, {sum}");
    sum.is_flawless();
    assert!(faults > 50, "{faults} faults only");
}

#[test]
fn a_provider_of_the_async_driver_that_is_late_or_fails_or_hangs_loses_nothing() {
    every_fault_of_a_provider("tokio", on_tokio);
}

#[test]
fn a_provider_of_a_spawned_client_that_is_late_or_fails_or_hangs_loses_nothing() {
    every_fault_of_a_provider("spawned", on_spawned);
}

#[test]
fn a_provider_of_the_blocking_driver_that_is_late_or_fails_or_hangs_loses_nothing() {
    every_fault_of_a_provider("std", on_std);
}

fn several_faults(name: &str, driver: Driver) {
    let mut sum = Sum::default();

    for seed in 0..RANDOM {
        let story = if seed % 2 == 0 { Story::Chat } else { Story::Restart };
        let plan = Plan::random(seed, 300);
        sum.add(&driver(story, &plan).0, &(seed, plan));
    }

    println!("hostile {name}, several faults: {sum}");
    sum.is_flawless();
}

#[test]
fn several_faults_lose_nothing_on_the_async_driver() {
    several_faults("tokio", on_tokio);
}

#[test]
fn several_faults_lose_nothing_on_a_spawned_client() {
    several_faults("spawned", on_spawned);
}

#[test]
fn several_faults_lose_nothing_on_the_blocking_driver() {
    several_faults("std", on_std);
}
