//! The `gateway` program. Its code is in `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_cli::run()
}
