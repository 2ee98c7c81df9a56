//! The flags of `gateway serve`.

use std::{
    ffi::OsStr,
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    time::Duration,
};

use clap::{
    Arg, Args, Command, Error, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use gateway_tokio::core::parse_duration;

use super::{Script, Secret, script::NoScript};
use crate::byte_size::ByteSize;

const LIST: &str = "list";

/// The command line of `gateway serve`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen, or a name such as localhost:0; port 0 takes a free one. The URL is the first line on stdout.
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:9001",
        value_parser = listen_address
    )]
    pub(crate) listen: SocketAddr,

    /// Wants TOKEN as the first message, plain or as {"type":"login","token":TOKEN}; answers
    /// {"type":"login_ok"}, or {"type":"login_failed"} and close 1008.
    #[arg(long, value_name = "TOKEN", env = "GATEWAY_SERVE_LOGIN", hide_env_values = true)]
    pub(crate) login: Option<Secret>,

    /// What to do to the connections: a script, or close-CODE with any close code that may be sent; `list` prints all scripts with
    /// what is expected of a client, and ends.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "echo",
        value_parser = ScriptParser,
        hide_possible_values = true
    )]
    pub(crate) script: ScriptChoice,

    /// Plays the script on the first N connections, then echoes [default: on all of them]
    #[arg(long, value_name = "N")]
    pub(crate) faults: Option<u64>,

    /// The largest message taken from a client.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::ONE_MEBIBYTE)]
    pub(crate) max_message_size: ByteSize,

    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// The flags of the judge.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Judging a client")]
pub(crate) struct JudgeArgs {
    /// Watches the one client that connects, whoever made it, and ends with a report: what it did, and whether that is what the script
    /// leads one to expect. Exit status: 0 no rule is broken, 1 one is or no client came, 2 usage.
    #[arg(long, conflicts_with = "faults")]
    pub(crate) judge: bool,

    /// For how long the client is watched, from the start; a signal ends it sooner [default: twice --within and 5 s: to see a fault
    /// late and to come back late]
    #[arg(long = "for", value_name = "SPAN", value_parser = span, requires = "judge")]
    pub(crate) watched: Option<Duration>,

    /// How long a client may take to see that something is wrong, and to come back: what it claims for itself. Shorter than --for.
    #[arg(long, value_name = "SPAN", default_value = DEFAULT_WITHIN, value_parser = span, requires = "judge")]
    pub(crate) within: Duration,

    /// Where the report goes; - is stdout, where it follows the URL.
    #[arg(long, value_name = "FILE", default_value = "-", requires = "judge")]
    pub(crate) report: PathBuf,

    /// Text for people, or JSON for tables.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "judge")]
    pub(crate) report_format: ReportFormat,
}

/// The bound of the rules where nobody names one: below the minute after which proxies cut what is idle.
pub(crate) const DEFAULT_WITHIN: &str = "45s";

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    #[default]
    Text,
    Json,
}

/// What `--script` asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScriptChoice {
    /// The table of scripts.
    List,
    Play(&'static Script),
}

/// An address, or the first of a name's; an IPv4 one where there is one, as IPv6 may be turned off.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    const FORM: &str = "must be IP:PORT, or a name that resolves to one, such as 127.0.0.1:9001";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let mut addresses: Vec<SocketAddr> =
        text.to_socket_addrs().map_err(|error| format!("{FORM} ({error})"))?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| FORM.to_owned())
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text)
        .filter(|span| !span.is_zero())
        .ok_or("must be a span such as 500ms, 30s or 5m, and longer than nothing")
}

/// Takes the name of a script. What is none gets clap's own words, with the nearest name.
#[derive(Clone)]
struct ScriptParser;

impl TypedValueParser for ScriptParser {
    type Value = ScriptChoice;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        let name = value.to_string_lossy();
        if name == LIST {
            return Ok(ScriptChoice::List);
        }
        let no_code = || {
            let message =
                format!("invalid value '{name}' for '--script <NAME>': {}\n", NoScript::Code);
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        };
        match Script::by_name(&name) {
            Ok(script) => Ok(ScriptChoice::Play(script)),
            Err(NoScript::Code) => Err(no_code()),
            Err(NoScript::Name) => {
                let names = Script::all().iter().map(|script| script.name);
                // The one of these that is none: the word for the codes, left as it stands.
                PossibleValuesParser::new(names.chain(["close-CODE", LIST]))
                    .parse_ref(command, argument, value)
                    .and_then(|_| Err(no_code()))
            }
        }
    }
}
