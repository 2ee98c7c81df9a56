//! The forms of messages on stdin and stdout: lines, JSON objects, or raw with a NUL after each.

use std::{borrow::Cow, io, str};

use clap::ValueEnum;
use data_encoding::{BASE64, HEXLOWER};
use gateway_tokio::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

/// How messages are separated and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One text message a line
    #[default]
    Lines,
    /// One object a line: {"text":...}, {"json":...} or {"base64":...}
    Json,
    /// Raw messages, with a NUL after each
    Null,
}

/// The encoding of binary messages in lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Binary {
    Base64,
    Hex,
}

/// The text that is appended to a line of stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineEnd {
    Lf,
    Crlf,
}

impl LineEnd {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
        }
    }
}

/// How messages are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputForm {
    pub(crate) form: Form,
    pub(crate) binary: Option<Binary>,
    /// Control characters are escaped, because a terminal would execute them.
    pub(crate) is_terminal: bool,
}

/// How a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Exactly,
    /// Some characters are escaped: line breaks in a line, or control characters on a terminal.
    Escaped,
    /// Not written: it is binary, and no encoding was chosen.
    LeftOut,
}

impl OutputForm {
    /// Writes a message and its separator.
    pub(crate) fn write(self, message: &Message, into: &mut Vec<u8>) -> Written {
        match self.form {
            Form::Json => {
                let object = object(message);
                let shown = if self.is_terminal { ascii_controls(&object) } else { object.into() };
                into.extend_from_slice(shown.as_bytes());
            }
            Form::Null if !self.is_terminal => {
                into.extend_from_slice(message.as_bytes());
                into.push(0);
                return Written::Exactly;
            }
            Form::Lines | Form::Null => match (message, self.binary) {
                (Message::Text(text), _) => {
                    let line = line(text, self.is_terminal);
                    into.extend_from_slice(line.as_bytes());
                    into.push(b'\n');
                    return match line {
                        Cow::Borrowed(_) => Written::Exactly,
                        Cow::Owned(_) => Written::Escaped,
                    };
                }
                (Message::Binary(_), None) => return Written::LeftOut,
                (Message::Binary(bytes), Some(Binary::Base64)) => {
                    into.extend_from_slice(BASE64.encode(bytes).as_bytes());
                }
                (Message::Binary(bytes), Some(Binary::Hex)) => {
                    into.extend_from_slice(HEXLOWER.encode(bytes).as_bytes());
                }
            },
        }
        into.push(b'\n');
        Written::Exactly
    }
}

/// Escapes line breaks, and for a terminal every control character.
fn line(text: &str, is_terminal: bool) -> Cow<'_, str> {
    let is_escaped = |c: char| matches!(c, '\n' | '\r') || is_terminal && c.is_control();
    escaped(text, is_escaped, |c, into| into.extend(c.escape_default()))
}

/// Escapes all control characters in JSON. serde leaves DEL and C1.
pub(super) fn ascii_controls(json: &str) -> Cow<'_, str> {
    escaped(json, char::is_control, |c, into| into.push_str(&format!("\\u{:04x}", u32::from(c))))
}

