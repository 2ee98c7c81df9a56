//! The table and the sparklines of the terminal.

use std::fmt::Write as _;

use gateway_sim::{GroupOutcome, Outcome, Peak};
use gateway_tokio::core::format_duration;

use super::{
    plan::Plan,
    study::{Row, Study},
    words::{grouped, percent, plain, reached},
};

/// The columns of the table.
pub(super) const COLUMNS: [&str; 8] =
    ["strategy", "t50", "t90", "t99", "worst 100 ms", "worst 1 s", "attempts/min", "wasted work"];

/// The cells of a strategy.
pub(super) fn cells(name: &str, outcome: Option<&Outcome>) -> [String; 8] {
    let Some(run) = outcome else {
        return [name, "not run", "", "", "", "", "", ""].map(str::to_owned);
    };
    let worst = |peak: fn(&gateway_sim::Wave) -> Peak| {
        percent(run.waves.iter().map(|wave| peak(wave).share).fold(0.0, f64::max))
    };
    let name = if run.is_partial { format!("{name} (partial)") } else { name.to_owned() };
    [
        name,
        reached(run.recovery.t50_ms),
        reached(run.recovery.t90_ms),
        reached(run.recovery.t99_ms),
        worst(|wave| wave.worst_100ms),
        worst(|wave| wave.worst_1s),
        format!("{:.2}", run.totals.attempts_per_client_minute),
        percent(run.server.wasted_share),
    ]
}

/// The cells of each group of the strategy's run, if there are several.
fn group_cells(outcome: Option<&Outcome>) -> Vec<[String; 8]> {
    let groups = outcome.map_or(&[][..], |run| &run.groups);
    if groups.len() < 2 {
        return Vec::new();
    }
    let cells = |group: &GroupOutcome| {
        [
            format!("  {}", plain(&group.name)),
            reached(group.recovery.t50_ms),
            reached(group.recovery.t90_ms),
            reached(group.recovery.t99_ms),
            String::new(),
            String::new(),
            format!("{:.2}", group.totals.attempts_per_client_minute),
            String::new(),
        ]
    };
    groups.iter().map(cells).collect()
}

/// What the columns mean.
pub(super) fn legend(plan: &Plan, study: &Study) -> String {
    let horizon = format_duration(plan.lead().scenario.horizon());
    let partial = match study.is_partial {
        true => " A partial row\nends where the simulation was stopped, and – is not until then.\n",
        false => "\n",
    };
    format!(
        "t50, t90, t99: until so many percent of the clients are served for good, counted from the\n\
         end of the last fault; – is not within {horizon}. Worst: the most attempts in such a window, in\n\
         percent of the clients. Attempts of each client and minute. Wasted: the share of the server's\n\
         work that was for clients that had left.{partial}"
    )
}

/// Table, legend and sparklines, with a line break behind each line.
pub(super) fn terminal(plan: &Plan, study: &Study) -> String {
    let with_groups = |row: &Row| {
        let outcome = row.outcome.as_ref();
        let groups = group_cells(outcome);
        std::iter::once(cells(&row.name, outcome)).chain(groups)
    };
    let rows: Vec<[String; 8]> = study.rows.iter().flat_map(with_groups).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([COLUMNS[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let mut line = format!("{:1$}", cells[0], widths[0]);
        for (cell, width) in cells.iter().zip(&widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&COLUMNS.map(str::to_owned));
    rows.iter().for_each(|row| line(row));
    text.push('\n');
    text.push_str(&legend(plan, study));
    for picture in [Sparks::ready(study), Sparks::opens(study)] {
        text.push_str(&picture.draw(plan, study, widths[0]));
    }
    let scenario = &plan.lead().scenario;
    let (name, clients) = (plain(scenario.name()), grouped(scenario.clients().into()));
    let _ = writeln!(text, "\nscenario {name}, {clients} clients, seed {}", scenario.seed());
    text
}

/// How many cells a sparkline has.
const CELLS: usize = 60;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A sparkline for each strategy, all of the same scale.
struct Sparks {
    title: String,
    values: fn(&Outcome) -> Vec<u64>,
    most: u64,
}

impl Sparks {
    fn ready(study: &Study) -> Self {
        let clients =
            study.rows.iter().filter_map(|row| row.outcome.as_ref()).map(|run| run.clients);
        let most = clients.max().unwrap_or(0);
        let title = format!("ready clients, of {}", grouped(most));
        Self { title, values: |run| run.curve.ready.clone(), most }
    }

    fn opens(study: &Study) -> Self {
        let values = opens_per_second;
        let outcomes = study.rows.iter().filter_map(|row| row.outcome.as_ref());
        let most = outcomes.flat_map(values).max().unwrap_or(0);
        Self { title: format!("attempts a second, at most {}", grouped(most)), values, most }
    }

    fn draw(&self, plan: &Plan, study: &Study, width: usize) -> String {
        let scenario = &plan.lead().scenario;
        let horizon = format_duration(scenario.horizon());
        let mut text = format!("\n{}, from 0 to {horizon}\n", self.title);
        let rows = scenario.horizon().as_millis() / scenario.step().as_millis().max(1) + 1;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        for row in &study.rows {
            let values = row.outcome.as_ref().map(self.values).unwrap_or_default();
            let line = format!("{:width$}  {}", row.name, self.line(&values, rows));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// The highest value of each cell.
    fn line(&self, values: &[u64], rows: usize) -> String {
        let cells = CELLS.min(rows);
        let cell = |index: usize| {
            let (from, to) = (index * rows / cells, (index + 1) * rows / cells);
            let values = values.get(from..to.min(values.len()))?;
            let high = u128::from(values.iter().copied().max()?);
            // Whatever is more than nothing is seen.
            let eighths = (high * 8).div_ceil(u128::from(self.most.max(1)));
            usize::try_from(eighths).ok().and_then(|place| BLOCKS.get(place)).copied()
        };
        (0..cells).map(|index| cell(index).unwrap_or(' ')).collect()
    }
}

/// The attempts in each step, as a rate.
pub(super) fn opens_per_second(run: &Outcome) -> Vec<u64> {
    let steps = run.curve.at_ms.iter().zip(&run.curve.opens);
    let mut before = None;
    let rates = steps.map(|(&at, &opens)| {
        // The first row has one millisecond.
        let span = before.map_or(1_000, |before| at - before);
        before = Some(at);
        opens.saturating_mul(1_000) / span.max(1)
    });
    rates.collect()
}
