//! The `gateway` program. All of it stands in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_cli::run()
}
