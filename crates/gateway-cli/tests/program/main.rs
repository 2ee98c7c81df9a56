//! Runs the program as a process. Its commands are `connect`, `serve`, `check`, `demo`, `explain`,
//! `replay` and `simulate`.

#[cfg(target_os = "linux")]
mod broken;
mod check;
mod clocks;
mod common;
mod connect;
mod connect_wire;
mod demo;
mod diagnostics;
mod dialects;
mod end;
mod explain;
mod forms;
mod guide;
mod habits;
mod judge;
mod login;
mod metrics;
mod openings;
mod outcomes;
#[cfg(unix)]
mod prometheus;
mod proxies;
#[cfg(unix)]
#[expect(dead_code, reason = "the other test program needs the rest of it")]
#[path = "../peers/python.rs"]
mod python;
mod recording;
mod replay;
mod scenario;
mod sending;
mod serve;
mod served_dialects;
mod settings;
mod simulate;
mod storms;
mod streams;
mod tasks;
mod trust;
