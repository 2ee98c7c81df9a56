//! `gateway simulate`: its answer, its results, its errors, and its end by a signal.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::common::{Ended, assert_documented, file, gateway, run, words};

mod refused;
mod results;

/// A fleet whose server accepts it within 10 s.
const RECOVERS: &str = "simulate --clients 300 --accepts 30 --horizon 2m --no-search";
/// A fleet whose server would need 300 s.
const STUCK: &str = "simulate --clients 300 --accepts 1 --horizon 2m --no-search";

async fn simulate(line: &str) -> Ended {
    run(gateway(&words(line)), b"").await
}

/// A folder of this test program's own, which does not exist.
fn folder(name: &str) -> PathBuf {
    let path = file(name, "");
    fs::remove_file(&path).expect("it was just written");
    if path.exists() {
        fs::remove_dir_all(&path).expect("it is left over");
    }
    path
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of a folder with their contents, sorted.
fn contents(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("it exists");
    let names = entries.map(|entry| entry.expect("it is readable").file_name());
    let mut files: Vec<_> = names
        .map(|name| name.into_string().expect("it is UTF-8"))
        .map(|name| (name.clone(), read(folder, &name)))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn the_first_line_answers_and_a_table_follows() {
    let Ended { status, stdout, stderr } = simulate(RECOVERS).await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("Recovers in "), "{stdout}");
    assert!(lines[0].contains(" (99 % of the clients): N/C is 10 s, the edge is "), "{stdout}");
    assert!(lines[0].ends_with(" s by rule."), "{stdout}");
    assert!(lines[2].starts_with("strategy ") && lines[2].ends_with("wasted work"), "{stdout}");
    assert!(lines[3].starts_with("decorrelated"), "{stdout}");
    assert!(stdout.contains("\nready clients, of 300") && stdout.contains('█'), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");

    let Ended { status, stdout, .. } = simulate(STUCK).await;
    assert_eq!(status, Some(0));
    let first = stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("Does not recover within 2m: N/C is 300 s, the edge is "), "{first}");
    assert_eq!(stdout.lines().nth(3).map(|row| row.matches('–').count()), Some(3), "{stdout}");
}

#[tokio::test]
async fn the_edge_is_found_by_simulation_near_that_of_the_rule() {
    let line = "simulate --clients 300 --accepts 30 --connect-timeout 60s --quiet";
    let Ended { stdout, .. } = simulate(line).await;
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let edge = |behind: &str| -> f64 {
        let text = stdout.split_once(behind).unwrap_or_else(|| panic!("{behind}: {stdout}")).1;
        text.split(' ').next().and_then(|edge| edge.parse().ok()).expect("seconds")
    };
    let (rule, simulated) = (edge("the edge is "), edge(" and "));
    assert!((simulated - rule).abs() < rule / 10.0, "{stdout}");
}

#[tokio::test]
async fn settings_that_help_are_found_and_do() {
    let flags = "--clients 300 --accepts 4 --connect-timeout 10s --connect-timeout-max 10s --quiet";
    let line = format!("simulate {flags}");
    let Ended { stdout, .. } = simulate(&line).await;
    assert!(stdout.starts_with("Does not recover within 10m: N/C is 75 s, "), "{stdout}");
    let value = |behind: &str| {
        let text = stdout.split_once(behind).unwrap_or_else(|| panic!("{behind}: {stdout}")).1;
        text.split([' ', ';']).next().unwrap_or_default().to_owned()
    };
    assert!(stdout.contains(" recovers it within 210 s ("), "{stdout}");

    let spread = format!("{line} --no-search --spread {}", value("a spread of "));
    let spread = simulate(&spread).await.stdout;
    assert!(spread.starts_with("Recovers in "), "{spread}");
}

#[tokio::test]
async fn no_setting_is_said_to_help_within_a_time_that_was_not_simulated() {
    // The recovery counts from the first drop. The second comes after the 120 s of a good one.
    let own = file(
        "late.toml",
        "name = 'late'\nclients = 300\nhorizon = '10m'\nmeasure_from = 0\n[server.accept]\n\
         capacity = 10\n[[faults]]\nkind = 'drop'\nat = 0\n[[faults]]\nkind = 'drop'\nat = '9m'",
    );
    let Ended { status, stdout, .. } =
        simulate(&format!("simulate --quiet --scenario {}", own.display())).await;
    assert_eq!(status, Some(0));
    assert!(stdout.contains("the edge is "), "{stdout}");
    assert!(!stdout.contains("recovers it within"), "{stdout}");
}

#[tokio::test]
async fn every_strategy_has_a_row_and_the_own_one_leads() {
    let alone = simulate(STUCK).await.stdout;
    let own = alone.lines().nth(3).and_then(|row| row.split(' ').next()).unwrap_or_default();

    let Ended { status, stdout, .. } = simulate(&format!("{STUCK} --jitter all")).await;
    assert_eq!(status, Some(0));
    assert!(stdout.starts_with(&format!("With {own}, the fleet does not recover")), "{stdout}");
    for name in ["decorrelated-smooth", "aws-decorrelated", "full", "equal", "none"] {
        let rows = stdout.lines().filter(|line| line.starts_with(&format!("{name} ")));
        assert_eq!(rows.count(), 3, "table, ready and attempts of {name}: {stdout}");
    }

    let Ended { stdout, .. } = simulate(&format!("{STUCK} --jitter full,equal,full")).await;
    assert!(stdout.starts_with("With full, the fleet does not recover"), "{stdout}");
    assert!(!stdout.contains("decorrelated"), "{stdout}");
    assert_eq!(stdout.lines().filter(|line| line.starts_with("full ")).count(), 3, "{stdout}");
}

#[tokio::test]
async fn strategies_with_numbers_are_told_apart() {
    let rows = |stdout: &str, name: &str| {
        let rows = stdout.lines().filter(|line| line.starts_with(&format!("{name} ")));
        rows.count()
    };
    let folder = folder("numbers");
    let line = format!(
        "{STUCK} --jitter uniform:0.5:1,uniform:0.50:1,uniform:0.7:3 --out {}",
        folder.display()
    );
    let Ended { stdout, .. } = simulate(&line).await;
    assert!(stdout.starts_with("With uniform:0.5:1, the fleet does not recover"), "{stdout}");
    assert_eq!(
        ["uniform:0.5:1", "uniform:0.50:1", "uniform:0.7:3"].map(|name| rows(&stdout, name)),
        [3, 0, 3],
        "{stdout}"
    );
    let report = read(&folder, "report.html");
    assert!(report.contains("delays uniform:0.5:1 from "), "{report}");
    assert!(folder.join("curve-uniform-0.7-3.csv").exists());

    let own = file(
        "uniform.toml",
        "name='own'\nclients=20\nhorizon='5s'\n[server.accept]\ncapacity=1\n\
         [[faults]]\nkind='drop'\nat=0\n[[groups]]\n\
         config.reconnect.jitter='uniform:0.70:3'",
    );
    let line = format!("simulate --no-search --scenario {}", own.display());
    let alone = simulate(&line).await.stdout;
    assert_eq!(rows(&alone, "uniform:0.7:3"), 3, "{alone}");
    let all = simulate(&format!("{line} --jitter all")).await.stdout;
    assert!(all.starts_with("With uniform:0.7:3, the fleet does not recover"), "{all}");
    assert_eq!(rows(&all, "uniform:0.7:3"), 3, "{all}");
    assert_eq!(rows(&all, "none"), 3, "{all}");
}

#[tokio::test]
async fn each_group_has_a_row() {
    let own = file(
        "groups.toml",
        "name='own'\nclients=20\nhorizon='60s'\n[server.accept]\ncapacity=1\n\
         [[faults]]\nkind='drop'\nat=0\n[[groups]]\nname='v1'\nshare=0.25\n\
         config.reconnect.max_attempts=1\n[[groups]]\nname='v2'\nshare=0.75",
    );
    let stdout =
        simulate(&format!("simulate --no-search --scenario {}", own.display())).await.stdout;
    let row = |name: &str| {
        let line = stdout.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
        line.split_whitespace().filter(|word| *word != "s").count()
    };
    assert_eq!((row("v1"), row("v2")), (5, 5), "name, three times and attempts: {stdout}");
}

#[tokio::test]
async fn flags_override_the_scenario() {
    let printed = |flags: &str| {
        let line = format!("simulate --print {flags}");
        async move { simulate(&line).await.stdout }
    };
    let login = printed("--scenario login-queue --login 5ms --login-workers 4 --queue 20s").await;
    let login: toml::Table = login.parse().expect("it is TOML");
    assert_eq!(login["server"]["login"]["service"].as_str(), Some("5ms"));
    assert_eq!(login["server"]["login"]["workers"].as_integer(), Some(4));
    assert_eq!(login["server"]["login"]["queue"].as_str(), Some("20s"));
    assert_eq!(login["server"]["accept"]["queue"].as_str(), Some("20s"));
    let half = printed("--login 0.5ms --login-workers 3").await;
    assert!(half.contains("service = \"500us\"") && half.contains("workers = 3"), "{half}");

    let timeouts = printed("--connect-timeout 5s --max-delay 20s --seed 7 --horizon 3m").await;
    let timeouts: toml::Table = timeouts.parse().expect("it is TOML");
    let config = &timeouts["groups"][0]["config"];
    assert_eq!(config["connect_timeout"].as_str(), Some("5s"));
    assert_eq!(config["reconnect"]["max_delay"].as_str(), Some("20s"));
    assert_eq!(timeouts["seed"].as_integer(), Some(7));
    assert_eq!(timeouts["horizon"].as_str(), Some("3m"));

    // Workers with a service time make room for a capacity.
    let own = "name='own'\nclients=10\n[server.accept]\nservice='1ms'\nworkers=3";
    let own = file("own.toml", own);
    let own = printed(&format!("--accepts 40 --scenario {}", own.display())).await;
    assert!(own.contains("capacity = 40") && !own.contains("workers"), "{own}");
}

#[tokio::test]
async fn a_printed_scenario_gives_the_same_answer() {
    let all = simulate("simulate --list").await.stdout;
    assert!(all.starts_with("drop ") && all.contains("\nrolling-restart "), "{all}");
    let printed = simulate("simulate --scenario second-drop --print").await.stdout;
    assert!(printed.starts_with("# The server returns"), "{printed}");
    let own = file("second.toml", &printed);

    let flags = "--clients 200 --accepts 200 --no-search";
    let named = simulate(&format!("simulate --scenario second-drop {flags}")).await;
    let read = simulate(&format!("simulate --scenario {} {flags}", own.display())).await;

    assert_eq!(named.stdout, read.stdout);
    assert!(named.stdout.starts_with("Recovers in "), "{}", named.stdout);
}

#[tokio::test]
async fn results_are_the_same_twice_and_the_report_needs_nothing_else() {
    let (first, second) = (folder("first"), folder("second"));
    let command = format!("{STUCK} --jitter decorrelated,full --queue 30s --out");
    for folder in [&first, &second] {
        let Ended { status, stdout, .. } =
            simulate(&format!("{command} {}", folder.display())).await;
        assert_eq!(status, Some(0));
        assert!(stdout.contains(": report.html, summary.json"), "{stdout}");
    }
    let files = contents(&first);
    assert_eq!(files, contents(&second));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["curve-decorrelated.csv", "curve-full.csv", "report.html", "summary.json"]);

    let csv = read(&first, "curve-full.csv");
    let mut lines = csv.lines();
    let header = lines.next().unwrap_or_default();
    assert!(header.starts_with("at_ms,ready,served,waiting,connecting,"), "{header}");
    assert!(lines.clone().all(|line| line.split(',').count() == header.split(',').count()));
    assert_eq!(lines.count(), 121);

    let report = read(&first, "report.html");
    for outside in ["http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link"]
    {
        assert!(!report.contains(outside), "{outside}");
    }
    let folder = first.to_string_lossy();
    assert!(files.iter().all(|(_, text)| !text.contains(&*folder)));
    assert_eq!(report.matches("<svg ").count(), 3);
    assert_eq!(report.matches("<svg ").count(), report.matches("</svg>").count());
    for part in [
        "Will 300 clients come back?",
        "With decorrelated, the fleet does not recover within 2m: N/C is 300 s",
        "gateway simulate --scenario drop --clients 300 --jitter decorrelated,full --accepts 1 \
         --queue 30s --horizon 2m --seed 1 --no-search",
        concat!("gateway ", env!("CARGO_PKG_VERSION"), ", seed 1"),
        "<td>full</td>",
        "N/C &gt; T + L + D",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(report.len() < 100_000, "{}", report.len());
}

#[tokio::test]
async fn the_summary_has_what_the_table_shows() {
    let folder = folder("summary");
    let Ended { stdout, .. } = simulate(&format!("{RECOVERS} --out {}", folder.display())).await;
    let text = read(&folder, "summary.json");
    let summary: Value = serde_json::from_str(&text).expect("it is JSON");

    assert!(!text.contains("null"), "{text}");
    assert_eq!(summary["format"], 1);
    assert_eq!(summary["is_partial"], false);
    assert_eq!(summary["answer"].as_str(), stdout.lines().next());
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&summary["clients"], &summary["seed"]), (&Value::from(300), &Value::from(1)));
    let row = &summary["strategies"][0];
    assert_documented(&summary);
    assert_eq!(row["jitter"], summary["answer_is_about"]);
    assert_eq!(row["is_recovered"], true);
    let curve = row["curve"].as_str().expect("a name");
    let curve = read(&folder, curve);
    assert!(curve.starts_with("at_ms,ready,"), "{curve}");
    let columns = curve.lines().next().into_iter().flat_map(|header| header.split(','));
    assert_documented(&columns.map(|name| (name.to_owned(), Value::Null)).collect());
    assert_eq!(row["rule"]["load_ms"], 9_999); // a service time has whole nanoseconds
    assert_eq!(row["rule"]["is_stuck"], false);
    for field in ["t50_ms", "t90_ms", "t99_ms"] {
        assert!(row["recovery"][field].is_u64(), "{field}: {text}");
    }
    assert!(row["waves"][0]["worst_100ms"]["share"].is_f64(), "{text}");
    let scenario = file("again.toml", summary["scenario_toml"].as_str().expect("a text"));
    let again = format!("simulate --no-search --quiet --scenario {}", scenario.display());
    assert_eq!(simulate(&again).await.stdout.lines().next(), stdout.lines().next());
}

