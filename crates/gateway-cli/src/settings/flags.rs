//! The flags and environment variables of the table. clap reads them into layers for the tree.

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, builder::ValueParser,
    parser::ValueSource,
};

use super::{
    origin::Origin,
    table::{Kind, SETTINGS, Setting},
    tree::Layer,
};

/// The settings from the command line and the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(Vec<Layer>);

impl Flags {
    /// Flags of a command that has only a few of them, by the paths of their settings.
    pub(crate) fn only(flags: impl IntoIterator<Item = (&'static str, Vec<String>)>) -> Self {
        let layer = |(path, values): (&str, Vec<String>)| {
            let setting = SETTINGS.iter().find(|setting| setting.path == path).expect("a setting");
            (!values.is_empty()).then_some(Layer { setting, origin: Origin::Flag(setting), values })
        };
        Self(flags.into_iter().filter_map(layer).collect())
    }

    pub(crate) fn into_layers(self) -> Vec<Layer> {
        self.0
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        SETTINGS
            .iter()
            .filter(|setting| setting.is_argument())
            .fold(command, |command, setting| command.arg(argument(setting)))
            .arg(surplus())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(SETTINGS.iter().filter_map(|setting| layer(setting, matches)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Values stay text here. They are validated together with those of the file, so that every error is
/// reported at once.
fn argument(setting: &'static Setting) -> Arg {
    let mut help = setting.help.to_owned();
    if let Some(default) = setting.default.filter(|_| setting.kind != Kind::Switch) {
        help = format!("{help} [default: {default}]");
    }
    let argument = Arg::new(setting.path)
        .help(help)
        .help_heading(setting.heading)
        .value_name(setting.value)
        .value_parser(ValueParser::string())
        .short(setting.short)
        .hide_env_values(true);
    let argument = match setting.variable {
        Some(variable) => argument.env(variable),
        None => argument,
    };
    let argument = match setting.flag {
        Some(flag) => argument.long(flag),
        None => argument,
    };
    match setting.kind {
        Kind::Positional => argument.help_heading(None),
        Kind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true),
        Kind::Value => argument.allow_negative_numbers(true),
        Kind::Url | Kind::Secret | Kind::Rate => argument,
        Kind::List | Kind::Entry | Kind::SecretEntry | Kind::Header => {
            argument.action(ArgAction::Append)
        }
    }
}

/// The arguments after the URL. The program refuses them itself: clap would print them with their userinfo.
const SURPLUS: &str = "surplus";

fn surplus() -> Arg {
    Arg::new(SURPLUS)
        .value_parser(ValueParser::string())
        .num_args(0..)
        .action(ArgAction::Append)
        .hide(true)
}

/// An empty environment variable counts as not set.
fn layer(setting: &'static Setting, matches: &ArgMatches) -> Option<Layer> {
    let known = matches.try_get_many::<String>(setting.path).ok()??;
    let mut values: Vec<String> = known.cloned().collect();
    if setting.kind == Kind::Positional {
        values.extend(matches.get_many::<String>(SURPLUS).into_iter().flatten().cloned());
    }
    let origin = match matches.value_source(setting.path)? {
        ValueSource::EnvVariable => Origin::Variable(setting.variable?),
        _ => Origin::Flag(setting),
    };
    let is_unset = matches!(origin, Origin::Variable(_)) && values.iter().all(String::is_empty);
    (!is_unset && !values.is_empty()).then_some(Layer { setting, origin, values })
}
