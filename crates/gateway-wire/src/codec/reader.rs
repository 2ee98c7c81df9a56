//! Reads frames from bytes that come in pieces of any size, and puts messages together.

use bytes::Bytes;
use tungstenite::protocol::frame::coding::Control;

use super::breach::Breach;
use super::extension::Extension;
use super::head::{self, Head, Opening, Rules};
use super::input::Input;
use super::mask::Mask;
use super::part::Part;
use super::{Incoming, Role, close};

#[derive(Debug)]
pub(super) struct Reader {
    rules: Rules,
    /// A head of which these bytes have come.
    head: [u8; head::LONGEST],
    have: usize,
    /// The frame whose payload comes next.
    frame: Option<Frame>,
    /// The message whose last fragment is still to come.
    message: Option<Begun>,
    /// What has come of a control frame's payload.
    control: Vec<u8>,
    extension: Option<Box<dyn Extension>>,
    /// Whether a Close has come: all bytes after it are ignored (section 5.5.1).
    is_ended: bool,
}

/// A frame whose head has come.
#[derive(Clone, Copy, Debug)]
struct Frame {
    control: Option<Control>,
    is_final: bool,
    /// The bytes of the payload that are still to come.
    left: u64,
    mask: Option<Mask>,
}

#[derive(Debug)]
struct Begun {
    part: Part,
    is_extended: bool,
}

impl Reader {
    pub(super) const fn new(role: Role, max_message_size: usize) -> Self {
        Self {
            rules: Rules { role, has_extension: false, max_message_size, begun: None },
            head: [0; head::LONGEST],
            have: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            extension: None,
            is_ended: false,
        }
    }

    pub(super) fn extend(&mut self, extension: Box<dyn Extension>) {
        self.extension = Some(extension);
        self.rules.has_extension = true;
    }

    /// The next message or control frame. `None` if more bytes must come, or if an extension stopped
    /// early.
    #[inline]
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<Option<Incoming>, Breach> {
        if self.frame.is_none() && self.have == 0 && !self.is_ended {
            let Some((head, size)) = head::parse(input.rest(), self.rules)? else {
                return self.resume(input);
            };
            input.advance(size);
            if let Head {
                opening: Opening::Message(kind), is_final: true, is_extended: false, ..
            } = head
                && head.key.is_none()
                && let Ok(length) = usize::try_from(head.length)
                && length <= input.rest().len()
            {
                // Nearly every message: one frame, and whole.
                return input.take_message(kind, length).map(Incoming::Message).map(Some);
            }
            self.begin(head);
        }
        self.resume(input)
    }

