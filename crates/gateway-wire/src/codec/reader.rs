//! Reads frames from bytes that come in pieces of any size, and puts messages together.

use bytes::Bytes;

use super::breach::Breach;
use super::extension::Extension;
use super::head::{self, Control, Head, Kind, Opening, Rules};
use super::input::Input;
use super::mask::Mask;
use super::part::Part;
use super::{Incoming, Role, close};
use crate::message::{Message, Text};

/// The most bytes that are unmasked, or that an extension appends, at once.
const BLOCK: usize = 16_384;

#[derive(Debug)]
pub(super) struct Reader {
    rules: Rules,
    /// The first bytes of a head that is not complete.
    head: [u8; head::LONGEST],
    /// The number of these bytes.
    have: usize,
    /// The length of the last frame's payload.
    length: u64,
    /// The frame whose payload comes next.
    frame: Option<Frame>,
    /// The message whose last fragment is still to come.
    message: Option<Begun>,
    /// The first bytes of a control frame's payload.
    control: Vec<u8>,
    extension: Option<Box<dyn Extension>>,
    end: End,
}

/// Whether the peer may send more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// A Close has come: all bytes after it are ignored (section 5.5.1).
    Closed,
    /// The peer broke a rule: nothing after it is read (section 7.1.7).
    Broken(Breach),
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

/// The result of reading a part of a payload.
enum Step {
    Complete(Incoming),
    /// `input` has more: of this payload, or of the next frame.
    GoOn,
    /// `input` is used up, or an extension stopped early.
    Rest,
}

impl Reader {
    pub(super) const fn new(role: Role, max_message_size: usize) -> Self {
        Self {
            rules: Rules { role, has_extension: false, max_message_size, begun: None },
            head: [0; head::LONGEST],
            have: 0,
            length: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            extension: None,
            end: End::Open,
        }
    }

    pub(super) fn extend(&mut self, extension: Box<dyn Extension>) {
        self.extension = Some(extension);
        self.rules.has_extension = true;
    }

    /// The length of the last frame's payload.
    pub(super) fn last_length(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// Whether `input` has no more bytes, and [`next`](Self::next) has neither a payload to continue nor
    /// a breach to return.
    #[inline]
    pub(super) const fn is_done_with(&self, input: &Input<'_>) -> bool {
        input.is_used_up() && self.frame.is_none() && !matches!(self.end, End::Broken(_))
    }

    /// The next message or control frame. `None` if more bytes must come, or if an extension stopped
    /// early.
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<Option<Incoming>, Breach> {
        if let Some(text) = input.next_text() {
            return Ok(Some(Incoming::Message(Message::Text(text))));
        }
        if self.frame.is_none()
            && self.have == 0
            && self.end == End::Open
            && let Some(message) = self.next_whole(input)
        {
            return Ok(Some(Incoming::Message(message)));
        }
        self.resume(input).inspect_err(|breach| self.break_off(*breach))
    }

    /// The next message, if it is one frame that has come whole: nearly all are. Texts that follow a
    /// text are collected with it.
    fn next_whole(&mut self, input: &mut Input<'_>) -> Option<Message> {
        let mut rest = input.rest();
        input.texts.begin();
        loop {
            let (head, size) = match head::parse(rest, &self.rules) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => break,
                Err(breach) => {
                    self.break_off(breach);
                    break;
                }
            };
            let payload = &rest[size..];
            self.length = head.length;
            let length = usize::try_from(head.length).unwrap_or(usize::MAX);
            match (head.whole(), payload.split_at_checked(length)) {
                // With nothing around it, it needs no run.
                (Some(Kind::Text), Some((text, []))) if input.texts.is_empty() => {
                    input.advance(input.rest().len());
                    let Ok(text) = simdutf8::basic::from_utf8(text) else {
                        self.break_off(Breach::Text);
                        return None;
                    };
                    return Some(Message::Text(Text::from(text)));
                }
                (Some(Kind::Text), Some((text, behind)))
                    if input.texts.push(text, behind.len()) =>
                {
                    rest = behind;
                }
                (Some(Kind::Binary), Some(_)) if input.texts.is_empty() => {
                    input.advance(size);
                    return Some(Message::Binary(input.take(length)));
                }
                _ => break, // `resume` or the next call looks at it again
            }
        }
        input.advance(input.rest().len() - rest.len());
        if !input.texts.finish() {
            self.break_off(Breach::Text);
        }
        input.next_text().map(Message::Text)
    }

    /// Frees the incomplete message, and remembers the breach.
    #[cold]
    fn break_off(&mut self, breach: Breach) {
        self.end = End::Broken(breach);
        (self.frame, self.message, self.control) = (None, None, Vec::new());
    }

