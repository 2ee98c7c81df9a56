//! The summary at the end of the demo: each fault, and the totals.

use gateway_hostile::Tally;
use gateway_tokio::core::Statistics;

use super::{
    faults::Ridden,
    ledger::Counts,
    screen::{Paint, Screen, millis},
    stage::Stage,
};

/// Shows the summary. Returns whether every message is accounted for.
pub(crate) fn show(stage: &mut Stage, ridden: &[Ridden]) -> bool {
    let unanswered = ridden.iter().map(|fault| fault.unanswered).sum();
    let objections = stage.ledger.objections(unanswered);
    let counts = stage.ledger.counts_from(1);
    let statistics = stage.client.statistics();
    let (pings, pongs) = (stage.pings, stage.pongs);
    let screen = &mut stage.screen;

    let title = screen.paint(Paint::Title, "Summary");
    screen.line(format_args!("\n{title}\n"));
    show_faults(screen, ridden);
    show_messages(screen, &counts);
    show_times(screen, &statistics, pings, pongs);
    let Tally { connections, upgrades, echoes, pongs, .. } = stage.control.tally();
    screen.line(format_args!(
        "  server      {connections} connections, {upgrades} upgrades, {echoes} echoes, {pongs} pongs\n"
    ));

    let elapsed = screen.elapsed().as_secs_f64();
    for objection in &objections {
        let objection = screen.paint(Paint::Bad, objection);
        screen.line(format_args!("  {objection}"));
    }
    if objections.is_empty() {
        let text = format!(
            "{} faults survived in {elapsed:.1} s; every message is accounted for.",
            ridden.len()
        );
        let text = screen.paint(Paint::Good, text);
        screen.line(text);
    } else {
        screen.line(screen.paint(Paint::Bad, "Some messages are not accounted for."));
    }
    objections.is_empty()
}

fn show_faults(screen: &mut Screen, ridden: &[Ridden]) {
    let widest = ridden.iter().map(|fault| fault.title.len()).max().unwrap_or(0);
    let head = format!(
        "  {:widest$}  {:12}  {:>8}  {:>10}  {:>10}",
        "fault", "noticed as", "retries", "back after", "unanswered"
    );
    let head = screen.paint(Paint::Faint, head);
    screen.line(head);
    for Ridden { title, noticed, attempts, away, unanswered } in ridden {
        let away = millis(*away);
        screen.line(format_args!(
            "  {title:widest$}  {noticed:12}  {attempts:>8}  {away:>10}  {unanswered:>10}"
        ));
    }
    screen.line("");
}

fn show_messages(screen: &mut Screen, counts: &Counts) {
    let Counts { handed_over, sent, maybe_sent, rejected, back_once, unanswered, .. } = counts;
    screen.line(format_args!(
        "  messages    {handed_over} handed over = {sent} sent + {maybe_sent} maybe_sent + \
         {rejected} rejected"
    ));
    screen.line(format_args!(
        "  answers     {back_once} came back exactly once, {unanswered} were cut off by a fault, \
         {} came twice",
        counts.back_more_often
    ));
}

fn show_times(screen: &mut Screen, statistics: &Statistics, pings: u64, pongs: u64) {
    let span = |span: Option<std::time::Duration>| span.map_or_else(|| "-".to_owned(), millis);
    let round_trip = statistics.round_trip;
    screen.line(format_args!(
        "  heartbeat   {pings} pings, {pongs} pongs, round trip {} at best, {} smoothed",
        span(round_trip.min),
        span(round_trip.smoothed),
    ));
    screen.line(format_args!(
        "  connection  {} attempts, {} sockets opened, ready for {:.1} s of {:.1} s",
        statistics.attempts,
        statistics.opened,
        statistics.time_ready.as_secs_f64(),
        screen.elapsed().as_secs_f64(),
    ));
}
