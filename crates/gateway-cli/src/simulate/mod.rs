//! The command `gateway simulate`: simulates a reconnect storm, and says whether the fleet recovers.

mod answer;
pub(crate) mod args;
mod changes;
mod folder;
mod picture;
mod plan;
mod problems;
mod progress;
mod report;
mod study;
mod summary;
mod table;
mod words;

use std::{
    fmt::Write as _,
    io,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gateway_sim::NamedScenario;

use self::{args::SimulateArgs, folder::Folder, plan::Plan, progress::Progress, study::Study};
use crate::{
    demo::screen::{Paint, Painter},
    signals::Signals,
};

/// How long a simulated second and the results may take after the first signal.
const LONGEST_END: Duration = Duration::from_secs(60);
/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 128 + 2;

/// Runs the command. Returns 0 whatever the answer, 1 if the results cannot be written, 2 after an
/// error of the command, 130 if a signal stopped it.
pub(crate) fn run(args: &SimulateArgs) -> ExitCode {
    if args.list {
        return crate::log::print(&list());
    }
    if args.print {
        return match plan::print(args) {
            Ok(scenario) => crate::log::print(&scenario),
            Err(problems) => problems.report(),
        };
    }
    let plan = match Plan::new(args) {
        Ok(plan) => plan,
        Err(problems) => return problems.report(),
    };
    let stop = match stop_on_signal() {
        Ok(stop) => stop,
        Err(error) => {
            crate::log::error(&format_args!("cannot listen to signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let study = Study::run(&plan, &stop, &Progress::new(args.run.quiet));
    let answer = answer::answer(&plan, &study);
    let mut text = format!("{}\n", painted(&study, &plan, &answer));
    if !args.run.quiet {
        text.push('\n');
        text.push_str(&table::terminal(&plan, &study));
    }
    if let Some(folder) = &plan.folder {
        if let Err(error) = write(folder, &plan, &study, &answer) {
            let _ = crate::log::print(&text);
            crate::log::error(&format_args!("cannot write to {}: {error}", folder.shown()));
            return ExitCode::FAILURE;
        }
        if !args.run.quiet {
            let shown = folder.shown();
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "{shown}: {}, {}, curves as CSV", folder::REPORT, folder::SUMMARY);
        }
    }
    let status = crate::log::print(&text);
    if study.is_partial { ExitCode::from(INTERRUPTED) } else { status }
}

fn list() -> String {
    let width = NamedScenario::ALL.iter().map(|named| named.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for &named in NamedScenario::ALL {
        let about = named.toml().lines().next().unwrap_or_default().trim_start_matches("# ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {about}", named.name());
    }
    text.push_str(
        "\n`gateway simulate --scenario NAME --print` prints one, to start your own file from.\n",
    );
    text
}

/// The flag that a signal sets. A second signal ends the program at once.
fn stop_on_signal() -> io::Result<Arc<AtomicBool>> {
    let mut signals = Signals::listen(LONGEST_END)?;
    signals.settle(INTERRUPTED);
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    thread::Builder::new().name("stop".to_owned()).spawn(move || {
        signals.wait_for_first();
        set.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}

/// The first line: green if the fleet recovers, red if it does not, yellow if that is not known.
fn painted(study: &Study, plan: &Plan, answer: &str) -> String {
    let outcome = study.rows[plan.lead].outcome.as_ref();
    let paint = match outcome.filter(|outcome| !outcome.is_partial) {
        Some(outcome) if outcome.is_recovered => Paint::Good,
        Some(_) => Paint::Bad,
        None => Paint::Waiting,
    };
    Painter::of_stdout().paint(paint, answer).to_string()
}

/// The summary comes after the files that it names: where it is, they are complete.
fn write(folder: &Folder, plan: &Plan, study: &Study, answer: &str) -> io::Result<()> {
    let mut curves = Vec::new();
    for row in &study.rows {
        if let Some(outcome) = &row.outcome {
            let name = folder::curve(&row.name);
            folder.write(&name, &summary::csv(&outcome.curve))?;
            curves.push(name);
        }
    }
    folder.write(folder::REPORT, &report::report(plan, study, answer))?;
    folder.write(folder::SUMMARY, &summary::summary(plan, study, answer))?;
    // Last, so that an error above leaves the results of an earlier command whole.
    folder.remove_old_curves(&curves)
}
