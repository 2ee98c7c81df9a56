//! Finds a few fields at the top of a JSON object, without parsing the rest.
//!
//! Every event of a session passes here, and most of an event is its data. Discord writes the data
//! last, so the scan nearly always ends within the first fifty bytes.

/// The fields around an event's data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    /// What kind of message it is.
    pub(super) op: u64,
    /// `s`, the number of the event.
    pub(super) sequence: Option<u64>,
    /// `t`, the name of the event, if it was wanted.
    pub(super) event: Option<&'a str>,
}

/// Scans a message. Returns `None` if it is no object with an `op`.
pub(super) fn scan(text: &str, wants_event: bool) -> Option<Envelope<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    let (mut op, mut sequence, mut event) = (None, None, None);
    cursor.skip_space();
    cursor.expect(b'{')?;
    loop {
        cursor.skip_space();
        let name = cursor.string()?;
        cursor.skip_space();
        cursor.expect(b':')?;
        cursor.skip_space();
        match name {
            "op" => op = Some(cursor.number()?),
            "s" => sequence = Some(cursor.number_or_skip()?),
            "t" => event = Some(cursor.string_or_skip()?),
            _ => cursor.skip_value()?,
        }
        let is_all = match op {
            Some(0) => sequence.is_some() && (event.is_some() || !wants_event),
            Some(_) => true, // only events have numbers and names
            None => false,
        };
        cursor.skip_space();
        if is_all || cursor.expect(b',').is_none() {
            break;
        }
    }
    Some(Envelope { op: op?, sequence: sequence.flatten(), event: event.flatten() })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// A string as it is written, without its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            match self.peek()? {
                b'"' => break,
                _ => self.at += 2, // an escape: whatever follows the backslash
            }
        }
        let string = self.text.get(start..self.at);
        self.at += 1;
        string
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: Option<u64> = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let tens = number.unwrap_or(0).checked_mul(10)?;
            number = Some(tens.checked_add(u64::from(digit - b'0'))?);
            self.at += 1;
        }
        number
    }

    fn number_or_skip(&mut self) -> Option<Option<u64>> {
        match self.peek()? {
            b'0'..=b'9' => self.number().map(Some),
            _ => self.skip_value().map(|()| None),
        }
    }

    fn string_or_skip(&mut self) -> Option<Option<&'a str>> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            _ => self.skip_value().map(|()| None),
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return Some(()), // behind a scalar
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn envelope(op: u64, sequence: Option<u64>, event: Option<&str>) -> Option<Envelope<'_>> {
        Some(Envelope { op, sequence, event })
    }

    #[test]
    fn fields_are_found_in_any_order_and_white_space() {
        for (text, expected) in [
            (r#"{"t":"READY","s":1,"op":0,"d":{}}"#, envelope(0, Some(1), Some("READY"))),
            (
                r#"{"d":{"op":7,"s":9,"t":"X"},"op":0,"s":2,"t":"A"}"#,
                envelope(0, Some(2), Some("A")),
            ),
            (" { \"op\" : 11 , \"d\":null}", envelope(11, None, None)),
            (
                r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":1}}"#,
                envelope(10, None, None),
            ),
            (r#"{"d":["}\"{",[{}],-1.5e3,true],"op":1}"#, envelope(1, None, None)),
            (r#"{"op":0,"d":{}}"#, envelope(0, None, None)),
            (r#"{"s":"x","op":0,"t":7}"#, envelope(0, None, None)),
            (r#"{"d":1}"#, None),
            (r#"{"op":"x"}"#, None),
            (r#"{"op":-1}"#, None),
            (r#"{"op":99999999999999999999}"#, None),
            (r#"{"d":"\"#, None),
            (r#"{"d":["#, None),
            ("[1]", None),
            ("", None),
        ] {
            assert_eq!(scan(text, true), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_scanned(text in r#"[{}\[\]",:\\a-z0-9é ]{0,40}"#, wants in any::<bool>()) {
            let _ = scan(&text, wants);
        }

        #[test]
        fn an_event_is_found_whatever_its_data_is(
            data in prop_oneof![
                any::<String>().prop_map(Value::String),
                any::<Vec<String>>().prop_map(|list| json!({"a": list, "op": 7, "s": [{"t": 1}]})),
            ],
            sequence in any::<u64>(),
        ) {
            let text = format!(r#"{{"d":{data},"s":{sequence},"t":"E","op":0}}"#);
            prop_assert_eq!(scan(&text, true), envelope(0, Some(sequence), Some("E")));
        }
    }
}
