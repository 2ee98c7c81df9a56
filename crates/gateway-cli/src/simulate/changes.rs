//! The changes that flags make to a scenario. They keep which flag set which field, for errors.

use gateway_sim::ScenarioBuilder;
use toml::{Table, Value};

use super::args::SimulateArgs;

/// A flag on the command line, and the fields that it sets.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) flag: &'static str,
    pub(super) value: String,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// Fields of the scenario.
    Scenario(&'static [&'static str]),
    /// A setting of the core, in all groups.
    Core(&'static str),
    /// The strategy. Each of several strategies has a scenario of its own.
    Jitter,
}

const LOGIN_TIMEOUT: &str = "login.timeout";
const JITTER: &str = "reconnect.jitter";
const LOGIN_SERVICE: &str = "server.login.service";
const LOGIN_QUEUE: &str = "server.login.queue";

/// The flags that were given and change the scenario, in the order of the help.
pub(super) fn changes(args: &SimulateArgs) -> Vec<Change> {
    use Target::{Core, Jitter, Scenario};

    let (fleet, server, run) = (&args.fleet, &args.server, &args.run);
    let flags = [
        ("--clients", &fleet.clients, Scenario(&["clients"])),
        ("--jitter", &fleet.jitter, Jitter),
        ("--initial-delay", &fleet.initial_delay, Core("reconnect.initial_delay")),
        ("--max-delay", &fleet.max_delay, Core("reconnect.max_delay")),
        ("--connect-timeout", &fleet.connect_timeout, Core("connect_timeout")),
        ("--connect-timeout-max", &fleet.connect_timeout_max, Core("connect_timeout_max")),
        ("--spread", &fleet.spread, Core("reconnect.spread")),
        ("--login-timeout", &fleet.login_timeout, Core(LOGIN_TIMEOUT)),
        ("--accepts", &server.accepts, Scenario(&["server.accept.capacity"])),
        ("--login", &server.login, Scenario(&[LOGIN_SERVICE])),
        ("--login-workers", &server.login_workers, Scenario(&["server.login.workers"])),
        ("--queue", &server.queue, Scenario(&["server.accept.queue", LOGIN_QUEUE])),
        ("--seed", &run.seed, Scenario(&["seed"])),
        ("--horizon", &run.horizon, Scenario(&["horizon"])),
    ];
    let given = flags
        .into_iter()
        .filter_map(|(flag, value, target)| Some(Change { flag, value: value.clone()?, target }));
    given.collect()
}

/// Applies all changes but the strategy.
pub(super) fn apply(changes: &[Change], builder: &mut ScenarioBuilder) {
    for Change { flag, value, target } in changes {
        match *target {
            Target::Jitter => {} // `with_strategy` applies it
            Target::Core(path) => {
                if path == LOGIN_TIMEOUT && !has_own_login(builder) {
                    builder.configure("login.external", true);
                }
                builder.configure(path, value.as_str());
            }
            Target::Scenario(paths) => {
                // A stage has either a capacity, or workers with a service time.
                match *flag {
                    "--accepts" => {
                        builder.remove("server.accept.service").remove("server.accept.workers");
                    }
                    "--login" => {
                        builder.remove("server.login.capacity");
                    }
                    _ => {}
                }
                for path in paths {
                    if *path == LOGIN_SERVICE {
                        builder.set(path, whole(value).unwrap_or_else(|| value.clone()));
                    } else if *path != LOGIN_QUEUE || has_login(builder) {
                        builder.set(path, plain(value));
                    }
                }
            }
        }
    }
}

/// A number as a number, for a scenario that reads well.
fn plain(value: &str) -> Value {
    value.parse().map_or_else(|_| Value::String(value.to_owned()), Value::Integer)
}

/// A span with a fraction, such as `0.5ms`, as a whole number of microseconds or nanoseconds, which
/// is what a scenario has. `None` if it has no fraction, or is no whole number of nanoseconds.
fn whole(value: &str) -> Option<String> {
    const UNITS: [(&str, usize); 3] = [("us", 3), ("ms", 6), ("s", 9)];

    let (number, digits) =
        UNITS.iter().find_map(|(unit, digits)| Some((value.trim().strip_suffix(unit)?, digits)))?;
    let (seconds, fraction) = number.trim().split_once('.')?;
    let fraction = fraction.trim_end_matches('0');
    let is_number = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let zeros = "0".repeat(digits.checked_sub(fraction.len())?);
    let nanos: u64 = format!("{seconds}{fraction}{zeros}").parse().ok()?;
    Some(match nanos % 1_000 {
        0 => format!("{}us", nanos / 1_000),
        _ => format!("{nanos}ns"),
    })
}

/// The scenario with a strategy.
pub(super) fn with_strategy(builder: &ScenarioBuilder, name: &str) -> ScenarioBuilder {
    let mut builder = builder.clone();
    builder.configure(JITTER, name);
    builder
}

/// Whether the server has a login stage.
pub(super) fn has_login(builder: &ScenarioBuilder) -> bool {
    source(builder).get("server").is_some_and(|server| server.get("login").is_some())
}

/// Whether the login stage says how long a login takes.
pub(super) fn has_login_service(builder: &ScenarioBuilder) -> bool {
    let source = source(builder);
    let login = source.get("server").and_then(|server| server.get("login"));
    login.is_some_and(|login| login.get("service").is_some())
}

/// Whether a group says how its clients log in.
fn has_own_login(builder: &ScenarioBuilder) -> bool {
    let source = source(builder);
    let groups = source.get("groups").and_then(Value::as_array);
    groups
        .into_iter()
        .flatten()
        .any(|group| group.get("config").is_some_and(|config| config.get("login").is_some()))
}

fn source(builder: &ScenarioBuilder) -> Table {
    builder.to_toml().parse().unwrap_or_default()
}

impl Change {
    /// The field as the flag sets it, if this flag has set `field`.
    pub(super) fn field<'f>(&self, field: &'f str) -> Option<&'f str> {
        match self.target {
            Target::Scenario(paths) => paths.contains(&field).then_some(field),
            Target::Core(path) => in_groups(field).filter(|field| *field == path),
            Target::Jitter => in_groups(field).filter(|field| *field == JITTER),
        }
    }
}

/// The setting of the core at a path such as `groups.0.config.connect_timeout`.
fn in_groups(field: &str) -> Option<&str> {
    let (_, setting) = field.strip_prefix("groups.")?.split_once(".config.")?;
    Some(setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_becomes_a_whole_number_of_a_smaller_unit() {
        for (value, expected) in [
            ("0.5ms", "500us"),
            ("1.50ms", "1500us"),
            ("0.0025 ms", "2500ns"),
            ("2.5us", "2500ns"),
            ("0.003s", "3000us"),
            ("3.0ms", "3000us"),
        ] {
            assert_eq!(whole(value).as_deref(), Some(expected), "{value}");
        }
        for value in [
            "3ms",
            "500us",
            "1.5",
            "0.0000005ms",
            "-0.5ms",
            ".5ms",
            "0.-5ms",
            "1.5.2ms",
            "0.5h",
            "99999999999999.5s",
        ] {
            assert_eq!(whole(value), None, "{value}");
        }
    }
}
