//! Makes the tables and pictures of docs/STORMS.md.
//!
//! ```sh
//! cargo run --release -p gateway-storm-map                  # all figures, written into docs
//! cargo run --release -p gateway-storm-map -- --check atom  # compares one, and writes nothing
//! ```
//!
//! The same code makes the same bytes on every machine: a simulation depends on its scenario and seed
//! alone.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

mod clients;
mod figure;
mod figures;
mod picture;
mod runs;
mod storm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{error::Error, fs};

use clap::Parser;

use crate::figure::Figure;
use crate::figures::FIGURES;

/// Makes the tables and pictures of docs/STORMS.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// The figures to make. Without a name, all of them.
    #[arg(value_parser = figures::names())]
    figures: Vec<String>,
    /// Write nothing. Exit with 1 if a figure differs from the one in the documents.
    #[arg(long)]
    check: bool,
    /// The folder of the documents.
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
}

fn main() -> ExitCode {
    match make(&Arguments::parse()) {
        Ok(differing) if differing.is_empty() => ExitCode::SUCCESS,
        Ok(differing) => {
            eprintln!("differ from the documents: {}", differing.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the figures. With `--check`, returns the names of the files that differ.
fn make(arguments: &Arguments) -> Result<Vec<String>, Box<dyn Error>> {
    let page = arguments.docs.join("STORMS.md");
    let mut text = read(&page)?;
    let mut differing = Vec::new();
    for (name, make) in FIGURES {
        if !arguments.figures.is_empty() && !arguments.figures.iter().any(|chosen| chosen == name) {
            continue;
        }
        let Figure { table, picture } = make()?;
        println!("{name}\n{table}");
        let replaced = figure::replace(&text, name, &table)?;
        if arguments.check && replaced != text {
            differing.push(format!("{}, table {name}", page.display()));
        }
        text = replaced;
        if let Some(svg) = picture {
            let file = arguments.docs.join("storms").join(format!("{name}.svg"));
            if arguments.check && read(&file).ok().as_deref() != Some(&svg) {
                differing.push(file.display().to_string());
            }
            write(arguments, &file, &svg)?;
        }
        write(arguments, &page, &text)?;
    }
    Ok(differing)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn write(arguments: &Arguments, file: &Path, text: &str) -> Result<(), String> {
    if arguments.check {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
