//! A checked command: what is simulated, and where the results go.

use std::{fmt::Write as _, path::Path, str::FromStr as _};

use gateway_sim::{NamedScenario, Scenario, ScenarioBuilder};
use gateway_tokio::core::Strategy;
use toml::Table;

use super::{
    args::SimulateArgs,
    changes::{self, Change},
    folder::Folder,
    problems::Problems,
    words::quoted,
};
use crate::settings::{MAX_FILE, not_toml, read_text};

/// What a command asks for. Everything in it is valid.
#[derive(Debug)]
pub(super) struct Plan {
    /// The same scenario with each strategy.
    pub(super) variants: Vec<Variant>,
    /// The place of the variant that the first line and the searches are about.
    pub(super) lead: usize,
    pub(super) is_searched: bool,
    /// The command to repeat the simulation, without the folder of its results.
    pub(super) command: String,
    pub(super) folder: Option<Folder>,
}

/// A scenario with a strategy, or with the strategies of its groups.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) scenario: Scenario,
}

/// The name of a variant whose groups have different strategies.
pub(super) const MIXED: &str = "mixed";
/// The word for all strategies.
const ALL: &str = "all";

impl Plan {
    /// # Errors
    /// Every error of the command and its scenario.
    pub(super) fn new(args: &SimulateArgs) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let (variants, lead) = read(args, &mut problems).unwrap_or_default();
        let names: Vec<_> = variants.iter().map(|variant| variant.name.as_str()).collect();
        let path = args.run.out.as_deref();
        let folder = path.map(|path| Folder::check(path, args.run.force, &names, &mut problems));
        if !problems.is_empty() {
            return Err(problems);
        }
        // Created last, so that a command with an error leaves nothing behind.
        if let Some(folder) = &folder {
            folder.create(&mut problems);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let is_searched = !args.run.no_search;
        let seed = variants[lead].scenario.seed();
        Ok(Self { variants, lead, is_searched, command: command(args, seed), folder })
    }

    pub(super) fn lead(&self) -> &Variant {
        &self.variants[self.lead]
    }
}

/// The scenario of the command as TOML.
///
/// # Errors
/// Every error of the scenario.
pub(super) fn print(args: &SimulateArgs) -> Result<String, Problems> {
    let mut problems = Problems::default();
    let variants = read(args, &mut problems);
    match variants {
        Some((variants, lead)) if problems.is_empty() => {
            // A comment explains a built-in scenario that no flag changes.
            let named = args.scenario.as_deref().map_or(Some(NamedScenario::Drop), named);
            let is_changed = !changes::changes(args).is_empty();
            let unchanged = named.filter(|_| !is_changed).map(|named| named.toml().to_owned());
            Ok(unchanged.unwrap_or_else(|| variants[lead].scenario.to_toml()))
        }
        _ => Err(problems),
    }
}

/// The scenario with each strategy, and which of them leads. `None` if there is no scenario.
fn read(args: &SimulateArgs, problems: &mut Problems) -> Option<(Vec<Variant>, usize)> {
    let changes = changes::changes(args);
    let (mut builder, origin) = base(args.scenario.as_deref(), problems)?;
    changes::apply(&changes, &mut builder);
    if args.fleet.login_timeout.is_some() && !changes::has_login(&builder) {
        let limit = "must be set, or no client logs in: add --login, such as --login 3ms";
        problems.add("server.login", "", limit, "--login-timeout");
    }
    if args.server.login_workers.is_some() && !changes::has_login_service(&builder) {
        let limit = "must be set, or workers have nothing to do: add --login, such as --login 3ms";
        problems.add("server.login.service", "", limit, "--login-workers");
        // Any time will do for the search for other errors.
        builder.remove("server.login.capacity").set("server.login.service", "1ms");
    }
    let own = build(&builder, &changes, &origin, problems);
    let own_name = own.as_ref().map(strategy).unwrap_or_default();
    let Some(jitter) = &args.fleet.jitter else {
        return Some((vec![Variant { name: own_name, scenario: own? }], 0));
    };
    let mut names: Vec<String> = match jitter.as_str() {
        ALL => Strategy::ALL.map(|strategy| strategy.to_string()).to_vec(),
        list => list.split(',').map(|name| written(name.trim())).collect(),
    };
    // The scenario's own strategy may be one with numbers, which no list has.
    if jitter == ALL && Strategy::parse(&own_name).is_some() {
        names.push(own_name.clone());
    }
    let mut variants: Vec<Variant> = Vec::new();
    for name in names {
        if name.is_empty() {
            let limit = "must be strategies with commas between them, or all";
            problems.add("reconnect.jitter", jitter, limit, "--jitter");
        } else if variants.iter().all(|variant| variant.name != name) {
            let builder = changes::with_strategy(&builder, &name);
            let scenario = build(&builder, &changes, &origin, problems);
            variants.extend(scenario.map(|scenario| Variant { name, scenario }));
        }
    }
    let own_place = variants.iter().position(|variant| variant.name == own_name);
    let lead = if jitter == ALL { own_place.unwrap_or(0) } else { 0 };
    (!variants.is_empty()).then_some((variants, lead))
}

