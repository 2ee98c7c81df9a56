//! Reads messages from stdin on a thread, only on request and a bounded amount at a time.
//!
//! A read of stdin cannot be cancelled. On a thread it delays no task and no exit.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use gateway_tokio::Message;
use tokio::sync::mpsc as tasks;

use super::form::{self, Form, LineEnd};
use crate::stdio::ReaderGone;

/// The size of the read buffer. A longer line is a batch of its own.
const READ_AHEAD: usize = 64 * 1024;

/// A line of stdin, or the bytes before a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Message(Message),
    /// Not a message object; its length in bytes.
    NoObject(u64),
    /// Not UTF-8; its length in bytes.
    NotUtf8(u64),
    /// Longer than the largest message; its length in bytes.
    TooLong(u64),
    /// It has no end, because the reader of stdout is gone; its length in bytes.
    Half(u64),
}

/// How messages are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputForm {
    pub(crate) form: Form,
    pub(crate) line_end: Option<LineEnd>,
    /// Whether the input ends after the first message.
    pub(crate) once: bool,
    /// The longest message, in bytes.
    pub(crate) longest: usize,
}

impl InputForm {
    #[cfg(test)]
    pub(crate) fn lines(longest: usize) -> Self {
        Self { form: Form::Lines, line_end: None, once: false, longest }
    }

    fn separator(self) -> u8 {
        match self.form {
            Form::Lines | Form::Json => b'\n',
            Form::Null => 0,
        }
    }

    /// How many bytes of a line are kept.
    fn longest_line(self) -> usize {
        match self.form {
            // Plus the carriage return before the newline.
            Form::Lines => self.longest.saturating_add(1),
            // A character takes at most six bytes: `\u0000`.
            Form::Json => self.longest.saturating_mul(6).saturating_add(64),
            Form::Null => self.longest,
        }
    }

    /// Makes a line from its kept bytes, its whole length and its last byte.
    fn line(self, mut line: Vec<u8>, mut length: u64, last: Option<u8>) -> Line {
        if self.form == Form::Lines && last == Some(b'\r') {
            // The carriage return belongs to the newline.
            length = length.saturating_sub(1);
            line.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        }
        if length > line.len() as u64 {
            return Line::TooLong(length);
        }
        let Ok(mut text) = String::from_utf8(line) else { return Line::NotUtf8(length) };
        let message = match self.form {
            Form::Lines => {
                text.push_str(self.line_end.map_or("", LineEnd::text));
                Message::text(text)
            }
            Form::Null => Message::text(text),
            Form::Json => match form::message(&text) {
                Ok(message) => message,
                Err(_) => return Line::NoObject(length),
            },
        };
        if message.len() > self.longest {
            return Line::TooLong(message.len() as u64);
        }
        Line::Message(message)
    }
}

/// Lines that were read together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Line>,
    /// Why no more will come.
    pub(crate) end: Option<io::Result<()>>,
}

/// The lines of a stream.
#[derive(Debug)]
pub(crate) struct Input {
    ask: Sender<()>,
    batches: tasks::Receiver<Batch>,
    is_asked: bool,
}

impl Input {
    /// Starts the thread, which reads on request.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(stream: impl Read + Send + 'static, form: InputForm) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let (hand_over, batches) = tasks::channel(1);
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || read(stream, form, &asked, &hand_over))?;
        Ok(Self { ask, batches, is_asked: false })
    }

    /// Returns the next lines. Cancel-safe: after a cancelled call the next one returns the same lines.
    pub(crate) async fn next(&mut self) -> Batch {
        if !self.is_asked {
            // Fails only if the thread has ended. Then the channel below has ended too.
            self.is_asked = self.ask.send(()).is_ok();
        }
        let batch = self.batches.recv().await;
        self.is_asked = false;
        batch.unwrap_or(Batch { lines: Vec::new(), end: Some(Ok(())) })
    }

    /// Lines that were read and not returned yet.
    pub(crate) fn left_over(&mut self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }

    /// Whether lines were requested: a read may be in progress.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked
    }
}

fn read(
    stream: impl Read,
    form: InputForm,
    asked: &Receiver<()>,
    hand_over: &tasks::Sender<Batch>,
) {
    let mut reader = BufReader::with_capacity(READ_AHEAD, stream);
    while asked.recv().is_ok() {
        let batch = read_batch(&mut reader, form);
        let is_last = batch.end.is_some();
        if hand_over.blocking_send(batch).is_err() || is_last {
            return;
        }
    }
}

