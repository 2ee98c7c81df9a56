//! Frames as on the wire (RFC 6455 section 5.2), without any check.

/// One frame: its first byte (FIN, reserved bits, opcode) and its payload, unmasked.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // that is all of a frame
pub struct Frame {
    /// FIN, three reserved bits, the opcode.
    pub first: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of any kind.
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, payload: payload.as_ref().to_vec() }
    }

    /// A whole text message.
    pub fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x81, payload)
    }

    /// A whole binary message.
    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x82, payload)
    }

    /// A Close with this code and reason.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// A Ping.
    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x89, payload)
    }

    /// A Pong.
    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x8a, payload)
    }

    /// The payload as text.
    ///
    /// # Panics
    /// If it is not text.
    #[must_use]
    pub fn as_text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a text")
    }

    /// Whether it is a JSON heartbeat of the client.
    #[must_use]
    pub fn is_heartbeat(&self) -> bool {
        self.first == 0x81 && self.as_text().starts_with(r#"{"type":"ping""#)
    }

    /// The unmasked bytes of a server's frame.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        let length = self.payload.len();
        match u16::try_from(length) {
            Ok(short @ 0..=125) => bytes.extend(short.to_be_bytes().last()),
            Ok(middle) => {
                bytes.push(126);
                bytes.extend(middle.to_be_bytes());
            }
            Err(_) => {
                bytes.push(127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(&self.payload);
        bytes
    }

    /// The masked bytes of a client's frame.
    #[must_use]
    pub fn masked(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        let payload = bytes.split_off(bytes.len() - self.payload.len());
        bytes[1] |= 0x80;
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    /// Removes the next client frame from `bytes`. Returns `None` while it is incomplete.
    ///
    /// # Panics
    /// If the frame is not masked (RFC 6455 section 5.1).
    pub fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let [first, second, ..] = **bytes else { return None };
        assert!(second & 0x80 != 0, "a client masks every frame");
        let (length, at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => {
                (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10)
            }
            short => (usize::from(short), 2),
        };
        let mask: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let masked = bytes.get(at + 4..at + 4 + length)?;
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
        let frame = Self { first, payload: payload.collect() };
        bytes.drain(..at + 4 + length);
        Some(frame)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.payload[..self.payload.len().min(64)];
        write!(
            f,
            "{:02x} {:?} ({} bytes)",
            self.first,
            shown.escape_ascii().to_string(),
            self.payload.len()
        )
    }
}
