//! Diagnostics: log, events and journal, each written by a thread behind a bounded queue.
//!
//! A stream that fails or hangs never holds up the connection. Lines that cannot be written are
//! dropped and counted, and the count is reported once writing works again.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use crate::{clock::Stopwatch, stdio};

/// How many bytes may wait for a stream. Further lines are dropped.
const BOUND: usize = 4 << 20;

/// How long the program waits at its end for lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// Every stream that was opened, for [`finish`].
static OPENED: Mutex<Vec<Lines>> = Mutex::new(Vec::new());

/// A queue of lines. Writing never fails and never waits. Each call of [`Write::write`] has one or more
/// whole lines.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Queue>);

/// The text that replaces a number of dropped lines. Empty if the reader notices the gap anyway.
type Note = Box<dyn Fn(u64) -> String + Send>;

struct Queue {
    /// The stream's name in the log; `None` for stderr, which is the log.
    name: Option<String>,
    bound: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<u8>,
    /// How many lines were dropped before those that wait.
    dropped_before: u64,
    /// How many lines were dropped after those that wait.
    dropped_behind: u64,
    /// How many lines are being written.
    writing: Option<u64>,
    note: Note,
    /// The texts before and after lines.
    around: (&'static str, &'static str),
}

/// The lines of stderr.
pub(crate) fn stderr() -> &'static Lines {
    static STDERR: OnceLock<Lines> = OnceLock::new();
    STDERR.get_or_init(|| {
        let lines = Lines::new(None, BOUND);
        lines
            .set_note(|count| format!("{count} lines were dropped: stderr could not be written\n"));
        // Without a descriptor or a thread the program runs without a log.
        let _ = stdio::stderr().and_then(|stream| lines.start(stream));
        lines
    })
}

/// Waits for a bounded time until all lines are written, and reports the others.
pub(crate) fn finish() {
    let since = Stopwatch::start();
    let left = || FLUSH.saturating_sub(since.elapsed());
    let opened = mem::take(&mut *locked(&OPENED));
    for lines in &opened {
        let lost = lines.finish(left());
        if let (Some(name), 1..) = (&lines.0.name, lost) {
            tracing::error!(lines = lost, "{name}: the last lines could not be written");
        }
    }
    stderr().finish(left());
}

impl Lines {
    /// Starts to write into `stream`, with this name in the log. For `note` see
    /// [`set_note`](Self::set_note).
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn open(
        name: String,
        stream: impl Write + Send + 'static,
        note: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let lines = Self::new(Some(name), BOUND);
        lines.set_note(note);
        lines.start(stream)?;
        locked(&OPENED).push(lines.clone());
        Ok(lines)
    }

    fn new(name: Option<String>, bound: usize) -> Self {
        let state = State {
            waiting: Vec::new(),
            dropped_before: 0,
            dropped_behind: 0,
            writing: None,
            note: Box::new(|_| String::new()),
            around: ("", ""),
        };
        Self(Arc::new(Queue { name, bound, state: Mutex::new(state), changed: Condvar::new() }))
    }

    fn start(&self, stream: impl Write + Send + 'static) -> io::Result<()> {
        let name = self.0.name.as_deref().unwrap_or("stderr").to_owned();
        let queue = Arc::clone(&self.0);
        thread::Builder::new().name(name).spawn(move || queue.write_into(stream))?;
        Ok(())
    }

    /// Sets the text for dropped lines.
    pub(crate) fn set_note(&self, note: impl Fn(u64) -> String + Send + 'static) {
        locked(&self.0.state).note = Box::new(note);
    }

    /// Writes `before` and `behind` around the lines from now on. On a terminal they replace a prompt.
    pub(crate) fn set_around(&self, before: &'static str, behind: &'static str) {
        locked(&self.0.state).around = (before, behind);
    }