/// Waits for one line, and adds the lines that were read with it.
fn read_batch<R: Read>(reader: &mut BufReader<R>, form: InputForm) -> Batch {
    let mut lines = Vec::new();
    loop {
        match read_line(reader, form) {
            Ok(Some(line)) if form.once => return Batch { lines: vec![line], end: Some(Ok(())) },
            Ok(Some(half @ Line::Half(_))) => {
                lines.push(half);
                // What comes later may be the rest of it.
                return Batch { lines, end: Some(Ok(())) };
            }
            Ok(Some(line)) => lines.push(line),
            Ok(None) => return Batch { lines, end: Some(Ok(())) },
            Err(error) => return Batch { lines, end: Some(Err(error)) },
        }
        if !reader.buffer().contains(&form.separator()) {
            return Batch { lines, end: None };
        }
    }
}

/// Reads a line, and keeps only as much as may be sent. Returns `None` at the end.
fn read_line(reader: &mut impl BufRead, form: InputForm) -> io::Result<Option<Line>> {
    let most = form.longest_line();
    let (mut line, mut length, mut last, mut is_some) = (Vec::new(), 0_u64, None, false);
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if ReaderGone::is(&error) => {
                return Ok(is_some.then_some(Line::Half(length)));
            }
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(is_some.then(|| form.line(line, length, last)));
        }
        is_some = true;
        let newline = chunk.iter().position(|byte| *byte == form.separator());
        let part = &chunk[..newline.unwrap_or(chunk.len())];
        line.extend_from_slice(&part[..part.len().min(most - line.len())]);
        length = length.saturating_add(part.len() as u64);
        last = part.last().copied().or(last);
        let used = part.len() + usize::from(newline.is_some());
        reader.consume(used);
        if newline.is_some() {
            return Ok(Some(form.line(line, length, last)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(bytes: &'static [u8], form: InputForm) -> Vec<Vec<Line>> {
        let mut reader = BufReader::with_capacity(8, bytes);
        let mut batches = Vec::new();
        loop {
            let Batch { lines, end } = read_batch(&mut reader, form);
            batches.push(lines);
            if end.is_some() {
                return batches;
            }
        }
    }

    fn lines(bytes: &'static [u8], longest: usize) -> Vec<Line> {
        batches(bytes, InputForm::lines(longest)).into_iter().flatten().collect()
    }

    fn text(text: &str) -> Line {
        Line::Message(Message::text(text.to_owned()))
    }

    #[test]
    fn every_line_comes_without_its_newline_the_last_one_too() {
        assert_eq!(lines(b"a\n\nbc\r\nlast", 9), ["a", "", "bc", "last"].map(text));
        assert_eq!(lines(b"a\n", 9), [text("a")]);
        assert_eq!(lines(b"", 9), []);
        assert_eq!(lines(b"\n", 9), [text("")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_counted_and_the_next_one_is_whole() {
        let read = lines(b"12345\n123456\n1234567890123456789012\n12345\r\n123456\r\nend", 5);

        let long = Line::TooLong;
        assert_eq!(read, [text("12345"), long(6), long(22), text("12345"), long(6), text("end")]);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_no_text() {
        assert_eq!(lines(b"a\xff\n\xc3\xa9\n", 9), [Line::NotUtf8(2), text("é")]);
    }

    #[test]
    fn lines_that_came_together_are_handed_over_together() {
        assert_eq!(batches(b"a\nb\nc\nd\ne\nf", InputForm::lines(9))[0].len(), 4);
    }

    #[test]
    fn messages_are_separated_by_nul_and_may_have_any_text() {
        let form = InputForm { form: Form::Null, ..InputForm::lines(4) };

        let read: Vec<_> =
            batches(b"a\nb\r\0\0too long\0last", form).into_iter().flatten().collect();

        assert_eq!(read, [text("a\nb\r"), text(""), Line::TooLong(8), text("last")]);
    }

    #[test]
    fn a_line_end_is_part_of_the_message_and_of_its_length() {
        let form = InputForm { line_end: Some(LineEnd::Crlf), ..InputForm::lines(4) };

        let read: Vec<_> = batches(b"ab\nc\r\nabc\n", form).into_iter().flatten().collect();

        assert_eq!(read, [text("ab\r\n"), text("c\r\n"), Line::TooLong(5)]);
    }

    #[test]
    fn objects_are_messages_and_their_length_is_that_of_the_message() {
        let form = InputForm { form: Form::Json, ..InputForm::lines(2) };
        let input =
            b"{\"text\":\"\\u0000\\u0000\"}\r\n{\"base64\":\"AAE=\"}\n{\"text\":\"abc\"}\nno\n";

        let read: Vec<_> = batches(input, form).into_iter().flatten().collect();

        let binary = Line::Message(Message::binary(vec![0, 1]));
        assert_eq!(read, [text("\0\0"), binary, Line::TooLong(3), Line::NoObject(2)]);
    }
}
