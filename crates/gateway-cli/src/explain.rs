//! The command `gateway explain`: what the client does after a close code or an HTTP status, and why.

use std::{fmt, path::PathBuf, process::ExitCode};

use clap::Args;
use gateway_tokio::core::{Explanation, Policy, Rule, Sent, Verdict, format_duration};

use crate::settings::{Flags, Purpose, Settings};

/// The command line of `gateway explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A close code (1000-4999) or an HTTP status (100-599).
    #[arg(value_name = "CODE", value_parser = code)]
    code: u16,

    /// Uses the policy and the dialect of this TOML file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Uses the rules of this dialect: a preset of `gateway dialects`, or a TOML file.
    #[arg(long, value_name = "NAME|FILE", env = "GATEWAY_DIALECT", hide_env_values = true)]
    dialect: Option<String>,

    /// Adds a rule: retry, refresh, fatal, or a least delay such as 1013=30s (repeats).
    #[arg(long, value_name = "CODE[-CODE]=VERDICT")]
    policy: Vec<String>,
}

/// Runs the command. Returns 0, or 2 if the configuration is not valid.
pub(crate) fn run(args: ExplainArgs) -> ExitCode {
    let dialect = args.dialect.into_iter().filter(|dialect| !dialect.is_empty()).collect();
    let flags = Flags::only([("policy", args.policy), ("dialect", dialect)]);
    let settings = match Settings::load(args.config.as_deref(), flags, Purpose::Inspect) {
        Ok(settings) => settings,
        Err(errors) => return errors.report(),
    };
    let text = Answer { code: args.code, settings: &settings }.to_string();
    crate::log::print(&text)
}

/// Parses a number that the policy covers.
pub(crate) fn code(text: &str) -> Result<u16, &'static str> {
    let code = text.parse().ok();
    code.filter(|code| Policy::default().explain(*code).is_some())
        .ok_or("must be a close code (1000-4999) or an HTTP status (100-599)")
}

/// The one status that no rule covers, even if the policy has one for it.
const SWITCHING_PROTOCOLS: u16 = 101;

struct Answer<'a> {
    code: u16,
    settings: &'a Settings,
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, policy) = (self.code, self.settings.config.policy());
        let Some(Explanation { rule, by_user, sent, .. }) = policy.explain(code) else {
            return writeln!(formatter, "{code}: neither a close code nor an HTTP status");
        };
        if code == SWITCHING_PROTOCOLS {
            writeln!(formatter, "HTTP status {code}: the upgrade succeeded\n")?;
            writeln!(formatter, "  received   the connection is open: CONNECTED")?;
            writeln!(formatter, "  rule       none")?;
            return writeln!(formatter, "  sent       never: {}", sent.text());
        }
        let default = Policy::default().judge(code);
        let is_status = code < 1000;
        let kind = if is_status { "HTTP status" } else { "close code" };
        writeln!(formatter, "{kind} {code}: {}\n", default.meaning())?;
        writeln!(formatter, "  received   {}", self.consequence(rule.verdict()))?;
        if by_user {
            let source = match self.settings.is_of_dialect(&rule) {
                true => "from the dialect",
                false => rule.meaning(),
            };
            writeln!(formatter, "  rule       {}, {source}", Codes(rule))?;
            writeln!(formatter, "  default    {}", self.consequence(default.verdict()))?;
        } else {
            writeln!(formatter, "  rule       {}, a default", Codes(rule))?;
        }
        let never = if matches!(sent, Sent::Never(_)) { "never: " } else { "" };
        writeln!(formatter, "  sent       {never}{}", sent.text())
    }
}

impl Answer<'_> {
    /// What the client does, with the numbers of this configuration.
    fn consequence(&self, verdict: Verdict) -> String {
        let config = &self.settings.config;
        let backoff = config.backoff();
        let (low, high) = backoff.bounds(0);
        let first = format!("{} to {}", format_duration(low), format_duration(high));
        let most = format_duration(backoff.bounds(u32::MAX).1);
        if verdict != Verdict::Fatal && config.max_attempts() == Some(0) {
            return format!("{verdict}, but max_attempts is 0: the connection is CLOSED");
        }
        let bound = match config.max_attempts() {
            Some(most) => format!(", at most {most} times"),
            None => String::new(),
        };
        match verdict {
            Verdict::Retry if self.code < 1000 => {
                format!(
                    "retry: after {first}, later up to {most}{bound}; a Retry-After is honoured"
                )
            }
            Verdict::Retry => format!("retry: after {first}, later up to {most}{bound}"),
            Verdict::RetryNoSoonerThan(least) => {
                let least = format_duration(least);
                format!("retry: after {least} at the earliest, with jitter on top{bound}")
            }
            Verdict::RefreshCredentials => {
                format!("refresh: once more after {first}, with new credentials; then fatal")
            }
            Verdict::Fatal => "fatal: the connection is CLOSED and not tried again".to_owned(),
        }
    }
}

struct Codes(Rule);

impl fmt::Display for Codes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.first(), self.0.last()) {
            (first, last) if first == last => first.fmt(formatter),
            (first, last) => write!(formatter, "{first}-{last}"),
        }
    }
}