    /// Waits at most `longest` until everything is written. Returns how many lines were dropped and not
    /// reported.
    fn finish(&self, longest: Duration) -> u64 {
        let Queue { state, changed, .. } = &*self.0;
        let is_busy = |state: &mut State| state.writing.is_some() || !state.waiting.is_empty();
        let waited = changed.wait_timeout_while(locked(state), longest, is_busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        [state.dropped_before, state.dropped_behind, state.writing.unwrap_or(0)]
            .into_iter()
            .fold(line_count(&state.waiting), u64::saturating_add)
    }
}

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut state = locked(&self.0.state);
        let is_full = state.waiting.len().saturating_add(lines.len()) > self.0.bound;
        // After a dropped line all are dropped until the thread has taken the queue. One note covers them.
        if is_full || state.dropped_behind > 0 {
            state.dropped_behind = state.dropped_behind.saturating_add(line_count(lines));
        } else {
            let (before, behind) = state.around;
            for part in [before.as_bytes(), lines, behind.as_bytes()] {
                state.waiting.extend_from_slice(part);
            }
            self.0.changed.notify_all();
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    /// Runs the thread. It ends with the process, because a hanging write cannot be cancelled.
    fn write_into(&self, stream: impl Write) {
        let mut stream = Torn { stream, is_mid_line: false };
        let mut is_failing = false;
        loop {
            let mut state = self.next();
            let text = mem::take(&mut state.waiting);
            let before = mem::take(&mut state.dropped_before);
            let behind = mem::take(&mut state.dropped_behind);
            let dropped = before.saturating_add(behind);
            let note = |count| if count > 0 { (state.note)(count) } else { String::new() };
            let (note_before, note_behind) = (note(before), note(behind));
            let lines = line_count(&text);
            state.writing = Some(lines);
            drop(state);

            let written = stream
                .write(note_before.as_bytes())
                .map_err(|(_, error)| (dropped.saturating_add(lines), error))
                .and_then(|()| {
                    stream
                        .write(&text)
                        .map_err(|(left, error)| (line_count(left).saturating_add(behind), error))
                })
                .and_then(|()| {
                    stream.write(note_behind.as_bytes()).map_err(|(_, error)| (behind, error))
                });
            self.report(&written, dropped, &mut is_failing);

            let mut state = locked(&self.state);
            state.dropped_before = written.map_or_else(|(lost, _)| lost, |()| 0);
            state.writing = None;
            self.changed.notify_all();
        }
    }

    /// Waits for lines.
    fn next(&self) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| state.waiting.is_empty();
        self.changed.wait_while(locked(&self.state), waits).unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs once that the stream fails, and that it works again. For stderr only the note does so.
    fn report(&self, written: &Result<(), (u64, io::Error)>, dropped: u64, is_failing: &mut bool) {
        let Some(name) = &self.name else { return };
        match written {
            Err((_, error)) if !*is_failing => {
                tracing::error!(%error, "cannot write {name}: lines are dropped until writing works again");
            }
            Ok(()) if dropped > 0 => {
                tracing::error!(lines = dropped, "{name} works again: lines were dropped");
            }
            Ok(()) | Err(_) => {}
        }
        *is_failing = written.is_err();
    }
}

/// A stream that may fail in the middle of a line. The next write then begins on a new line.
struct Torn<W> {
    stream: W,
    is_mid_line: bool,
}

impl<W: Write> Torn<W> {
    /// Writes all of it, or returns what is left.
    fn write<'a>(&mut self, text: &'a [u8]) -> Result<(), (&'a [u8], io::Error)> {
        if self.is_mid_line && !text.is_empty() {
            self.stream.write_all(b"\n").map_err(|error| (text, error))?;
            self.is_mid_line = false;
        }
        let mut left = text;
        while !left.is_empty() {
            let error = match self.stream.write(left) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    left = &left[count..];
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let written = &text[..text.len() - left.len()];
            self.is_mid_line |= written.last().is_some_and(|last| *last != b'\n');
            return Err((left, error));
        }
        Ok(())
    }
}

