//! The outbox, the rate limit, and what the client does while it is away or its reader is slow.

use std::time::Duration;

use gateway_tokio::{Behind, Builder, Outbox, Rate, core::parse_duration};
use serde_json::{Map, Value};

use super::tree::Tree;
use crate::byte_size::ByteSize;

/// These settings. The driver checks their limits.
#[derive(Clone, Default)]
pub(crate) struct Sending {
    outbox: Option<Outbox>,
    rate: Option<Rate>,
    lost_after: Option<Duration>,
    behind: Behind,
}

impl Sending {
    /// Takes them out of the tree, and adds their errors to it.
    pub(crate) fn take_from(tree: &mut Tree) -> Self {
        Self {
            outbox: outbox(tree),
            rate: rate(tree),
            lost_after: lost_after(tree),
            behind: behind(tree),
        }
    }

    pub(crate) fn has_outbox(&self) -> bool {
        self.outbox.is_some()
    }

    pub(crate) fn set_in(&self, mut builder: Builder) -> Builder {
        if let Some(outbox) = self.outbox {
            builder = builder.outbox(outbox);
        }
        if let Some(rate) = self.rate {
            builder = builder.rate(rate);
        }
        if let Some(span) = self.lost_after {
            builder = builder.lost_after(span);
        }
        builder.behind(self.behind)
    }
}

const SPAN_OR_OFF: &str =
    "must be a span such as 500ms, 30s or 5m, a number of milliseconds, or off";

/// The outbox, unless it is off. If its number of messages is not valid, the outbox still has the
/// other settings, so that the driver checks them too.
fn outbox(tree: &mut Tree) -> Option<Outbox> {
    let mut section = Section::take_from("outbox", tree);
    let mut outbox = Outbox::default();
    let is_given = section.has("messages");
    let limit = format!("must be a number from 1 to {}, or off", Outbox::MOST_MESSAGES);
    let messages = section.read("messages", &limit, |text| or_off(text, number));
    if let Some(Some(messages)) = messages {
        outbox = outbox.messages(messages);
    }
    let limit = "must be a size such as 64KiB, from 1 to 1GiB";
    if let Some(size) = section.read("bytes", limit, |text| text.parse::<ByteSize>().ok()) {
        outbox = outbox.bytes(size.bytes());
    }
    let span = |text: &str| or_off(text, parse_duration);
    match section.read("time_to_live", SPAN_OR_OFF, span) {
        Some(Some(span)) => outbox = outbox.time_to_live(span),
        Some(None) => outbox = outbox.without_time_to_live(),
        None => {}
    }
    let limit = "must be drop_oldest or refuse_newest";
    let drops_oldest = |text: &str| match text {
        "drop_oldest" => Some(true),
        "refuse_newest" => Some(false),
        _ => None,
    };
    match section.read("when_full", limit, drops_oldest) {
        Some(true) => outbox = outbox.drop_oldest(),
        Some(false) => outbox = outbox.refuse_newest(),
        None => {}
    }
    if let Some(across) = section.read("across_endpoints", "must be true or false", switch) {
        outbox = outbox.across_endpoints(across);
    }
    if !is_given {
        section.report_all("must not be set without outbox.messages; use --outbox N");
    }
    section.finish();
    (is_given && messages != Some(None)).then_some(outbox)
}

/// The rate limit, unless it is off.
fn rate(tree: &mut Tree) -> Option<Rate> {
    let mut section = Section::take_from("rate", tree);
    let is_given = section.has("messages");
    let limit = format!(
        "must be a number from 1 to {}, or off; as a flag it has a span, such as --rate 120/60s",
        Rate::MOST_MESSAGES
    );
    let messages = section.read("messages", &limit, |text| or_off(text, number));
    let has_span = section.has("span");
    let limit = "must be a span such as 500ms, 30s or 5m, or a number of milliseconds";
    let span = section.read("span", limit, parse_duration);
    let burst = section.read("burst", "must be a number from 1 to rate.messages", number);
    let reserve = section.read("reserve", "must be a number less than rate.burst", number);
    if !is_given {
        section.report_all("must not be set without rate.messages; use --rate N/SPAN");
    }
    if matches!(messages, Some(Some(_))) && !has_span {
        section.report(
            "span",
            "",
            "must be set together with rate.messages, such as --rate 120/60s",
        );
    }
    section.finish();
    // A field that cannot be read has its error. The driver checks the others with a stand-in.
    let mut rate = Rate::new(messages??, span.unwrap_or(Rate::LONGEST_SPAN));
    if let Some(burst) = burst {
        rate = rate.burst(burst);
    }
    if let Some(reserve) = reserve {
        rate = rate.reserve(reserve);
    }
    Some(rate)
}

fn lost_after(tree: &mut Tree) -> Option<Duration> {
    let value = tree.take("lost_after")?;
    let span = or_off(&text(&value), parse_duration);
    if span.is_none() {
        tree.error("lost_after", text(&value), SPAN_OR_OFF);
    }
    span?
}

fn behind(tree: &mut Tree) -> Behind {
    let Some(value) = tree.take("behind") else { return Behind::default() };
    match value.as_str() {
        Some("stop_reading") => Behind::StopReading,
        Some("drop_oldest") => Behind::DropOldest,
        Some(_) | None => {
            tree.error("behind", text(&value), "must be stop_reading or drop_oldest");
            Behind::default()
        }
    }
}

/// A table whose fields are read one by one.
struct Section<'a> {
    name: &'static str,
    fields: Map<String, Value>,
    /// The fields that were read, with their values, and all that were asked for.
    valid: Vec<(&'static str, String)>,
    known: Vec<&'static str>,
    tree: &'a mut Tree,
}

impl<'a> Section<'a> {
    fn take_from(name: &'static str, tree: &'a mut Tree) -> Self {
        let fields = match tree.take(name) {
            Some(Value::Object(fields)) => fields,
            None => Map::new(),
            Some(other) => {
                tree.error(name, other.to_string(), "must be a table");
                Map::new()
            }
        };
        Self { name, fields, valid: Vec::new(), known: Vec::new(), tree }
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Reads a field. Returns `None` if it is not set, or if it is not valid, which is an error.
    fn read<T>(
        &mut self,
        field: &'static str,
        limit: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.known.push(field);
        let value = text(&self.fields.remove(field)?);
        let read = parse(&value);
        if read.is_some() {
            self.valid.push((field, value));
        } else {
            self.report(field, value, limit);
        }
        read
    }

    /// Reports each field that was read.
    fn report_all(&mut self, limit: &str) {
        for (field, value) in std::mem::take(&mut self.valid) {
            self.report(field, value, limit);
        }
    }

    fn report(&mut self, field: &str, value: impl Into<String>, limit: &str) {
        self.tree.error(format!("{}.{field}", self.name), value, limit);
    }

    /// Reports the fields that were not read.
    fn finish(mut self) {
        let limit = format!("unknown field; the known fields are {}", self.known.join(", "));
        for field in std::mem::take(&mut self.fields).keys() {
            self.report(field, "", &limit);
        }
    }
}

/// The text of a value, whichever type it has in the file.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `Some(None)` for `off`.
fn or_off<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "off" { Some(None) } else { parse(text).map(Some) }
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn switch(text: &str) -> Option<bool> {
    number(text)
}
