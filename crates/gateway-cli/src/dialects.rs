//! The command `gateway dialects`: lists the presets, or prints one to start from.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use gateway_dialects::{Preset, preset, presets};

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
    match preset.toml() {
        Some(toml) => toml.to_owned(),
        None => format!(
            "# {}: {}\n# It does: {}.\n# It is written in Rust, because it needs more than the format of a \
             dialect's file has.\n",
            preset.name(),
            preset.summary(),
            preset.covers(),
        ),
    }
}