fn build(
    builder: &ScenarioBuilder,
    changes: &[Change],
    origin: &str,
    problems: &mut Problems,
) -> Option<Scenario> {
    match builder.build() {
        Ok(scenario) => Some(scenario),
        Err(errors) => {
            problems.of_scenario(&errors, changes, origin);
            None
        }
    }
}

/// The scenario that the flags change, and what errors call it.
fn base(path: Option<&Path>, problems: &mut Problems) -> Option<(ScenarioBuilder, String)> {
    let Some(path) = path else { return base(Some(Path::new("drop")), problems) };
    if let Some(named) = named(path) {
        return Some((ScenarioBuilder::named(named), format!("scenario {named}")));
    }
    let shown = path.display().to_string();
    let text = match read_text(path, MAX_FILE) {
        Ok(text) => text,
        Err(error) => {
            let is_word = !shown.contains(['/', '.']);
            let limit = match NamedScenario::from_str(&shown) {
                Err(unknown) if is_word => unknown.limit().to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            problems.add("scenario", &shown, &limit, "--scenario");
            return None;
        }
    };
    if let Err(error) = text.parse::<Table>() {
        problems.add("scenario", &shown, &not_toml(&text, &error), "--scenario");
        return None;
    }
    match ScenarioBuilder::from_toml(&text) {
        Ok(builder) => Some((builder, shown)),
        Err(errors) => {
            problems.of_scenario(&errors, &[], &shown);
            None
        }
    }
}

fn named(path: &Path) -> Option<NamedScenario> {
    NamedScenario::from_str(path.to_str()?).ok()
}

/// The strategy of all groups, as [`written`].
fn strategy(scenario: &Scenario) -> String {
    let mut all = scenario.groups().iter().map(|group| group.config.backoff().strategy());
    let first = all.next().filter(|first| all.all(|strategy| strategy == *first));
    first.map_or_else(|| MIXED.to_owned(), |strategy| strategy.to_string())
}

/// The one form of a strategy that has several, such as `uniform:0.5:1` and `uniform:0.50:1`. An
/// unknown name stays, for its error.
fn written(name: &str) -> String {
    Strategy::parse(name).map_or_else(|| name.to_owned(), |strategy| strategy.to_string())
}

/// The command without what does not change its results. A file is named without its folder.
fn command(args: &SimulateArgs, seed: u64) -> String {
    let mut command = "gateway simulate".to_owned();
    let scenario = args.scenario.as_deref().unwrap_or(Path::new("drop"));
    let shown = match named(scenario) {
        Some(named) => named.name().to_owned(),
        None => scenario.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    // Writing to a String cannot fail.
    let _ = write!(command, " --scenario {}", quoted(&shown));
    for Change { flag, value, .. } in changes::changes(args) {
        let _ = write!(command, " {flag} {}", quoted(&value));
    }
    if args.run.seed.is_none() {
        let _ = write!(command, " --seed {seed}");
    }
    if args.run.no_search {
        command.push_str(" --no-search");
    }
    command
}
