//! The bytes of one socket, as the transport saw them.

use gateway_core::SocketId;

/// The content of a frame of the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The application's message with this number of ours.
    Message(usize),
    /// Our request with this number, and the id in its text.
    Request(usize, u64),
    /// A message of every ready.
    OnReady,
    /// The login.
    Login,
    /// A Close frame.
    Close,
}

/// A frame, and its place in the bytes of its socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) content: Content,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    /// The frames so far, also those that wait to be written.
    pub(crate) frames: Vec<Placed>,
    /// The end of the last frame.
    pub(crate) end: usize,
    /// How many bytes the transport took.
    pub(crate) written: usize,
    /// How many bytes the transport may have taken when it failed.
    pub(crate) offered: usize,
    /// How many bytes the transport flushed.
    pub(crate) flushed: usize,
}

impl Socket {
    pub(crate) const fn new(id: SocketId) -> Self {
        Self { id, frames: Vec::new(), end: 0, written: 0, offered: 0, flushed: 0 }
    }

    /// Whether the transport may have a part of this frame.
    pub(crate) const fn has_begun(&self, frame: &Placed) -> bool {
        frame.start < self.written || frame.start < self.offered
    }

    /// Whether the transport has flushed this frame.
    pub(crate) const fn has_flushed(&self, frame: &Placed) -> bool {
        frame.end <= self.flushed
    }

    /// Reads the frames that are new in the pending bytes. Returns where they begin among the frames.
    pub(crate) fn read(&mut self, pending: &[u8]) -> Result<usize, String> {
        let (from, mut rest) = (self.frames.len(), &pending[self.end - self.written..]);
        while let [first, length, behind @ ..] = rest {
            let length = usize::from(length & 0x7f);
            let (Some(mask), Some(payload)) = (behind.get(..4), behind.get(4..4 + length)) else {
                return Err(format!("a frame with the head {first:#x} is cut, or long"));
            };
            let clear: Vec<u8> =
                payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            let content = content(*first, &clear)
                .ok_or_else(|| format!("an unknown frame: {first:#x} {clear:?}"))?;
            let start = self.end;
            self.end += 6 + length;
            self.frames.push(Placed { content, start, end: self.end });
            rest = &behind[4 + length..];
        }
        Ok(from)
    }
}

fn content(first: u8, payload: &[u8]) -> Option<Content> {
    if first == 0x88 {
        return Some(Content::Close);
    }
    let text = std::str::from_utf8(payload).ok().filter(|_| first == 0x81)?;
    match text {
        "login" => return Some(Content::Login),
        "subscribe" => return Some(Content::OnReady),
        _ => {}
    }
    if let Some(message) = text.strip_prefix('m') {
        return Some(Content::Message(message.trim_end_matches('.').parse().ok()?));
    }
    let (id, request) = text.split_once(" r")?;
    Some(Content::Request(request.trim_end_matches('.').parse().ok()?, id.parse().ok()?))
}
