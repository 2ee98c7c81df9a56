//! The flags of `gateway serve`.

use std::{
    ffi::OsStr,
    net::{SocketAddr, ToSocketAddrs as _},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use clap::{
    Arg, Args, Command, Error, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
    value_parser,
};
use gateway_hostile::{AcceptLimit, AcceptLimitError, NoScript, Script, Secret, ServedDialect};
use gateway_tokio::core::parse_duration;

use crate::byte_size::ByteSize;

const LIST: &str = "list";

/// The command line of `gateway serve`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on, or a name such as localhost:0. Port 0 chooses a free port. The first
    /// line on stdout is the URL.
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:9001",
        value_parser = listen_address
    )]
    pub(crate) listen: SocketAddr,

    /// What the server does to its clients: a script, or close-CODE with any close code that may be
    /// sent. `list` prints all scripts with the rules for clients, and exits.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "echo",
        value_parser = ScriptParser,
        hide_possible_values = true
    )]
    pub(crate) script: ScriptChoice,

    /// Applies the script to the first N connections, then echoes [default: to all]
    #[arg(long, value_name = "N")]
    pub(crate) faults: Option<u64>,

    /// The largest message that the server accepts from a client.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::ONE_MEBIBYTE)]
    pub(crate) max_message_size: ByteSize,

    #[command(flatten)]
    pub(crate) load: LoadArgs,

    #[command(flatten)]
    pub(crate) dialect: DialectArgs,

    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// The flags of a server under load.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Being under load")]
pub(crate) struct LoadArgs {
    /// Accepts N connections in a second: the server works on one connection at a time, then answers
    /// its request for an upgrade. Others wait in a queue, in their order [default: no limit]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(AcceptLimit::MAX_PER_SECOND)))]
    pub(crate) accepts: Option<u32>,

    /// How many connections may wait in the queue. The server resets a connection that finds it full.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = queue, requires = "accepts")]
    pub(crate) queue: usize,

    /// The cost of a connection whose client has left before its turn, relative to one whose client
    /// waits, from 0 to 10. With 1 the server notices only when it answers, as real servers do; with
    /// 0 it skips the connection for free.
    #[arg(long, value_name = "COST", default_value_t = 1.0, value_parser = dead_work, requires = "accepts")]
    pub(crate) dead_work: f64,

    /// Resets all connections once, SPAN after the start. --accepts then applies only from that
    /// instant, so that many clients can connect before.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) drop_after: Option<Duration>,
}

impl LoadArgs {
    /// The limit of accepts, if there is one.
    pub(crate) fn limit(&self) -> Result<Option<AcceptLimit>, AcceptLimitError> {
        let limit =
            |accepts| AcceptLimit::new(accepts)?.queue(self.queue)?.dead_work(self.dead_work);
        self.accepts.map(limit).transpose()
    }
}

/// The flags of dialects and logins.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Speaking a gateway's dialect")]
pub(crate) struct DialectArgs {
    /// Plays the server's side of a real gateway's dialect: its greeting, login, heartbeat and
    /// answers. Scripts work with each dialect. Without a dialect, the server echoes messages, and
    /// answers {"type":"ping"}.
    #[arg(long, value_name = "NAME", value_parser = dialect())]
    pub(crate) dialect: Option<ServedDialect>,

    /// Accepts logins with TOKEN only. Repeats: each TOKEN is accepted. The dialect says where the
    /// token is, and how another one is refused. Without a dialect, and with ping and op-ping, the
    /// first message must be TOKEN, plain or as {"type":"login","token":TOKEN}; the server answers
    /// {"type":"login_ok"}, or {"type":"login_failed"} and close 1008.
    #[arg(long, value_name = "TOKEN", env = "GATEWAY_SERVE_LOGIN", hide_env_values = true)]
    pub(crate) login: Vec<Secret>,

    /// Refuses each TOKEN as expired after N logins. Open connections stay.
    #[arg(long, value_name = "N", requires = "login")]
    pub(crate) login_uses: Option<NonZeroU32>,

