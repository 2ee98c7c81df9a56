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
        ("--login", &server.login, Scenario(&["server.login.service"])),
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
                    if *path != LOGIN_QUEUE || has_login(builder) {
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
