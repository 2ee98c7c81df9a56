//! Runs one case of the core for a number of rounds: `run` beside it lets callgrind count the instructions.
#![forbid(unsafe_code)]

mod connection;
mod nanoseconds;
mod session;
mod sizes;

use std::process::ExitCode;
use std::thread;

/// What is counted: everything that happens in a function whose name begins with `counted_`, and nothing besides.
///
/// A door is never inlined, holds no closure (whose name would hold the door's) and is handed nothing that the compiler knows; the
/// rest of a round is stage setting.
struct Case {
    name: &'static str,
    /// The most instructions that a round ought to take, where there is a goal.
    goal: Option<u64>,
    /// Sets up, and plays so many rounds.
    play: fn(u64),
}

impl Case {
    const fn new(name: &'static str, goal: Option<u64>, play: fn(u64)) -> Self {
        Self { name, goal, play }
    }
}

const USAGE: &str = "\
bench-core CASE ROUNDS         plays the case, for callgrind to count
bench-core --ns CASE ROUNDS    tells how many nanoseconds a round takes
bench-core --list              the cases and the sizes, with their goals";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let played = match words[..] {
        ["--list"] => {
            list();
            Ok(())
        }
        ["--ns", case, rounds] => read(case, rounds).and_then(|(case, rounds)| {
            println!("{:.1}", alone(move || nanoseconds::of_a_round(case, rounds))?);
            Ok(())
        }),
        [case, rounds] => {
            read(case, rounds).and_then(|(case, rounds)| alone(move || (case.play)(rounds)))
        }
        _ => Err(Wrong::Usage(USAGE.to_owned())),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(Wrong::Usage(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
        Err(Wrong::Run(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

enum Wrong {
    Usage(String),
    Run(String),
}

fn cases() -> impl Iterator<Item = &'static Case> {
    connection::CASES.iter().chain(session::CASES)
}

/// A line each, its columns separated by tabs: what it is, its name, its goal or nothing, its bytes.
fn list() {
    let goal = |goal: Option<u64>| goal.map(|most| most.to_string()).unwrap_or_default();
    for case in cases() {
        println!("case\t{}\t{}\t", case.name, goal(case.goal));
    }
    for size in sizes::SIZES {
        println!("size\t{}\t{}\t{}", size.name, goal(size.goal), size.bytes);
    }
}

fn read(name: &str, rounds: &str) -> Result<(&'static Case, u64), Wrong> {
    let case = cases().find(|case| case.name == name);
    let case = case.ok_or_else(|| Wrong::Usage(format!("no case {name:?}: see --list")))?;
    let rounds = rounds.parse();
    let rounds = rounds.map_err(|_| Wrong::Usage(format!("no number of rounds\n{USAGE}")))?;
    Ok((case, rounds))
}

/// Runs it on a stack of its own: how large the environment is moves the main thread's.
fn alone<T: Send + 'static>(play: impl FnOnce() -> T + Send + 'static) -> Result<T, Wrong> {
    let thread = thread::Builder::new().stack_size(1 << 20).spawn(play);
    let thread = thread.map_err(|error| Wrong::Run(format!("no thread: {error}")))?;
    thread.join().map_err(|_| Wrong::Run("the case did not go as it should".to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_goes_as_it_should() {
        for case in super::cases() {
            (case.play)(3);
        }
    }
}