#[tokio::test]
async fn names_with_control_characters_are_escaped() {
    let folder = folder("escaped");
    let own = file(
        "red.toml",
        "name = \"\\u001B[31m<b>red\\u009B\"\nclients = 20\nhorizon = '5s'\n\
         [server.accept]\ncapacity = 10",
    );
    let line =
        format!("simulate --no-search --scenario {} --out {}", own.display(), folder.display());

    let Ended { status, stdout, stderr } = simulate(&line).await;

    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("scenario \\u{1b}[31m<b>red\\u{9b}, 20 clients"), "{stdout}");
    let report = read(&folder, "report.html");
    for text in [&stdout, &report] {
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
    }
    assert!(!report.contains("<b>") && report.contains("&lt;b&gt;red"), "{report}");
}

#[cfg(target_os = "linux")]
mod terminal {
    use std::{io, process::Stdio};

    use serde_json::Value;
    use tokio::process::Command;

    use super::{RECOVERS, folder, read};
    use crate::{
        broken,
        common::{gateway, rest, signal, soon, words},
    };

    /// Sends SIGINT once the terminal shows this. Returns what the command has printed.
    async fn interrupted(mut command: Command, mark: &'static str) -> io::Result<String> {
        let (master, terminal) = broken::pty()?;
        command.stdout(Stdio::piped()).stderr(Stdio::from(terminal));
        let mut child = command.spawn()?;
        drop(command);
        let shown = tokio::task::spawn_blocking(move || {
            let mut shown = String::new();
            broken::read_until(&master, &mut shown, mark).map(|_| (shown, master))
        });
        let (shown, _master) = soon(shown).await.expect("no panic")?;
        assert!(shown.contains(mark), "{shown:?}");

        signal(&child, "-INT").await;
        let stdout = rest(child.stdout.take().expect("it is piped")).await;

        assert_eq!(soon(child.wait()).await?.code(), Some(130));
        Ok(stdout)
    }

