//! The stream of NATS lines and payloads. A message may hold several of them, or a part of one.

/// A longer line only holds what the dialect does not need, or is no NATS.
const KEPT: usize = 4 << 10;

/// The longest payload that a message can have.
const LONGEST: usize = 1 << 30;

/// What the lines of one message mean.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) is_info: bool,
    pub(super) is_pinged: bool,
    /// A PONG came.
    pub(super) is_answered: bool,
    /// The text of an error.
    pub(super) error: Option<String>,
    /// The message holds whole lines, and no data.
    pub(super) is_ours: bool,
}

/// Where the stream is.
#[derive(Debug)]
pub(super) enum Lines {
    /// In a line, of which this is the beginning.
    Line { begun: Vec<u8>, is_cut: bool },
    /// In a payload, of which this many bytes are missing.
    Payload(usize),
}

impl Default for Lines {
    fn default() -> Self {
        Self::Line { begun: Vec::new(), is_cut: false }
    }
}

enum Line {
    Info,
    Ping,
    Pong,
    Ok,
    Error(String),
    /// A message, whose payload has this length.
    Data(usize),
}

impl Lines {
    /// Reads a message. Returns `None` if it is not NATS.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Seen> {
        let starts_whole = self.is_between();
        let mut seen = Seen { is_ours: starts_whole && !bytes.is_empty(), ..Seen::default() };
        let mut rest = bytes;
        while !rest.is_empty() {
            match self {
                Self::Payload(missing) => {
                    let taken = rest.len().min(*missing);
                    *missing -= taken;
                    rest = &rest[taken..];
                    if *missing == 0 {
                        *self = Self::default();
                    }
                }
                Self::Line { begun, is_cut } => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let (part, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                    rest = behind;
                    if end.is_some() && begun.is_empty() {
                        *self = Self::after(part, false, &mut seen)?; // nothing is copied
                        continue;
                    }
                    let kept = part.len().min(KEPT.saturating_sub(begun.len()));
                    *is_cut |= kept < part.len();
                    begun.extend_from_slice(&part[..kept]);
                    if end.is_some() {
                        let (begun, is_cut) = (std::mem::take(begun), *is_cut);
                        *self = Self::after(&begun, is_cut, &mut seen)?;
                    }
                }
            }
        }
        seen.is_ours &= self.is_between();
        Some(seen)
    }

    fn is_between(&self) -> bool {
        matches!(self, Self::Line { begun, .. } if begun.is_empty())
    }

    /// Notes what the line was, and returns what follows it.
    fn after(line: &[u8], is_cut: bool, seen: &mut Seen) -> Option<Self> {
        match parse(line, is_cut)? {
            Line::Info => seen.is_info = true,
            Line::Ping => seen.is_pinged = true,
            Line::Pong => seen.is_answered = true,
            Line::Ok => {}
            Line::Error(text) => seen.error = Some(text),
            Line::Data(length) => {
                seen.is_ours = false;
                return Some(Self::Payload(length + 2)); // and its line end
            }
        }
        Some(Self::default())
    }
}

fn parse(line: &[u8], is_cut: bool) -> Option<Line> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Some(match words.next()? {
        b"MSG" | b"HMSG" if is_cut => return None, // its length is missing
        b"MSG" | b"HMSG" => {
            let length = str::from_utf8(words.next_back()?).ok()?.parse().ok()?;
            Line::Data(Some(length).filter(|length| *length <= LONGEST)?)
        }
        b"PING" => Line::Ping,
        b"PONG" => Line::Pong,
        b"+OK" => Line::Ok,
        b"INFO" => Line::Info,
        b"-ERR" => {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_start_matches("-ERR").trim().trim_matches('\'');
            Line::Error(text.chars().take(512).collect())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Seen {
        Lines::default().read(bytes).unwrap()
    }

    #[test]
    fn lines_mean_what_the_protocol_says() {
        assert!(read(b"INFO {\"server_id\":\"a\"}\r\n").is_info);
        assert!(read(b"PING\r\n").is_pinged);
        assert!(read(b"PONG\r\n+OK\r\n").is_answered);
        let refused = read(b"-ERR 'Authorization Violation'\r\n");
        assert_eq!(refused.error.as_deref(), Some("Authorization Violation"));
        let behind_data = read(b"MSG a 1 6\r\nPING\r\n\r\nPING\r\n");
        assert!(behind_data.is_pinged && !behind_data.is_ours);
        assert!(!read(b"MSG a 1 reply 6\r\nPING\r\n\r\n").is_pinged, "it is the payload");
        assert!(!read(b"HMSG a 1 3 6\r\nPING\r\n\r\n").is_pinged);
        assert!(read(b"PING\r\nPONG\r\n").is_ours);
        assert!(!read(b"PING\r\nPO").is_ours);
    }

    #[test]
    fn what_is_not_nats_is_refused() {
        for bytes in
            ["HTTP/1.1 400\r\n", "MSG a 1 x\r\n", "MSG\r\n", "\r\n", "MSG a 1 9999999999\r\n"]
        {
            assert_eq!(Lines::default().read(bytes.as_bytes()), None, "{bytes}");
        }
        let long = format!("INFO {}\r\n", "x".repeat(1 << 20));
        assert!(read(long.as_bytes()).is_info);
        let mut lines = Lines::default();
        let long = format!("MSG {} 1 5\r\n", "x".repeat(1 << 20));
        assert!(lines.read(&long.as_bytes()[..10]).is_some());
        assert_eq!(lines.read(&long.as_bytes()[10..]), None, "its end was not kept");
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"PING\r\n".to_vec()),
            Just(b"+OK\r\n".to_vec()),
            Just(b"INFO {}\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..30).prop_map(|payload| {
                let head = format!("MSG subject 1 {}\r\n", payload.len());
                [head.into_bytes(), payload, b"\r\n".to_vec()].concat()
            }),
        ]
    }

    proptest! {
        #[test]
        fn lines_are_seen_wherever_messages_divide_them(
            pieces in prop::collection::vec(piece(), 0..8),
            sizes in prop::collection::vec(1_usize..20, 1..20),
        ) {
            let stream = pieces.concat();
            let (mut lines, mut is_pinged, mut rest) = (Lines::default(), false, stream.as_slice());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (message, behind) = rest.split_at((*size).min(rest.len()));
                is_pinged |= lines.read(message).unwrap().is_pinged;
                rest = behind;
            }
            prop_assert!(lines.is_between());
            prop_assert_eq!(is_pinged, pieces.contains(&b"PING\r\n".to_vec()));
        }

        #[test]
        fn any_bytes_can_be_read(messages in prop::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let mut lines = Lines::default();
            for message in messages {
                let _ = lines.read(&message);
            }
        }
    }
}
