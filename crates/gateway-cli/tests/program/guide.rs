//! The program accepts every command in docs/guide.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arguments of each command line in these files, without the comment behind it.
fn commands(paths: Vec<PathBuf>) -> Vec<String> {
    let texts = paths.into_iter().map(|path| fs::read_to_string(path).expect("it is UTF-8"));
    let lines: Vec<String> = texts.flat_map(|text| lines(&text)).collect();
    let starts = ["gateway ", "cargo run -p gateway-cli -- "];
    let arguments = |line: &String| {
        let arguments = starts.iter().find_map(|start| line.strip_prefix(start))?;
        arguments.split(" # ").next().map(ToOwned::to_owned)
    };
    lines.iter().filter_map(arguments).collect()
}

/// The lines of code blocks for a shell.
fn lines(text: &str) -> Vec<String> {
    let uncommented = text.lines().map(|line| line.trim_start_matches("//! "));
    let mut is_shell = false;
    let shell = uncommented.filter(|line| {
        is_shell = if line.starts_with("```") { *line == "```sh" } else { is_shell };
        is_shell
    });
    shell.map(ToOwned::to_owned).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let entries = fs::read_dir(folder).expect("the folder exists");
    entries.map(|entry| entry.expect("the folder can be read").path()).collect()
}

/// With `--help` behind it a command does nothing, but what stands before is judged first.
#[test]
fn the_program_takes_every_command_of_the_guide() {
    let commands = commands([files("docs/guide/src"), files("examples/guide")].concat());
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let arguments = command.split_whitespace().chain(["--help"]);
        let output = Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