    /// Refuses each TOKEN as expired once SPAN has passed since its first login. Open connections
    /// stay.
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "login")]
    pub(crate) login_expires: Option<Duration>,

    /// How often the server pings, in the dialect socket.io.
    #[arg(long, value_name = "SPAN", default_value = "25s", value_parser = span, requires = "dialect")]
    pub(crate) ping_interval: Duration,

    /// How long a client may take to answer such a ping. Then the server closes.
    #[arg(long, value_name = "SPAN", default_value = "20s", value_parser = span, requires = "dialect")]
    pub(crate) ping_timeout: Duration,
}

/// The flags of the judge.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Judging a client")]
pub(crate) struct JudgeArgs {
    /// Watches one client, made with any library, and prints a report: what it did, and whether it
    /// kept the script's rules. Exits with 0 if no rule was broken, with 1 if one was or no client
    /// connected, with 2 on a usage error.
    #[arg(long, conflicts_with = "faults")]
    pub(crate) judge: bool,

    /// How long to watch the client, from the start; a signal ends it earlier [default: twice --within
    /// plus 5 s, because a client may notice and reconnect late]
    #[arg(long = "for", value_name = "SPAN", value_parser = span, requires = "judge")]
    pub(crate) watched: Option<Duration>,

    /// The time limit for a client to notice a fault, and the same limit to reconnect. Use the limit
    /// that the client promises. Must be shorter than --for.
    #[arg(long, value_name = "SPAN", default_value = DEFAULT_WITHIN, value_parser = span, requires = "judge")]
    pub(crate) within: Duration,

    /// Writes the report to this file. For - it goes to stdout, after the URL.
    #[arg(long, value_name = "FILE", default_value = "-", requires = "judge")]
    pub(crate) report: PathBuf,

    /// The format of the report: text for people, JSON for programs.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "judge")]
    pub(crate) report_format: ReportFormat,
}

/// The default limit of the rules: below the minute after which proxies close idle connections.
pub(crate) const DEFAULT_WITHIN: &str = "45s";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ScriptChoice {
    List,
    Play(&'static Script),
}

/// Parses an address, or resolves a name. Prefers IPv4, because IPv6 may be disabled.
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

fn queue(text: &str) -> Result<usize, String> {
    const MAX: usize = AcceptLimit::MAX_QUEUE;
    let connections = text.parse().ok().filter(|connections| (1..=MAX).contains(connections));
    connections.ok_or_else(|| format!("must be a number of connections from 1 to {MAX}"))
}

fn dead_work(text: &str) -> Result<f64, String> {
    const MAX: f64 = AcceptLimit::MAX_DEAD_WORK;
    let cost = text.parse().ok().filter(|cost| (0.0..=MAX).contains(cost));
    cost.ok_or_else(|| format!("must be a number from 0 to {MAX}, such as 0.5"))
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text)
        .filter(|span| !span.is_zero())
        .ok_or("must be a span such as 500ms, 30s or 5m, longer than 0")
}

/// Parses the name of a dialect. For an unknown name clap suggests the nearest one.
fn dialect() -> impl TypedValueParser<Value = ServedDialect> {
    let names = ServedDialect::ALL.iter();
    PossibleValuesParser::new(
        names.map(|dialect| PossibleValue::new(dialect.name()).help(dialect.about())),
    )
    .try_map(|name| ServedDialect::named(&name).ok_or("no dialect has this name"))
}

/// Parses the name of a script. For an unknown name clap suggests the nearest one.
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
        match Script::named(&name) {
            Ok(script) => Ok(ScriptChoice::Play(script)),
            Err(NoScript::Code) => Err(no_code()),
            // `Name`, and what a later version may add.
            Err(_) => {
                let names = Script::all().iter().map(Script::name);
                // Only the literal `close-CODE` passes this check without being a script.
                PossibleValuesParser::new(names.chain(["close-CODE", LIST]))
                    .parse_ref(command, argument, value)
                    .and_then(|_| Err(no_code()))
            }
        }
    }
}
