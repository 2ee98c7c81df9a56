//! Templates: messages with values that are filled in when they are sent.

use std::fmt;

use gateway_core::{Exchange, Secret, Secrets, Spoken, UnixMillis};

use crate::fault::Fault;
use crate::hex;
use crate::json::{Scalar, write_escaped};
use crate::near::hint;
use crate::pattern::Frames;

/// What names a template may use, and where environment variables come from.
pub(crate) struct Names<'a> {
    pub(crate) captures: &'a [String],
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
}

/// The values of one socket.
#[derive(Default)]
pub(crate) struct Values {
    /// The number of the last message that used a counter. Requests of the application take numbers,
    /// too.
    pub(crate) counter: u64,
    pub(crate) secrets: Secrets,
    pub(crate) captured: Vec<Captured>,
}

/// What a rule's pointer has found.
#[derive(Clone, Default, PartialEq)]
pub(crate) enum Captured {
    #[default]
    Nothing,
    Value(Scalar),
    /// A list, an object or a string that is too long, which no message can hold.
    Unusable,
}

/// A secret that a template uses.
#[derive(Clone, Copy)]
pub(crate) struct SecretName<'a> {
    pub(crate) name: &'a str,
    pub(crate) has_default: bool,
}

/// A message to send. Its `Debug` shows only its place, because the text may contain a secret.
#[derive(Clone, PartialEq)]
pub(crate) struct Template {
    /// Where it is in the dialect, such as `login.send`.
    place: String,
    content: Content,
}

#[derive(Clone, PartialEq)]
enum Content {
    Bytes(Vec<u8>),
    Text { pieces: Vec<Piece>, frames: Frames },
}

#[derive(Clone, PartialEq)]
enum Piece {
    Literal(String),
    Value {
        source: Source,
        /// Whether it is between double quotes, and so escaped as JSON needs it.
        is_quoted: bool,
    },
}

#[derive(Clone, PartialEq)]
enum Source {
    Counter,
    Timestamp,
    Environment(Secret),
    Secret { name: String, default: Option<String> },
    Captured { name: String, index: usize },
}

impl Template {
    /// # Errors
    /// Each error, without the template's text.
    pub(crate) fn parse(
        place: String,
        text: &str,
        frames: Frames,
        names: &Names<'_>,
    ) -> Result<Self, Vec<String>> {
        if text.len() > Spoken::MAX_BYTES {
            return Err(vec![format!("must be at most {} bytes", Spoken::MAX_BYTES)]);
        }
        if let Some(digits) = text.strip_prefix("hex:") {
            let limit = "must have an even number of the digits 0-9 and a-f after hex:";
            let bytes = hex::parse(digits).ok_or_else(|| vec![limit.to_string()])?;
            return Ok(Self { place, content: Content::Bytes(bytes) });
        }
        let pieces = parse(text, names)?;
        Ok(Self { place, content: Content::Text { pieces, frames } })
    }

    /// Sends the message, and stamps it if it is a ping that needs a stamp.
    ///
    /// # Errors
    /// The first value that is missing. Then nothing was sent.
    pub(crate) fn send(
        &self,
        values: &mut Values,
        is_stamped: bool,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), Fault> {
        let (pieces, frames) = match &self.content {
            Content::Bytes(bytes) => {
                exchange.send_binary(bytes);
                return Ok(());
            }
            Content::Text { pieces, frames } => (pieces, *frames),
        };
        if let Some(name) = pieces.iter().find_map(|piece| piece.missing(values)) {
            return Err(Fault::new(&self.place, name));
        }
        if self.uses(&Source::Counter) {
            values.counter = exchange.next_number();
        }
        let UnixMillis(timestamp) = exchange.wall_clock().unwrap_or(UnixMillis(0));
        if is_stamped {
            let is_counted = self.uses(&Source::Counter);
            exchange.stamp(if is_counted { values.counter } else { timestamp });
        }
        let filled = Filled { pieces, values, timestamp };
        match frames {
            Frames::Text => exchange.send_text(filled),
            Frames::Binary => exchange.send_binary(filled.to_string().as_bytes()),
        }
        Ok(())
    }