    /// Reads on, wherever the last bytes ended.
    fn resume(&mut self, input: &mut Input<'_>) -> Result<Option<Incoming>, Breach> {
        loop {
            if self.is_ended {
                input.advance(input.rest().len());
                return Ok(None);
            }
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.read_head(input)? {
                    Some(head) => self.begin(head),
                    None => return Ok(None),
                },
            };
            let incoming = self.read_payload(frame, input)?;
            if incoming.is_some() || self.frame.is_some() {
                return Ok(incoming);
            }
        }
    }

    /// Collects the bytes of a head until it is whole.
    fn read_head(&mut self, input: &mut Input<'_>) -> Result<Option<Head>, Breach> {
        let before = self.have;
        let count = input.rest().len().min(head::LONGEST - before);
        self.head[before..before + count].copy_from_slice(&input.rest()[..count]);
        self.have += count;
        let parsed = head::parse(&self.head[..self.have], self.rules)?;
        input.advance(parsed.as_ref().map_or(count, |(_, size)| size - before));
        Ok(parsed.map(|(head, _)| {
            self.have = 0;
            head
        }))
    }

    fn begin(&mut self, head: Head) -> Frame {
        let Head { opening, is_final, is_extended, length, key } = head;
        match opening {
            Opening::Control(_) => {}
            Opening::Message(kind) => {
                self.rules.begun = Some(length);
                self.message = Some(Begun { part: Part::new(kind), is_extended });
            }
            Opening::Continuation => {
                self.rules.begun = self.rules.begun.map(|before| before.saturating_add(length));
            }
        }
        let control = match opening {
            Opening::Control(control) => Some(control),
            Opening::Message(_) | Opening::Continuation => None,
        };
        let frame = Frame { control, is_final, left: length, mask: key.map(Mask::new) };
        self.frame = Some(frame);
        frame
    }

    /// Reads what has come of a frame's payload.
    fn read_payload(
        &mut self,
        mut frame: Frame,
        input: &mut Input<'_>,
    ) -> Result<Option<Incoming>, Breach> {
        let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
        let come = &input.rest()[..input.rest().len().min(left)];
        let used = match frame.mask {
            None => self.add(&mut frame, come)?,
            Some(_) => self.add_masked(&mut frame, come)?,
        };
        input.advance(used);
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(None);
        }
        self.frame = None;
        match frame.control {
            Some(control) => self.finish_control(control).map(Some),
            None if frame.is_final => self.finish_message().map(Some),
            None => Ok(None),
        }
    }

    fn add_masked(&mut self, frame: &mut Frame, bytes: &[u8]) -> Result<usize, Breach> {
        let mut unmasked = bytes.to_vec();
        if let Some(mask) = &frame.mask {
            mask.apply(&mut unmasked);
        }
        let used = self.add(frame, &unmasked)?;
        if let Some(mask) = &mut frame.mask {
            mask.advance(used);
        }
        Ok(used)
    }

    /// Adds bytes to the control frame or the message. Returns how many of them were used.
    fn add(&mut self, frame: &mut Frame, bytes: &[u8]) -> Result<usize, Breach> {
        let used = match (frame.control, &mut self.message) {
            (None, Some(message)) => {
                let left = frame.left - bytes.len() as u64;
                match self.extension.as_deref_mut().filter(|_| message.is_extended) {
                    None => message.part.push(bytes, left).map(|()| bytes.len())?,
                    Some(extension) => {
                        let is_last = frame.is_final && left == 0;
                        message.extend(extension, bytes, is_last, self.rules.max_message_size)?
                    }
                }
            }
            (Some(_), _) | (None, None) => {
                self.control.extend_from_slice(bytes);
                bytes.len()
            }
        };
        frame.left -= used as u64;
        Ok(used)
    }

    fn finish_control(&mut self, control: Control) -> Result<Incoming, Breach> {
        let payload = std::mem::take(&mut self.control);
        Ok(match control {
            Control::Ping => Incoming::Ping(Bytes::from(payload)),
            Control::Pong => Incoming::Pong(Bytes::from(payload)),
            Control::Close => {
                self.is_ended = true;
                Incoming::Close(close::parse(&payload)?)
            }
            Control::Reserved(opcode) => return Err(Breach::ReservedOpcode(opcode)),
        })
    }

    fn finish_message(&mut self) -> Result<Incoming, Breach> {
        self.rules.begun = None;
        let message = self.message.take().ok_or(Breach::NothingToContinue)?;
        message.part.finish().map(Incoming::Message)
    }
}

impl Begun {
    /// Adds what an extension makes of these bytes.
    fn extend(
        &mut self,
        extension: &mut dyn Extension,
        bytes: &[u8],
        is_last: bool,
        limit: usize,
    ) -> Result<usize, Breach> {
        let mut decoded = Vec::new();
        let used = extension.decode(bytes, is_last, &mut decoded)?.min(bytes.len());
        let size = self.part.len() as u64 + decoded.len() as u64;
        if size > limit as u64 {
            return Err(Breach::TooLong { size, is_whole: false, limit });
        }
        self.part.push(&decoded, 0)?;
        Ok(used)
    }
}