    #[tokio::test]
    async fn a_signal_ends_the_simulation_with_partial_results() -> io::Result<()> {
        let folder = folder("partial");
        let out = folder.to_string_lossy();
        // A week takes longer than any test waits.
        let line =
            "simulate --clients 300 --accepts 1 --horizon 7d --jitter none --no-search --out";
        let mut command = gateway(&words(line));
        command.arg(&*out);

        let stdout = interrupted(command, "simulating [>").await?;

        assert!(stdout.starts_with("Partial results. Stopped after "), "{stdout}");
        assert!(stdout.contains("none (partial)") && !stdout.contains('\u{1b}'), "{stdout}");
        let summary: Value = serde_json::from_str(&read(&folder, "summary.json"))?;
        assert_eq!(summary["is_partial"], true);
        assert_eq!(summary["strategies"][0]["is_partial"], true);
        assert_eq!(summary["answer"].as_str(), stdout.lines().next());
        let report = read(&folder, "report.html");
        assert!(report.contains("Partial results: the simulation was stopped"), "{report}");
        Ok(())
    }

    #[tokio::test]
    async fn a_signal_ends_the_search_and_the_results_stay() -> io::Result<()> {
        // A search repeats the simulation some thirty times.
        let line = "simulate --clients 100000 --accepts 1000 --jitter none";

        let stdout = interrupted(gateway(&words(line)), "searching  [").await?;

        assert!(stdout.starts_with("Partial results"), "{stdout}");
        assert!(!stdout.contains("none (partial)"), "{stdout}");
        Ok(())
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_no_error() -> io::Result<()> {
        let (reader, writer) = broken::pipe()?;
        drop(reader);
        let mut command = gateway(&words(RECOVERS));
        command.stdout(Stdio::from(writer)).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = rest(child.stderr.take().expect("it is piped")).await;
        assert_eq!((soon(child.wait()).await?.code(), stderr.as_str()), (Some(0), ""));
        Ok(())
    }
}
