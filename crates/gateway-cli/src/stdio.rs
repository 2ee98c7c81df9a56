//! stdin, stdout and stderr without a buffer. If one is non-blocking, reads and writes still wait.
//!
//! `O_NONBLOCK` belongs to the open file, not to a process. Any program that shares the terminal or
//! pipe can set it.

use std::io::{self, LineWriter, Read, Write};

#[cfg(not(unix))]
pub(crate) use self::other::{is_reader_gone, stderr, stdin, stdout, wait_for_input};
#[cfg(unix)]
pub(crate) use self::unix::{is_reader_gone, stderr, stdin, stdout, wait_for_input};

/// A stream that waits in place of returning `WouldBlock`.
#[derive(Debug)]
pub(crate) struct Patient<S>(S);

/// Returns stdout for a command that prints lines.
///
/// # Errors
/// If the process has no more descriptors.
pub(crate) fn lines() -> io::Result<LineWriter<impl Write + std::fmt::Debug>> {
    stdout().map(LineWriter::new)
}

/// stdin until the reader of stdout is gone. What is there to read is read first.
#[derive(Debug)]
pub(crate) struct WhileRead<S>(pub(crate) S);

impl<S: Read> Read for WhileRead<S> {
    /// # Errors
    /// `BrokenPipe` if there is nothing to read and the reader of stdout is gone.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        wait_for_input()?;
        self.0.read(into)
    }
}

/// A stream that can be waited for.
pub(crate) trait Wait {
    /// Waits until the stream is readable or has failed.
    fn until_readable(&self) -> io::Result<()>;
    /// Waits until the stream is writable or has failed.
    fn until_writable(&self) -> io::Result<()>;
}

impl<S: Read + Wait> Read for Patient<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.until_readable()?;
                }
                read => return read,
            }
        }
    }
}

impl<S: Write + Wait> Write for Patient<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.until_writable()?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(unix)]
mod unix {
    use std::{fs::File, io, os::fd::AsFd};

    use rustix::{
        event::{PollFd, PollFlags, poll},
        fs::{OFlags, fcntl_getfl},
    };

    use super::{Patient, Wait};

    /// # Errors
    /// If the process has no more descriptors. The same holds for the other two.
    pub(crate) fn stdin() -> io::Result<Patient<File>> {
        duplicate(&io::stdin())
    }

    pub(crate) fn stdout() -> io::Result<Patient<File>> {
        duplicate(&io::stdout())
    }

    pub(crate) fn stderr() -> io::Result<Patient<File>> {
        duplicate(&io::stderr())
    }

    fn duplicate(stream: &impl AsFd) -> io::Result<Patient<File>> {
        Ok(Patient(File::from(stream.as_fd().try_clone_to_owned()?)))
    }

    /// Waits until the reader of stdout is gone, which only a pipe reports. Returns whether it is.
    pub(crate) fn is_reader_gone() -> bool {
        let stdout = io::stdout();
        let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
        until_any(&mut polled).is_ok() && reports_no_reader(&polled[0])
    }

    /// Waits until stdin has something to read, or has ended or failed.
    ///
    /// # Errors
    /// `BrokenPipe` if the reader of stdout is gone first.
    pub(crate) fn wait_for_input() -> io::Result<()> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        // A poll for input waits forever if stdin is only for writing. A read fails at once.
        let is_readable = |flags| flags & OFlags::ACCMODE != OFlags::WRONLY;
        if !fcntl_getfl(&stdin).is_ok_and(is_readable) {
            return Ok(());
        }
        let mut polled =
            [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        let is_polled = until_any(&mut polled).is_ok();
        let [input, output] = &polled;
        if is_polled && input.revents().is_empty() && reports_no_reader(output) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Otherwise the read itself waits, if it has to.
        Ok(())
    }

    fn until_any(polled: &mut [PollFd<'_>]) -> io::Result<()> {
        loop {
            match poll(polled, None) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the reader of a pipe is gone. A terminal that hung up reports both.
    fn reports_no_reader(polled: &PollFd<'_>) -> bool {
        polled.revents() & (PollFlags::ERR | PollFlags::HUP) == PollFlags::ERR
    }

    impl Wait for File {
        fn until_readable(&self) -> io::Result<()> {
            wait(self, PollFlags::IN)
        }

        fn until_writable(&self) -> io::Result<()> {
            wait(self, PollFlags::OUT)
        }
    }

    fn wait(stream: &File, flags: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(stream, flags)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Other systems have no non-blocking standard streams.
#[cfg(not(unix))]
mod other {
    use std::io::{self, Stderr, Stdin, Stdout};

    use super::{Patient, Wait};

    pub(crate) fn stdin() -> io::Result<Patient<Stdin>> {
        Ok(Patient(io::stdin()))
    }

    pub(crate) fn stdout() -> io::Result<Patient<Stdout>> {
        Ok(Patient(io::stdout()))
    }

    pub(crate) fn stderr() -> io::Result<Patient<Stderr>> {
        Ok(Patient(io::stderr()))
    }

    /// Other systems report a reader that is gone only to a write.
    pub(crate) const fn is_reader_gone() -> bool {
        false
    }

    pub(crate) const fn wait_for_input() -> io::Result<()> {
        Ok(())
    }

    macro_rules! never_waits {
        ($($stream:ty),*) => {$(
            impl Wait for $stream {
                fn until_readable(&self) -> io::Result<()> {
                    Err(io::ErrorKind::WouldBlock.into())
                }

                fn until_writable(&self) -> io::Result<()> {
                    Err(io::ErrorKind::WouldBlock.into())
                }
            }
        )*};
    }
    never_waits!(Stdin, Stdout, Stderr);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Would block until it was waited for, and again after each byte.
    #[derive(Default)]
    struct Shy {
        is_ready: Cell<bool>,
        written: Vec<u8>,
    }

    impl Shy {
        fn byte(&self) -> io::Result<usize> {
            self.is_ready.take().then_some(1).ok_or(io::ErrorKind::WouldBlock.into())
        }
    }

    impl Read for Shy {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            into[0] = b'x';
            self.byte()
        }
    }

    impl Write for Shy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = self.byte()?;
            self.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Wait for Shy {
        fn until_readable(&self) -> io::Result<()> {
            self.is_ready.set(true);
            Ok(())
        }

        fn until_writable(&self) -> io::Result<()> {
            self.until_readable()
        }
    }

    #[test]
    fn a_stream_that_would_block_is_waited_for_and_nothing_is_lost() {
        let mut stream = Patient(Shy::default());

        let mut read = [0; 3];
        stream.read_exact(&mut read).expect("it is waited for");
        stream.write_all(b"abc").expect("it is waited for");

        assert_eq!((&read, stream.0.written.as_slice()), (b"xxx", b"abc".as_slice()));
    }
}
