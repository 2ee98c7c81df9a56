//! Autobahn's testsuite: `autobahn DRIVER URL` runs all cases of the suite's server at URL on a driver.
//! `autobahn --judge INDEX CASES PART...` checks the report on these parts: drivers, or `serve`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

mod echo;
mod judge;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: autobahn tokio|std URL\n       autobahn --judge INDEX CASES PART...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("autobahn: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<bool, Box<dyn Error>> {
    match arguments {
        ["tokio", url] => echo::run(&mut echo::Tokio::new()?, url).map(|()| true),
        ["std", url] => echo::run(&mut echo::Std, url).map(|()| true),
        ["--judge", index, cases, parts @ ..] => {
            let index = std::fs::read_to_string(index)?;
            let verdict = judge::Verdict::of(&index, cases.parse()?, parts)?;
            print!("{verdict}");
            Ok(verdict.is_good())
        }
        _ => Err(USAGE.into()),
    }
}
