//! Where frames begin, by the lengths that their heads announce, whatever else is wrong with them.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;

/// The longest head, in bytes.
pub(super) const LONGEST: usize = 14;

const KEY: usize = 4;

#[derive(Default)]
pub(super) struct Heads {
    /// Where each head begins. The last one may be incomplete.
    pub(super) starts: Vec<usize>,
    /// The length that the first head announces.
    pub(super) first: Option<u64>,
    /// Where the first head with an illegal length begins: it takes more bytes than it needs, or its
    /// highest bit is set.
    pub(super) too_wide: Option<usize>,
    /// Where the last frame ends.
    pub(super) end: usize,
}

impl Heads {
    /// Of these bytes, up to a reserved opcode, of which tungstenite parses no head, or an illegal
    /// length.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut heads = Self::default();
        while heads.end < bytes.len() {
            let at = heads.end;
            heads.starts.push(at);
            // A head that has not come whole ends in zeros.
            let mut head = [0; LONGEST];
            let have = LONGEST.min(bytes.len() - at);
            head[..have].copy_from_slice(&bytes[at..at + have]);
            let mut cursor = Cursor::new(&head[..]);
            let Ok(Some((header, length))) = FrameHeader::parse(&mut cursor) else {
                heads.end = at + LONGEST;
                return heads;
            };
            let size = cursor.position() as usize;
            heads.first = heads.first.or(Some(length));
            let has_length = size - header.mask.map_or(0, |_| KEY) <= have;
            if has_length && (size != header.len(length) || length > i64::MAX as u64) {
                heads.too_wide = Some(at);
                heads.end = bytes.len();
                return heads;
            }
            heads.end = (at + size).saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        }
        heads
    }

    /// Makes messages of the extension messages without one.
    pub(super) fn clear_rsv1(&self, bytes: &mut [u8]) {
        for at in &self.starts {
            if let 1 | 2 = bytes[*at] & 0x0f {
                bytes[*at] &= !0x40;
            }
        }
    }
}