    /// Whether a pong can name the ping: it has a counter or a timestamp.
    pub(crate) fn has_stamp(&self) -> bool {
        self.uses(&Source::Counter) || self.uses(&Source::Timestamp)
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The secrets, in their order.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = SecretName<'_>> {
        self.sources().filter_map(|source| match source {
            Source::Secret { name, default } => {
                Some(SecretName { name, has_default: default.is_some() })
            }
            _ => None,
        })
    }

    /// The names and indices of the captures, in their order.
    pub(crate) fn captures(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sources().filter_map(|source| match source {
            Source::Captured { name, index } => Some((name.as_str(), *index)),
            _ => None,
        })
    }

    fn uses(&self, wanted: &Source) -> bool {
        self.sources().any(|source| source == wanted)
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let pieces = match &self.content {
            Content::Bytes(_) => &[],
            Content::Text { pieces, .. } => pieces.as_slice(),
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Value { source, .. } => Some(source),
            Piece::Literal(_) => None,
        })
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Piece {
    /// The name of the value, if there is none.
    fn missing(&self, values: &Values) -> Option<String> {
        let Self::Value { source, .. } = self else { return None };
        match source {
            Source::Counter | Source::Timestamp | Source::Environment(_) => None,
            Source::Secret { default: Some(_), .. } => None,
            Source::Secret { name, default: None } => {
                values.secrets.get(name).is_none().then(|| format!("secret:{name}"))
            }
            Source::Captured { name, index } => match values.captured.get(*index) {
                Some(Captured::Value(_)) => None,
                Some(Captured::Nothing | Captured::Unusable) | None => Some(name.clone()),
            },
        }
    }
}

/// A template's text with its values, none of which is missing.
struct Filled<'a> {
    pieces: &'a [Piece],
    values: &'a Values,
    timestamp: u64,
}

impl fmt::Display for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Value { source, is_quoted } => self.write(source, *is_quoted, f),
        })
    }
}

impl Filled<'_> {
    fn write(&self, source: &Source, is_quoted: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match source {
            Source::Counter => return write!(f, "{}", self.values.counter),
            Source::Timestamp => return write!(f, "{}", self.timestamp),
            Source::Environment(value) => value.reveal(),
            Source::Secret { name, default } => {
                let given = self.values.secrets.get(name).map(Secret::reveal);
                given.or(default.as_deref()).unwrap_or_default()
            }
            Source::Captured { index, .. } => match self.values.captured.get(*index) {
                Some(Captured::Value(Scalar::Number(number))) => return write!(f, "{number}"),
                Some(Captured::Value(Scalar::Boolean(flag))) => return write!(f, "{flag}"),
                Some(Captured::Value(Scalar::Text(text))) => text,
                Some(Captured::Nothing | Captured::Unusable) | None => "",
            },
        };
        if is_quoted { write_escaped(text, f) } else { f.write_str(text) }
    }
}

fn parse(text: &str, names: &Names<'_>) -> Result<Vec<Piece>, Vec<String>> {
    let (mut pieces, mut errors) = (Vec::new(), Vec::new());
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, opening) = rest.split_at(at);
        let inside = &opening[2..];
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = inside;
            continue;
        }
        literal.push_str(before);
        let Some(end) = closing_brace(inside) else {
            errors.push(String::from("has ${ without a closing brace; write $${ for the text ${"));
            break;
        };
        match source(&inside[..end], names) {
            Ok(source) => {
                let is_quoted = is_quoted(&pieces, &literal);
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Value { source, is_quoted });
            }
            Err(error) => errors.push(error),
        }
        rest = &inside[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    if errors.is_empty() { Ok(pieces) } else { Err(errors) }
}

/// Where the brace is that closes the one before `inside`. A default may contain pairs of braces.
fn closing_brace(inside: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Whether what follows this text is between double quotes.
fn is_quoted(pieces: &[Piece], literal: &str) -> bool {
    let before = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => text.as_str(),
        Piece::Value { .. } => "",
    });
    let (mut is_open, mut is_escaped) = (false, false);
    for byte in before.chain([literal]).flat_map(str::bytes) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_open,
            b'"' => is_open = !is_open,
            _ => {}
        }
    }
    is_open
}