    /// Continues where the last bytes ended: in a head, or in a payload.
    fn resume(&mut self, input: &mut Input<'_>) -> Result<Option<Incoming>, Breach> {
        loop {
            match self.end {
                End::Open => {}
                End::Closed => {
                    input.advance(input.rest().len());
                    return Ok(None);
                }
                End::Broken(breach) => return Err(breach),
            }
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.read_head(input)? {
                    Some(head) => self.begin(head),
                    None => return Ok(None),
                },
            };
            match self.read_payload(frame, input)? {
                Step::Complete(incoming) => return Ok(Some(incoming)),
                Step::GoOn => {}
                Step::Rest => return Ok(None),
            }
        }
    }

    /// Collects the bytes of a head until it is whole.
    fn read_head(&mut self, input: &mut Input<'_>) -> Result<Option<Head>, Breach> {
        let before = self.have;
        let count = input.rest().len().min(head::LONGEST - before);
        self.head[before..before + count].copy_from_slice(&input.rest()[..count]);
        self.have += count;
        let parsed = head::parse(&self.head[..self.have], &self.rules)?;
        input.advance(parsed.as_ref().map_or(count, |(_, size)| size - before));
        Ok(parsed.map(|(head, _)| {
            self.have = 0;
            head
        }))
    }

    fn begin(&mut self, head: Head) -> Frame {
        let Head { length, key, .. } = head;
        self.length = length;
        match head.opening() {
            Opening::Control(_) => {}
            Opening::Message(kind) => {
                self.rules.begun = Some(length);
                self.message =
                    Some(Begun { part: Part::new(kind), is_extended: head.is_extended() });
            }
            Opening::Continuation => {
                self.rules.begun = self.rules.begun.map(|before| before.saturating_add(length));
            }
        }
        let control = match head.opening() {
            Opening::Control(control) => Some(control),
            Opening::Message(_) | Opening::Continuation => None,
        };
        let frame =
            Frame { control, is_final: head.is_final(), left: length, mask: key.map(Mask::new) };
        self.frame = Some(frame);
        frame
    }

    /// Reads the bytes of a frame's payload that are in `input`; of a masked frame, at most a block.
    fn read_payload(&mut self, mut frame: Frame, input: &mut Input<'_>) -> Result<Step, Breach> {
        let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
        let come = &input.rest()[..input.rest().len().min(left)];
        if come.is_empty() && frame.left > 0 {
            return Ok(Step::Rest);
        }
        let (offered, used) = match &frame.mask {
            None => (come.len(), self.add(&frame, come)?),
            Some(mask) => {
                let mut block = come[..come.len().min(BLOCK)].to_vec();
                mask.apply(&mut block);
                (block.len(), self.add(&frame, &block)?)
            }
        };
        input.advance(used);
        frame.left -= used as u64;
        if let Some(mask) = &mut frame.mask {
            mask.advance(used);
        }
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(if used < offered { Step::Rest } else { Step::GoOn });
        }
        self.frame = None;
        match frame.control {
            Some(control) => self.finish_control(control).map(Step::Complete),
            None if frame.is_final => self.finish_message().map(Step::Complete),
            None => Ok(Step::GoOn),
        }
    }

    /// Adds bytes to the control frame or the message. Returns how many of them were used.
    fn add(&mut self, frame: &Frame, bytes: &[u8]) -> Result<usize, Breach> {
        if frame.control.is_some() {
            self.control.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let message = self.message.as_mut().ok_or(Breach::NothingToContinue)?;
        let left = frame.left - bytes.len() as u64;
        if let Some(extension) = self.extension.as_deref_mut().filter(|_| message.is_extended) {
            let is_last = frame.is_final && left == 0;
            return message.extend(extension, bytes, is_last, self.rules.max_message_size);
        }
        message.part.push(bytes, left, frame.is_final)?;
        Ok(bytes.len())
    }

    fn finish_control(&mut self, control: Control) -> Result<Incoming, Breach> {
        let payload = std::mem::take(&mut self.control);
        Ok(match control {
            Control::Ping => Incoming::Ping(Bytes::from(payload)),
            Control::Pong => Incoming::Pong(Bytes::from(payload)),
            Control::Close => {
                self.end = End::Closed;
                Incoming::Close(close::parse(&payload)?)
            }
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
        // One byte more than the limit, so that a message over the limit is noticed.
        let room = BLOCK.min(limit.saturating_sub(self.part.len()).saturating_add(1));
        let mut decoded = Vec::new();
        let used = extension.decode(bytes, is_last, room, &mut decoded)?;
        if used > bytes.len() || decoded.len() > room {
            return Err(Breach::Extension("it exceeds its bounds"));
        }
        if used == 0 && decoded.is_empty() && !bytes.is_empty() {
            return Err(Breach::Extension("it neither uses nor appends a byte"));
        }
        let size = self.part.len() + decoded.len();
        if size > limit {
            return Err(Breach::TooLong { size: size as u64, is_whole: false, limit });
        }
        self.part.push(&decoded, 0, false)?;
        Ok(used)
    }
}