fn line_count(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use gateway_journal::{Journal, Problem, Recorder};
    use gateway_tokio::core::{Config, Connection, Event, Instant, Observer as _};

    use super::*;

    /// Where a write waits for its answer: how many bytes are taken, or that it fails.
    struct Scripted {
        asked: Sender<Vec<u8>>,
        answers: Receiver<io::Result<usize>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.send(bytes.to_owned()).expect("the test waits for it");
            self.answers.recv().expect("the test answers").map(|most| most.min(bytes.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Stream {
        lines: Lines,
        asked: Receiver<Vec<u8>>,
        answers: Sender<io::Result<usize>>,
    }

    impl Stream {
        fn start(bound: usize) -> Self {
            let (asking, asked) = mpsc::channel();
            let (answers, answered) = mpsc::channel();
            let lines = Lines::new(None, bound);
            lines.set_note(|count| format!("{count} dropped\n"));
            lines.start(Scripted { asked: asking, answers: answered }).expect("a thread");
            Self { lines, asked, answers }
        }

        fn push(&mut self, text: &str) {
            assert_eq!(self.lines.write(text.as_bytes()).expect("it never fails"), text.len());
        }

        /// What is being written.
        fn writes(&self) -> String {
            String::from_utf8(self.asked.recv().expect("the thread runs")).expect("text")
        }

        fn answer(&self, answer: io::Result<usize>) {
            self.answers.send(answer).expect("the thread runs");
        }
    }

    const ALL: io::Result<usize> = Ok(usize::MAX);

    fn full() -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn what_a_hanging_stream_does_not_take_is_dropped_past_the_bound_and_counted_in_its_place() {
        let mut stream = Stream::start(8);
        stream.push("a\n");
        assert_eq!(stream.writes(), "a\n"); // and it hangs
        for line in ["bbbbb\n", "ccccc\n", "d\n"] {
            stream.push(line);
        }

        stream.answer(ALL);

        assert_eq!(stream.writes(), "bbbbb\n");
        stream.push("e\n");
        stream.answer(ALL);
        assert_eq!(stream.writes(), "2 dropped\n");
        stream.answer(ALL);
        assert_eq!(stream.writes(), "e\n");
    }

    #[test]
    fn what_a_failing_stream_does_not_take_is_counted_once_it_takes_again_and_no_line_is_glued() {
        let mut stream = Stream::start(1 << 10);
        stream.push("whole\nin part\n");
        assert_eq!(stream.writes(), "whole\nin part\n");
        stream.answer(Ok(9));
        assert_eq!(stream.writes(), "part\n");
        stream.answer(full());
        stream.push("lost\n");
        assert_eq!(stream.writes(), "\n");
        stream.answer(full());

        stream.push("back\n");
        assert_eq!(stream.writes(), "\n");
        stream.answer(ALL);

        assert_eq!(stream.writes(), "2 dropped\n");
        stream.answer(ALL);
        assert_eq!(stream.writes(), "back\n");
        stream.answer(ALL);
        assert_eq!(stream.lines.finish(Duration::MAX), 0);
    }

    #[test]
    fn the_end_is_not_held_up_by_a_stream_that_hangs_and_knows_what_is_lost() {
        let mut stream = Stream::start(1 << 10);
        stream.push("hangs\n");
        stream.writes();
        stream.push("one\ntwo\n");

        assert_eq!(stream.lines.finish(Duration::ZERO), 3);
    }

    #[test]
    fn a_journal_that_lost_a_line_says_so() {
        let stream = Stream::start(1 << 20);
        stream.lines.set_note(|_| String::new());
        let mut journal = Vec::new();
        let mut recorder = Recorder::new(stream.lines.clone(), |error| panic!("{error}"));
        recorder.begin(&Config::default(), 1);
        journal.extend(stream.writes().into_bytes());
        stream.answer(ALL);
        let mut connection = Connection::from_seed(Config::default().into(), 1);
        for (event, answer) in
            [(Event::ConnectRequested, ALL), (Event::Tick, full()), (Event::Tick, ALL)]
        {
            let now = Instant::ZERO;
            let actions = connection.handle(now, event);
            recorder.observe(&connection.observed(now, event, &actions));
            let line = stream.writes();
            if answer.is_ok() {
                journal.extend(line.into_bytes());
            }
            stream.answer(answer);
        }
        drop(recorder);
        journal.extend(stream.writes().into_bytes());

        let steps: Vec<_> = Journal::read(journal.as_slice()).expect("a head").collect();

        let error = steps.last().expect("steps").as_ref().expect_err("a gap");
        assert!(matches!(error.problem(), Problem::Gap { due: 2, found: 3 }), "{error}");
    }
}