fn escaped(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    let Some(first) = text.find(&is_escaped) else { return Cow::Borrowed(text) };
    let mut shown = text[..first].to_owned();
    for c in text[first..].chars() {
        if is_escaped(c) {
            escape(c, &mut shown);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn object(message: &Message) -> String {
    let text = match message {
        Message::Binary(bytes) => return format!(r#"{{"base64":"{}"}}"#, BASE64.encode(bytes)),
        Message::Text(text) => text.as_str(),
    };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => format!(r#"{{"json":{}}}"#, compact(json.get())),
        Err(_) => {
            let text = serde_json::to_string(text).expect("any text is a string of JSON");
            format!(r#"{{"text":{text}}}"#)
        }
    }
}

/// Removes the white space between the tokens of JSON. A parser would change numbers.
fn compact(json: &str) -> String {
    let (mut is_string, mut is_escape) = (false, false);
    let is_kept = |c: &char| {
        if !is_string {
            is_string = *c == '"';
            return !c.is_ascii_whitespace();
        }
        is_string = is_escape || *c != '"';
        is_escape = !is_escape && *c == '\\';
        true
    };
    json.chars().filter(is_kept).collect()
}

/// A message of `--input json`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Object<'a> {
    Text(String),
    #[serde(borrow)]
    Json(&'a RawValue),
    Base64(String),
}

/// Reads a message from its object.
///
/// # Errors
/// If the line is not such an object.
pub(crate) fn message(line: &str) -> io::Result<Message> {
    Ok(match serde_json::from_str(line)? {
        Object::Text(text) => Message::text(text),
        Object::Json(json) => Message::text(json.get().to_owned()),
        Object::Base64(base64) => {
            Message::binary(BASE64.decode(base64.as_bytes()).map_err(io::Error::other)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: OutputForm, message: Message) -> (String, Written) {
        let mut into = Vec::new();
        let written = form.write(&message, &mut into);
        (String::from_utf8(into).expect("text"), written)
    }

    const LINES: OutputForm = OutputForm { form: Form::Lines, binary: None, is_terminal: false };
    const JSON: OutputForm = OutputForm { form: Form::Json, ..LINES };
    const NULL: OutputForm = OutputForm { form: Form::Null, ..LINES };

    #[test]
    fn a_line_has_no_line_breaks_and_is_otherwise_as_it_came() {
        for (text, expected, how) in [
            ("é \\n \t\u{1b}[0m", "é \\n \t\u{1b}[0m\n", Written::Exactly),
            ("", "\n", Written::Exactly),
            ("{\n  \"a\": 1\r\n}\n", "{\\n  \"a\": 1\\r\\n}\\n\n", Written::Escaped),
        ] {
            assert_eq!(written(LINES, Message::text(text)), (expected.to_owned(), how));
        }
    }

    #[test]
    fn no_form_lets_a_control_character_reach_a_terminal() {
        let text = "\u{1b}]0;title\u{7}\0\t\u{7f}\u{9b}31m\r\n";
        let json = format!(" \"\u{7f}{text}\" ")
            .replace(|c: char| c.is_ascii_control() && c != '\u{7f}', "");
        for form in [LINES, JSON, NULL] {
            let form = OutputForm { is_terminal: true, ..form };
            for text in [text, &json] {
                let (shown, _) = written(form, Message::text(text.to_owned()));
                let line = shown.strip_suffix('\n').expect("a line");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }

    #[test]
    fn an_object_has_json_as_it_came_but_for_white_space() {
        for (text, expected) in [
            (
                "{ \"b\" : 1.50,\n\t\"a\":[ 1e2 , 12345678901234567890123 ] }",
                "{\"json\":{\"b\":1.50,\"a\":[1e2,12345678901234567890123]}}\n",
            ),
            (r#""a \" b\\" "#, "{\"json\":\"a \\\" b\\\\\"}\n"),
            ("null", "{\"json\":null}\n"),
            ("a\n\"b\"", "{\"text\":\"a\\n\\\"b\\\"\"}\n"),
            ("", "{\"text\":\"\"}\n"),
            ("1 2", "{\"text\":\"1 2\"}\n"),
        ] {
            assert_eq!(written(JSON, Message::text(text)), (expected.to_owned(), Written::Exactly));
        }
        let binary = Message::binary(vec![255, 254, 0]);
        assert_eq!(written(JSON, binary).0, "{\"base64\":\"//4A\"}\n");
    }

    #[test]
    fn null_ends_raw_messages() {
        assert_eq!(written(NULL, Message::text("a\nb")).0, "a\nb\0");
        assert_eq!(written(NULL, Message::binary(vec![0, 1])).0, "\0\u{1}\0");
    }

    #[test]
    fn objects_are_read_back_as_the_messages_that_they_were() {
        for text in ["plain", "two\nlines", "", "{\"a\":1.0}", "null", "\"\\u0000\""] {
            let text = Message::text(text);
            assert_eq!(message(&written(JSON, text.clone()).0).expect("a message"), text);
        }
        let binary = Message::binary(vec![1, 2, 3, 4]);
        assert_eq!(message(&written(JSON, binary.clone()).0).expect("a message"), binary);
    }

    #[test]
    fn what_is_no_object_of_a_message_is_refused() {
        for line in [
            "",
            "plain",
            "{}",
            "[]",
            r#"{"text":1}"#,
            r#"{"text":"a","json":1}"#,
            r#"{"base64":"?"}"#,
            r#"{"other":1}"#,
        ] {
            assert!(message(line).is_err(), "{line}");
        }
    }
}
