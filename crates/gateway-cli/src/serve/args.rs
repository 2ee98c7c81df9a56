//! The flags of `gateway serve`.

use std::net::{SocketAddr, ToSocketAddrs as _};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use super::{Script, Secret};
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

    /// What to do to the connections; `list` prints all scripts, and ends.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "echo",
        value_parser = script_parser(),
        hide_possible_values = true
    )]
    pub(crate) script: ScriptChoice,

    /// Plays the script on the first N connections, then echoes [default: on all of them]
    #[arg(long, value_name = "N")]
    pub(crate) faults: Option<u64>,

    /// The largest message taken from a client.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::ONE_MEBIBYTE)]
    pub(crate) max_message_size: ByteSize,
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

fn script_parser() -> impl clap::builder::TypedValueParser<Value = ScriptChoice> {
    let names = Script::all().iter().map(|script| script.name);
    PossibleValuesParser::new(names.chain([LIST]))
        .map(|name| Script::by_name(&name).map_or(ScriptChoice::List, ScriptChoice::Play))
}
