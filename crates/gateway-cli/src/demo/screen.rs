//! The output of the demo: lines with their time, in colour on a terminal.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use gateway_tokio::core::ConnectionState;

use crate::{clock::Stopwatch, stdio};

/// stdout with a clock.
pub(crate) struct Screen {
    clock: Stopwatch,
    stdout: Box<dyn Write>,
    painter: Painter,
    /// The first error of stdout.
    broken: Option<io::Error>,
}

/// Paints words if stdout is a terminal and `NO_COLOR` is unset or empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter(Colours);

impl Painter {
    pub(crate) fn of_stdout() -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_coloured = !is_plain && io::stdout().is_terminal();
        Self(if is_coloured { Colours::On } else { Colours::Off })
    }

    /// Paints nothing, whatever stdout is.
    pub(crate) fn plain() -> Self {
        Self(Colours::Off)
    }

    /// A text in a colour, if colours are on.
    pub(crate) fn paint<T: fmt::Display>(self, paint: Paint, text: T) -> Painted<T> {
        Painted { paint: (self.0 == Colours::On).then_some(paint), text }
    }

    /// A state's name in its colour, padded to `width`.
    pub(crate) fn state(self, state: ConnectionState, width: usize) -> impl fmt::Display + use<> {
        let paint = match state {
            ConnectionState::Connected | ConnectionState::Authenticated => Paint::Good,
            ConnectionState::Connecting | ConnectionState::Closing => Paint::Waiting,
            ConnectionState::Disconnected => Paint::Bad,
            ConnectionState::Closed => Paint::Title,
        };
        self.paint(paint, format!("{:width$}", state.name()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

/// How a word is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Good,
    Waiting,
    Bad,
    Title,
    Faint,
}

impl Screen {
    /// # Errors
    /// If there is no stdout.
    pub(crate) fn new(clock: Stopwatch) -> io::Result<Self> {
        let stdout = Box::new(stdio::lines()?);
        Ok(Self { clock, stdout, painter: Painter::of_stdout(), broken: None })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The first error of stdout.
    pub(crate) fn broken(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    /// Writes a line with the current time.
    pub(crate) fn happened(&mut self, what: impl fmt::Display) {
        let seconds = format!("{:7.3}", self.clock.elapsed().as_secs_f64());
        let time = self.paint(Paint::Faint, seconds);
        self.line(format_args!("{time}  {what}"));
    }

    /// Writes the heading of a fault and its description.
    pub(crate) fn heading(&mut self, number: usize, title: &str, about: &str) {
        let title = self.paint(Paint::Title, format!("{number}. {title}"));
        self.line(format_args!("\n{title}"));
        self.remark(about);
    }

    /// Writes an explanation.
    pub(crate) fn remark(&mut self, text: &str) {
        for line in text.lines() {
            let line = self.paint(Paint::Faint, line);
            self.line(format_args!("   {line}"));
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        let written = writeln!(self.stdout, "{line}").and_then(|()| self.stdout.flush());
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }

    /// A state's name in its colour.
    pub(crate) fn state(&self, state: ConnectionState) -> impl fmt::Display + use<> {
        self.painter.state(state, 0)
    }

    /// A text in a colour, if there are any.
    pub(crate) fn paint<T: fmt::Display>(&self, paint: Paint, text: T) -> Painted<T> {
        self.painter.paint(paint, text)
    }
}

/// A text that may have a colour.
#[derive(Debug)]
pub(crate) struct Painted<T> {
    paint: Option<Paint>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.paint {
            None => return self.text.fmt(formatter),
            Some(Paint::Good) => "32",
            Some(Paint::Waiting) => "33",
            Some(Paint::Bad) => "31",
            Some(Paint::Title) => "1",
            Some(Paint::Faint) => "2",
        };
        write!(formatter, "\x1b[{code}m")?;
        self.text.fmt(formatter)?;
        formatter.write_str("\x1b[0m")
    }
}

/// A span in milliseconds, with one decimal below 10 ms.
pub(crate) fn millis(span: Duration) -> String {
    if span < Duration::from_millis(10) {
        format!("{:.1} ms", span.as_secs_f64() * 1e3)
    } else {
        format!("{} ms", span.as_millis())
    }
}
