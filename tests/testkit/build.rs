//! Lists the scenarios. Every `pub(crate) fn NAME() -> Scenario` in `src/scenarios/TOPIC.rs` becomes
//! a test TOPIC::NAME.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SCENARIOS: &str = "src/scenarios";

fn main() {
    println!("cargo::rerun-if-changed={SCENARIOS}");
    let (mut tests, mut list) = (String::new(), String::new());
    for file in files() {
        let topic = file.file_stem().and_then(|stem| stem.to_str()).expect("a name in ASCII");
        let text = fs::read_to_string(&file).expect("a source file is text");
        let names = text.lines().filter_map(|line| line.strip_prefix("pub(crate) fn "));
        tests += &format!("mod {topic} {{ #[allow(unused_imports)] use super::*;\n");
        for (name, _) in names.filter_map(|line| line.split_once("()")) {
            writeln!(tests, "#[test] fn {name}() {{ $crate::judge(\"{name}\", $run); }}")
                .expect(INFALLIBLE);
            writeln!(list, "(\"{name}\", crate::scenarios::{topic}::{name}),").expect(INFALLIBLE);
        }
        tests += "}\n";
    }
    let written = format!(
        "/// Makes one test of each scenario, run by a harness: a function from `&Scenario` to [`Run`](crate::Run).\n\
         ///\n/// ```\n/// gateway_testkit::suite!(run = gateway_testkit::alone::run);\n/// # fn main() {{}}\n/// ```\n\
         #[macro_export]\nmacro_rules! suite {{\n(run = $run:path) => {{\n{tests}}};\n}}\n\n\
         /// Every scenario's name, and the function that makes it.\n\
         const ALL: &[(&str, Make)] = &[\n{list}];\n"
    );
    let folder = env::var("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&folder).join("suite.rs"), written).expect("cargo has made the folder");
}

const INFALLIBLE: &str = "a String takes every text";

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(SCENARIOS).expect("cargo runs this in the package's folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|file| !file.ends_with("mod.rs"));
    files.sort();
    files
}
