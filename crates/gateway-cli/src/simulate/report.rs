//! report.html: one page for a design review, without anything from outside.

use std::fmt::Write as _;

use gateway_sim::{Outcome, Scenario, rule::Bottleneck};
use gateway_tokio::core::{Config, format_duration};

use super::{
    answer::edge_horizon,
    picture::{Picture, colour},
    plan::Plan,
    study::Study,
    table::{COLUMNS, cells, legend, opens_per_second},
    words::{grouped, plain, reached, seconds},
};

const STYLE: &str = "\
body{font:16px/1.5 sans-serif;color:#222;background:#fff;max-width:56rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
.answer{font-size:1.15rem;border-left:4px solid #0072b2;padding:.3rem 1rem}\
.partial{background:#fff3cd;border:1px solid #d9a400;padding:.4rem 1rem}\
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}\
pre{background:#f5f5f5;padding:.6rem;overflow-x:auto;font-size:.85rem}\
svg{max-width:100%;height:auto}i{display:inline-block;width:1.4em;height:.3em;vertical-align:middle;margin-right:.4em}\
.legend span{margin-right:1.2em;white-space:nowrap}";

/// The whole page.
pub(super) fn report(plan: &Plan, study: &Study, answer: &str) -> String {
    let scenario = &plan.lead().scenario;
    let mut page = Page(String::new());
    let name = plain(scenario.name());
    page.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width\">\n");
    page.element("title", &format!("Reconnect storm: {name}"));
    page.raw(&format!("<style>{STYLE}</style></head><body>\n"));
    page.element("h1", &question(scenario));
    if study.is_partial {
        page.raw("<p class=\"partial\">Partial results: the simulation was stopped before its end.</p>\n");
    }
    page.raw("<p class=\"answer\">");
    page.text(answer);
    page.raw("</p>\n");
    page.element("h2", "Strategies");
    page.strategies(study);
    page.element("p", legend(plan, study).replace('\n', " ").trim_end());
    page.element("h2", "Curves");
    page.curves(plan, study);
    page.element("h2", "The rule");
    page.rule(plan, study);
    page.element("h2", "Settings");
    page.settings(scenario);
    page.groups(plan, study);
    page.element("h2", "Repeat it");
    page.element("pre", &plan.command);
    page.element("p", &format!(
        "gateway {}, seed {}. The same version and command give the same bytes. The whole scenario:",
        env!("CARGO_PKG_VERSION"),
        scenario.seed()
    ));
    page.element("pre", &scenario.to_toml());
    page.raw("</body></html>\n");
    page.0
}

fn question(scenario: &Scenario) -> String {
    format!(
        "Will {} clients come back? Scenario {}",
        grouped(scenario.clients().into()),
        plain(scenario.name())
    )
}

/// The settings of a client that storms depend on, besides its delays.
fn timeouts(config: &Config) -> String {
    let (least, most) = (config.connect_timeout(), config.connect_timeout_max());
    let mut text = format!("connect timeout {}", format_duration(least));
    if most > least {
        text += &format!(" growing to {}", format_duration(most));
    }
    if !config.spread().is_zero() {
        text += &format!(", spread {}", format_duration(config.spread()));
    }
    text
}

/// The values of a picture, one for each row of a curve.
type Values = fn(&Outcome) -> Vec<f64>;

/// What each picture shows, its unit and its values.
const PICTURES: [(&str, &str, Values); 3] = [
    ("Ready clients, as they see it", "% of the clients", ready),
    ("Attempts a second", "attempts/s", opens),
    ("Queues of the server, with clients that have left", "entries", queue),
];

fn ready(run: &Outcome) -> Vec<f64> {
    let clients = float(run.clients.max(1));
    run.curve.ready.iter().map(|ready| float(*ready) * 100.0 / clients).collect()
}

fn opens(run: &Outcome) -> Vec<f64> {
    opens_per_second(run).into_iter().map(float).collect()
}

fn queue(run: &Outcome) -> Vec<f64> {
    let queues = run.curve.accept_queue.iter().zip(&run.curve.login_queue);
    queues.map(|(accept, login)| float(accept + login)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// The text of the page so far.
struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Adds a text. Its control characters are shown as escapes, except line breaks.
    fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\n' => self.raw("\n"),
                control if control.is_control() => self.0.extend(control.escape_default()),
                other => self.0.push(other),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>"));
        self.text(text);
        self.raw(&format!("</{name}>\n"));
    }

    fn row<'c>(&mut self, element: &str, cells: impl IntoIterator<Item = &'c str>) {
        self.raw("<tr>");
        for cell in cells {
            self.raw(&format!("<{element}>"));
            self.text(cell);
            self.raw(&format!("</{element}>"));
        }
        self.raw("</tr>\n");
    }

    fn strategies(&mut self, study: &Study) {
        self.raw("<table>\n");
        self.row("th", COLUMNS);
        for row in &study.rows {
            let cells = cells(&row.name, row.outcome.as_ref());
            self.row("td", cells.iter().map(String::as_str));
        }
        self.raw("</table>\n");
    }

    fn curves(&mut self, plan: &Plan, study: &Study) {
        self.raw("<p class=\"legend\">");
        for (place, row) in study.rows.iter().enumerate() {
            let colour = colour(place);
            // Writing to a String cannot fail.
            let _ = write!(
                self.0,
                "<span><i style=\"background:rgb({},{},{})\"></i>",
                colour.0, colour.1, colour.2
            );
            self.text(&row.name);
            self.raw("</span>");
        }
        self.raw("</p>\n");
        for (about, unit, values) in PICTURES {
            let lines = study.rows.iter().map(|row| {
                let Some(run) = &row.outcome else { return Vec::new() };
                let seconds = run.curve.at_ms.iter().map(|at| float(*at) / 1_000.0);
                seconds.zip(values(run)).collect()
            });
            let end = plan.lead().scenario.horizon().as_secs_f64();
            self.element("h3", about);
            self.raw(&Picture { about, unit, end, lines: lines.collect() }.svg());
        }
    }

    fn rule(&mut self, plan: &Plan, study: &Study) {
        self.element(
            "p",
            "A fleet gets stuck if N/C > T + L + D. N is the number of clients, and C the \
             number that the server's slowest stage serves a second. T is the timeout of that \
             stage, and L the longest one to which it grows. D is the mean delay once the \
             backoff has reached its cap. Why: the server serves C·T clients in time. Each \
             other one tries for L, and then waits for D. If they start more than C attempts \
             a second, the server works for clients that have left, and is always too late \
             for the others.",
        );
        self.raw("<table>\n");
        self.row(
            "th",
            ["strategy", "N/C", "slowest stage", "T", "L", "D", "edge T + L + D", "the rule says"],
        );
        for row in &study.rows {
            let rule = &row.rule;
            let stage = match rule.bottleneck {
                Bottleneck::Login => "login",
                _ => "accept",
            };
            let verdict = match rule.is_stuck {
                Some(true) => "stuck".to_owned(),
                Some(false) => "recovers".to_owned(),
                None => {
                    let reasons: Vec<_> = rule.silent.iter().map(|reason| reason.text()).collect();
                    format!("nothing: {}", reasons.join(", "))
                }
            };
            let spans = [rule.load, rule.timeout, rule.longest_timeout, rule.mean_delay, rule.edge]
                .map(seconds);
            let [load, timeout, longest, delay, edge] = &spans;
            self.row("td", [&*row.name, load, stage, timeout, longest, delay, edge, &*verdict]);
        }
        self.raw("</table>\n");
        let searched = match (study.edge.found(), study.is_partial) {
            (Some(edge), _) => {
                let reached = |millis: Option<u64>| reached(millis);
                format!(
                    "Simulated edge with {} over {}: the largest N/C that recovered is {}, the smallest that did not \
                     is {} ({} simulations).",
                    plan.lead().name,
                    format_duration(edge_horizon(plan.lead().scenario.horizon())),
                    reached(edge.recovers_ms),
                    reached(edge.stuck_ms),
                    edge.runs
                )
            }
            (None, true) => {
                "The edge was not simulated: the simulation was stopped before.".to_owned()
            }
            (None, false) => "The edge was not simulated.".to_owned(),
        };
        self.element("p", &searched);
    }

    fn settings(&mut self, scenario: &Scenario) {
        let server = scenario.server();
        let mut rows = vec![
            ("clients".to_owned(), grouped(scenario.clients().into())),
            ("simulated time".to_owned(), format_duration(scenario.horizon())),
            ("recovery counts from".to_owned(), seconds(scenario.measured_from())),
            ("nodes".to_owned(), grouped(server.nodes.into())),
        ];
        let stages = [("accept", Some(&server.accept)), ("login", server.login.as_ref())];
        for (name, stage) in stages.into_iter().filter_map(|(name, stage)| Some((name, stage?))) {
            let workers = match stage.workers {
                1 => String::new(),
                many => format!(", {many} workers"),
            };
            rows.push((
                format!("{name} stage of each node"),
                format!(
                    "{:.1} a second ({:?} each{workers}), a queue of {} ({})",
                    stage.per_second(),
                    stage.service,
                    grouped(stage.queue),
                    seconds(stage.full_queue())
                ),
            ));
        }
        for group in scenario.groups() {
            let backoff = group.config.backoff();
            let name = match scenario.groups().len() {
                1 => "each client".to_owned(),
                _ => format!("each client of {}", group.name),
            };
            rows.push((
                name,
                format!(
                    "{}, delays {} from {} to {}",
                    timeouts(&group.config),
                    backoff.strategy(),
                    format_duration(backoff.initial()),
                    format_duration(backoff.max())
                ),
            ));
        }
        self.raw("<table>\n");
        for (name, value) in &rows {
            self.row("td", [name.as_str(), value]);
        }
        self.raw("</table>\n");
    }

    /// The results of each group, if there are several.
    fn groups(&mut self, plan: &Plan, study: &Study) {
        let Some(run) = &study.rows[plan.lead].outcome else { return };
        if run.groups.len() < 2 {
            return;
        }
        self.element("h2", &format!("Groups, with {}", plan.lead().name));
        self.raw("<table>\n");
        self.row("th", ["group", "clients", "t50", "t90", "t99", "attempts/min"]);
        for group in &run.groups {
            let cells = [
                group.name.clone(),
                grouped(group.clients),
                reached(group.recovery.t50_ms),
                reached(group.recovery.t90_ms),
                reached(group.recovery.t99_ms),
                format!("{:.2}", group.totals.attempts_per_client_minute),
            ];
            self.row("td", cells.iter().map(String::as_str));
        }
        self.raw("</table>\n");
    }
}
