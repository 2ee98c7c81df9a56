//! The results as text: a table for people, and CSV.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Compared;
use crate::curve::{STEP, Storm, percent};

/// The figures of the run on sockets, of the first seed, and of all seeds.
pub(crate) fn of(compared: &Compared) -> String {
    let Compared { scenario, real, simulated } = compared;
    let accept = scenario.server().accept;
    let timeout = scenario.groups()[0].config.connect_timeout();
    let load = f64::from(scenario.clients()) / accept.per_second();
    let mut text = format!(
        "{}: {} clients, {:.0} accepts a second, a queue of {}, a connect timeout of {timeout:.1?}: N/C = {load:.1} s\n\n\
         |  | opens | timeouts | refused | worst 100 ms | t50 | t99 | ready at the end |\n|---|---|---|---|---|---|---|---|\n",
        scenario.name(),
        scenario.clients(),
        accept.per_second(),
        accept.queue,
    );
    if let Some(real) = real {
        row(&mut text, "sockets", real);
    }
    if let Some(first) = simulated.first() {
        row(&mut text, "simulated, seed 1", first);
    }
    let mean = compared.mean();
    let between = simulated.iter().map(|storm| storm.distance(&mean)).fold(0.0, f64::max);
    let seeds = simulated.len();
    if let Some(real) = real {
        let _ = writeln!(
            text,
            "\nDistance of the sockets to the mean of {seeds} simulated seeds: {:.2} % of the fleet, mean over all steps. \
             t50 differs by {}, t99 by {}.",
            compared.distance().unwrap_or_default(),
            difference(real, &mean, 50),
            difference(real, &mean, 99),
        );
    }
    let _ = writeln!(text, "The farthest seed is {between:.2} % from the mean of the seeds.");
    text
}

/// A line for each step.
pub(crate) fn csv(compared: &Compared) -> String {
    let Compared { real, simulated, .. } = compared;
    let mean = compared.mean();
    let mut text = "ms_since_drop,ready_on_sockets,ready_simulated_seed_1,ready_simulated_least,ready_simulated_mean,ready_simulated_most\n".to_owned();
    for (step, mean) in mean.ready.iter().enumerate() {
        let all = || simulated.iter().filter_map(|storm| storm.ready.get(step));
        let real = real.as_ref().and_then(|real| real.ready.get(step)).map(usize::to_string);
        let _ = writeln!(
            text,
            "{},{},{},{},{mean},{}",
            STEP.as_millis() * step as u128,
            real.unwrap_or_default(),
            all().next().unwrap_or(&0),
            all().min().unwrap_or(&0),
            all().max().unwrap_or(&0),
        );
    }
    text
}

fn row(text: &mut String, name: &str, storm: &Storm) {
    let last = storm.ready.last().copied().unwrap_or(0);
    let _ = writeln!(
        text,
        "| {name} | {} | {} | {} | {:.1} % | {} | {} | {:.1} % |",
        storm.opens,
        storm.timeouts,
        storm.refused,
        percent(storm.worst_100ms, storm.clients),
        seconds(storm.recovered(50)),
        seconds(storm.recovered(99)),
        percent(last, storm.clients),
    );
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(|| "–".to_owned(), |span| format!("{:.1} s", span.as_secs_f64()))
}

fn difference(real: &Storm, simulated: &Storm, percent: usize) -> String {
    match (real.recovered(percent), simulated.recovered(percent)) {
        (Some(real), Some(simulated)) => {
            format!("{:+.1} s", real.as_secs_f64() - simulated.as_secs_f64())
        }
        (None, None) => "nothing: neither reaches it".to_owned(),
        (Some(_), None) => "the whole: only the sockets reach it".to_owned(),
        (None, Some(_)) => "the whole: only the simulator reaches it".to_owned(),
    }
}
