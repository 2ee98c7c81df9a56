//! The command `gateway dialects`: lists the presets, or prints one to start from.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use gateway_dialects::{Preset, Suggestions, preset, presets};

/// The command line of `gateway dialects`.
#[derive(Debug, Args)]
pub(crate) struct DialectsArgs {
    /// Prints this preset as TOML, to start your own dialect from
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command. Returns 0, or 2 if there is no such preset.
pub(crate) fn run(args: &DialectsArgs) -> ExitCode {
    let Some(name) = &args.name else { return crate::log::print(&list()) };
    match preset(name) {
        Ok(preset) => crate::log::print(&page(&preset)),
        Err(unknown) => {
            crate::log::error(&unknown);
            ExitCode::from(2)
        }
    }
}

fn list() -> String {
    let width = presets().iter().map(|preset| preset.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for preset in presets() {
        let (name, summary) = (preset.name(), preset.summary());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:width$}  {summary}");
        let _ = writeln!(text, "{:width$}  {}", "", preset.covers());
    }
    text.push_str("\n`gateway dialects NAME` prints one; `gateway connect URL --dialect NAME|FILE` uses it.\n");
    text
}

fn page(preset: &Preset) -> String {
    preset.toml().map_or_else(|| facts(preset), str::to_owned)
}

/// What a preset in Rust does, as comments: it is no file to start from.
fn facts(preset: &Preset) -> String {
    let Suggestions { subprotocols, path, policy, .. } = preset.suggestions();
    let rules: Vec<_> = policy
        .iter()
        .map(|rule| format!("{} = {}", rule.codes(), rule.verdict().written()))
        .collect();
    let needed = preset.secrets();
    let mut optional = preset.secret_names();
    optional.retain(|name| !needed.contains(name));
    let mut text = format!(
        "# {}: {}\n# It does: {}.\n# It is written in Rust, because it needs more than the format of a \
         dialect's file has.\n",
        preset.name(),
        preset.summary(),
        preset.covers(),
    );
    for (what, values) in [
        ("It needs the secrets", needed),
        ("It can use the secrets", optional),
        ("It offers the subprotocols", subprotocols),
        ("It adds to a URL without a path", Vec::from_iter(path)),
        ("Its rules for close codes", rules),
    ] {
        if !values.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# {what}: {}", values.join(", "));
        }
    }
    text
}