fn source(inside: &str, names: &Names<'_>) -> Result<Source, String> {
    let (inside, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_string())),
        None => (inside, None),
    };
    if let Some(name) = inside.strip_prefix("env:") {
        check_name(name)?;
        let value = (names.environment)(name).or(default);
        let value = value.ok_or_else(|| {
            format!("the environment variable {name} is not set, or is not UTF-8")
        })?;
        return Ok(Source::Environment(Secret::new(value)));
    }
    if let Some(name) = inside.strip_prefix("secret:") {
        check_name(name)?;
        return Ok(Source::Secret { name: name.to_string(), default });
    }
    if default.is_some() {
        return Err(String::from("only env: and secret: may have a default"));
    }
    if let Some(index) = names.captures.iter().position(|known| known == inside) {
        return Ok(Source::Captured { name: inside.to_string(), index });
    }
    match inside {
        "counter" => Ok(Source::Counter),
        "timestamp" => Ok(Source::Timestamp),
        // Only a valid name is shown. Any other text may be a secret.
        other if check_name(other).is_err() => {
            Err(String::from("has an unknown name between ${ and }"))
        }
        other => {
            let known = names.captures.iter().map(String::as_str).chain(BUILT_IN);
            let hint = hint(other, known);
            Err(format!("has the unknown name ${{{other}}}{hint}"))
        }
    }
}

/// The names that no capture may have.
pub(crate) const BUILT_IN: [&str; 4] = ["counter", "timestamp", "env", "secret"];

pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || name.len() > Secrets::MAX_NAME || !name.bytes().all(is_letter) {
        let most = Secrets::MAX_NAME;
        return Err(format!("must have names of 1 to {most} letters, digits, and _-."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        (name == "HOME_TOKEN").then(|| String::from("a\"b"))
    }

    fn errors(text: &str) -> Vec<String> {
        let captures = [String::from("session")];
        let names = Names { captures: &captures, environment: &environment };
        Template::parse(String::from("x"), text, Frames::Text, &names).err().unwrap_or_default()
    }

    fn filled(text: &str) -> String {
        let captures = [String::from("session")];
        let names = Names { captures: &captures, environment: &environment };
        let pieces = parse(text, &names).unwrap();
        let secrets = vec![(String::from("key"), Secret::new("q\"\n"))];
        let values = Values {
            counter: 7,
            secrets: Secrets::new(secrets).unwrap(),
            captured: vec![Captured::Value(Scalar::Text(String::from("s1")))],
        };
        Filled { pieces: &pieces, values: &values, timestamp: 17 }.to_string()
    }

    #[test]
    fn values_are_filled_in_and_escaped_between_quotes() {
        for (text, expected) in [
            ("ping", "ping"),
            ("${counter}-${timestamp}", "7-17"),
            (r#"{"t":"${env:HOME_TOKEN}"}"#, r#"{"t":"a\"b"}"#),
            (r#"{"a":"\"","t":${env:HOME_TOKEN}}"#, r#"{"a":"\"","t":a"b}"#),
            (r#"["${secret:key}"]"#, r#"["q\"\n"]"#),
            ("${session}", "s1"),
            ("$${counter} $5 {}", "${counter} $5 {}"),
            ("${secret:none:-{}}|${env:NONE:-x}|${secret:none:-}", "{}|x|"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_name_the_name_and_near_ones_and_never_the_text() {
        for (text, expected) in [
            ("hunter2 ${countr}", "has the unknown name ${countr}; near it: counter"),
            ("hunter2 ${sesion}", "has the unknown name ${sesion}; near it: session"),
            ("hunter2 ${", "has ${ without a closing brace; write $${ for the text ${"),
            ("${hunter 2}", "has an unknown name between ${ and }"),
            (
                "hunter2 ${env:UNSET_VARIABLE}",
                "the environment variable UNSET_VARIABLE is not set, or is not UTF-8",
            ),
            ("${counter:-1}", "only env: and secret: may have a default"),
            ("${secret:}", "must have names of 1 to 64 letters, digits, and _-."),
            ("hex:hunter2", "must have an even number of the digits 0-9 and a-f after hex:"),
        ] {
            assert_eq!(errors(text), [expected], "{text}");
        }
        assert_eq!(
            errors("${a} ${b} ${"),
            [
                "has the unknown name ${a}",
                "has the unknown name ${b}",
                "has ${ without a closing brace; write $${ for the text ${",
            ]
        );
    }
}
