//! Tests `gateway connect` against independent servers: Python's `websockets`, npm's `ws`, and with
//! `--dialect` npm's `graphql-ws` and `socket.io`. The test controls each, fault by fault, over its
//! stdin (`peers/`).
//!
//! Presets that `gateway serve` does not play meet NATS, amqtt, Janus and RabbitMQ (`presets.rs`).
//!
//! The other way round, npm's clients are run against `gateway serve --dialect` (`clients.rs`).
//!
//! `peers/table.rs` lists every fault with the `--events` lines that it must produce. A peer that
//! cannot be installed is skipped with a message. With GATEWAY_REQUIRE_PEERS=1 that fails.
#![cfg(unix)] // kill -9, and the layout of a Python environment

mod client;
mod clients;
mod fault;
mod install;
mod lines;
mod play;
mod presets;
mod python;
mod server;
mod table;
mod token;

use std::fmt::Write as _;
use std::io::Write as _;

use clients::Library;
use play::Played;
use table::PROGRAMS;

/// Fewer faults than this over all peers is no proof.
const LEAST_FAULTS: usize = 40;

#[test]
fn connect_rides_out_the_faults_of_servers_that_others_wrote() {
    let total: usize = PROGRAMS.iter().map(|program| program.faults().count()).sum();
    assert!(total >= LEAST_FAULTS, "the table has only {total} faults");

    let mut skipped = 0;
    let mut programs = Vec::new();
    for program in PROGRAMS {
        match install::install(program.peer) {
            Ok(command) => programs.push((program, command)),
            Err(why) => {
                tell(&format!("SKIPPED peers/{}: {why}\n", program.peer.name()));
                skipped += 1;
            }
        }
    }
    let played: Vec<Played> = std::thread::scope(|scope| {
        let threads: Vec<_> = programs
            .iter()
            .map(|(program, command)| scope.spawn(|| play::play(program, command)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });

    let failed = played.iter().filter(|one| one.outcome.is_err()).count();
    tell(&results(&played));
    assert_eq!(failed, 0, "{failed} of {} faults went otherwise (see above)", played.len());
    assert!(skipped == 0 || !required(), "{skipped} peers are missing, and they are required");
    if skipped == 0 {
        assert_eq!(played.len(), total, "faults that nobody played");
    }
}

#[test]
fn presets_ride_out_the_faults_of_servers_that_others_wrote() {
    let played = std::thread::scope(|scope| {
        let threads = presets::SERVERS
            .each_ref()
            .map(|server| scope.spawn(|| server.install().map(|programs| server.play(&programs))));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let mut failed = 0;
    let mut skipped = 0;
    for (server, played) in presets::SERVERS.iter().zip(played) {
        match played {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                tell(&format!("FAILED preset {}: {why}\n", server.preset));
                failed += 1;
            }
            Err(why) => {
                tell(&format!("SKIPPED preset {}: {why}\n", server.preset));
                skipped += 1;
            }
        }
    }
    assert_eq!(failed, 0, "{failed} presets failed (see above)");
    assert!(skipped == 0 || !required(), "{skipped} servers are missing, and they are required");
}

#[test]
fn clients_that_others_wrote_ride_out_the_faults_of_a_served_dialect() {
    let mut failed = 0;
    let mut skipped = 0;
    for library in Library::ALL {
        let name = library.name();
        let command = match install::install_client(library) {
            Ok(command) => command,
            Err(why) => {
                tell(&format!("SKIPPED peers/{name} (client): {why}\n"));
                skipped += 1;
                continue;
            }
        };
        for case in library.cases() {
            let outcome = clients::run(library, &command, case);
            let words =
                outcome.as_ref().map_or_else(|why| format!("FAILED {why}"), |()| "ok".to_owned());
            tell(&format!("{name:<28}  {:<24}  {words}\n", case.name));
            failed += usize::from(outcome.is_err());
        }
    }
    assert_eq!(failed, 0, "{failed} cases went otherwise (see above)");
    assert!(skipped == 0 || !required(), "{skipped} clients are missing, and they are required");
}

/// Whether a peer that cannot be installed is a failure.
fn required() -> bool {
    std::env::var_os("GATEWAY_REQUIRE_PEERS").is_some_and(|value| value == "1")
}

/// The table: fault, peer, events seen.
fn results(played: &[Played]) -> String {
    let mut text = String::new();
    for Played { peer, fault, outcome, .. } in played {
        let (mark, seen) = match outcome {
            Ok(seen) => ("ok", seen.as_str()),
            Err(why) => ("FAILED", why.as_str()),
        };
        let _ = writeln!(text, "{:<10}  {fault:<44}  {mark:<6}  {seen}", peer.name());
    }
    let _ = writeln!(text, "{} faults played", played.len());
    text
}

/// Past the test runner's capture, so that a skipped peer is seen in a run that passes.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
