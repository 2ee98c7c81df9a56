//! Checks docs/guide: what a page names exists, no page is forgotten, and each shows a program that is built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page of the guide.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn name(&self) -> String {
        file_name(&self.path)
    }

    /// The lines outside code blocks, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_code = false;
        (1..).zip(self.text.lines()).filter(move |(_, line)| {
            let is_fence = line.starts_with("```");
            in_code ^= is_fence;
            !in_code && !is_fence
        })
    }

    /// What `{{#include PATH:ANCHOR}}` names, as a path of the page's folder and an anchor. A TOML
    /// file is shown as a whole, without an anchor.
    fn includes(&self) -> Vec<(PathBuf, Option<String>)> {
        let rests = self.text.split("{{#include ").skip(1);
        let named = rests.map(|rest| rest.split_once("}}").expect("an include is closed").0);
        named
            .map(|named| match named.rsplit_once(':') {
                Some((path, anchor)) => (self.resolve(path), Some(anchor.to_owned())),
                None => (self.resolve(named), None),
            })
            .collect()
    }

    /// The targets of links such as `[text](target)`, but for those to other sites.
    fn links(&self) -> Vec<&str> {
        let targets = self.prose().flat_map(|(_, line)| line.split("](").skip(1));
        let targets = targets.map(|rest| rest.split_once(')').expect("a link is closed").0);
        targets.filter(|target| !target.starts_with("https://")).collect()
    }

    /// The fragments of this page's headings, as mdBook makes them.
    fn fragments(&self) -> BTreeSet<String> {
        let headings = self.prose().filter(|(_, line)| line.starts_with('#'));
        headings.map(|(_, line)| fragment(line.trim_start_matches('#').trim())).collect()
    }

    fn resolve(&self, relative: &str) -> PathBuf {
        self.path.parent().expect("a page is in a folder").join(relative)
    }
}

fn fragment(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("it is a file").to_string_lossy().into_owned()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).expect("the folder exists");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Every page, the table of contents apart.
fn pages() -> (Page, Vec<Page>) {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a page is UTF-8");
        Page { path, text }
    };
    let mut pages: Vec<_> = files("docs/guide/src", "md").into_iter().map(read).collect();
    let summary = pages.iter().position(|page| page.name() == "SUMMARY.md").expect("a summary");
    let summary = pages.swap_remove(summary);
    (summary, pages)
}

#[test]
fn every_include_names_an_anchor_that_stands_once() {
    for page in pages().1 {
        for (path, anchor) in page.includes() {
            let shown = format!("{}: {}:{anchor:?}", page.name(), path.display());
            let source = fs::read_to_string(&path).unwrap_or_else(|error| {
                panic!("{shown}: {error}");
            });
            let Some(anchor) = anchor else {
                assert_eq!(path.extension().unwrap_or_default(), "toml", "{shown}");
                continue;
            };
            for mark in ["ANCHOR", "ANCHOR_END"] {
                let wanted = format!("// {mark}: {anchor}");
                let found = source.lines().filter(|line| line.trim() == wanted).count();
                assert_eq!(found, 1, "{shown}: {mark}");
            }
        }
    }
}

#[test]
fn every_page_shows_a_program() {
    for page in pages().1 {
        assert!(!page.includes().is_empty(), "{} includes no program", page.name());
    }
}

#[test]
fn rust_stands_in_programs_and_not_in_pages() {
    for page in pages().1 {
        for block in page.text.split("```rust").skip(1) {
            let first = block.lines().nth(1).unwrap_or_default();
            assert!(first.starts_with("{{#include "), "{}: {first}", page.name());
        }
    }
}

#[test]
fn every_program_is_built_and_shown() {
    let manifest = fs::read_to_string(repository().join("examples/Cargo.toml")).unwrap();
    let pages = pages().1;
    let shown = pages.iter().flat_map(Page::includes).map(|(path, _)| file_name(&path));
    let shown: BTreeSet<String> = shown.collect();
    for program in files("examples/guide", "rs") {
        let name = file_name(&program);
        assert!(manifest.contains(&format!("path = \"guide/{name}\"")), "{name} is not built");
        assert!(shown.contains(&name), "no page shows {name}");
    }
}

#[test]
fn every_example_that_a_page_runs_exists() {
    let manifest = fs::read_to_string(repository().join("examples/Cargo.toml")).unwrap();
    for page in pages().1 {
        for command in page.text.split("--example ").skip(1) {
            let name = command.split_whitespace().next().unwrap_or_default();
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{}: {name}", page.name());
        }
    }
}

#[test]
fn the_summary_lists_every_page_once() {
    let (summary, pages) = pages();
    let mut listed: Vec<String> = summary.links().into_iter().map(ToOwned::to_owned).collect();
    let mut found: Vec<String> = pages.iter().map(Page::name).collect();
    listed.sort_unstable();
    found.sort_unstable();
    assert_eq!(listed, found);
}

#[test]
fn every_relative_link_leads_somewhere() {
    let (summary, mut pages) = pages();
    pages.push(summary);
    for page in &pages {
        for link in page.links() {
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let shown = format!("{}: {link}", page.name());
            let target = if path.is_empty() { page.path.clone() } else { page.resolve(path) };
            assert!(target.exists(), "{shown}");
            let target = pages.iter().find(|other| file_name(&other.path) == file_name(&target));
            let has_fragment = |target: &Page| target.fragments().contains(wanted);
            assert!(wanted.is_empty() || target.is_some_and(has_fragment), "{shown}");
        }
    }
}

#[test]
fn every_path_of_the_repository_in_a_code_span_exists() {
    for page in pages().1 {
        for span in page.prose().flat_map(|(_, line)| line.split('`').skip(1).step_by(2)) {
            if ["crates/", "docs/", "examples/"].iter().any(|folder| span.starts_with(folder)) {
                assert!(repository().join(span).exists(), "{}: {span}", page.name());
            }
        }
    }
}

#[test]
fn prose_wraps_at_100_columns() {
    for page in pages().1 {
        for (number, line) in page.prose().filter(|(_, line)| !line.starts_with('|')) {
            assert!(line.chars().count() <= 100, "{}:{number}", page.name());
        }
    }
}
