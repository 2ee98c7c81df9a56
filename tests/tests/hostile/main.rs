//! Hostile streams and networks, for both drivers: see docs/TESTING.md.
#![allow(clippy::print_stdout, reason = "how many runs there were is printed; see --nocapture")]

mod cancel;
mod faults;
mod weather;
