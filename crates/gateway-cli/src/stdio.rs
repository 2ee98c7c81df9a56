//! stdin, stdout and stderr without a buffer. If one is non-blocking, reads and writes still wait.
//!
//! `O_NONBLOCK` belongs to the open file, not to a process. Any program that shares the terminal or
//! pipe can set it.

use std::io::{self, LineWriter, Read, Write};

#[cfg(not(unix))]
pub(crate) use self::other::{Reader, stderr, stdin, stdin_while_read, stdout};
#[cfg(unix)]
pub(crate) use self::unix::{Reader, stderr, stdin, stdin_while_read, stdout};

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

/// The error of a read of stdin if there is nothing to read and the reader of stdout is gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the reader of stdout is gone")]
pub(crate) struct ReaderGone;

impl ReaderGone {
    /// Whether a read failed because of it.
    pub(crate) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Self>())
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
    use std::{
        fs::File,
        io::{self, Read},
        os::{fd::AsFd, unix::fs::FileTypeExt as _},
    };

    use rustix::{
        event::{PollFd, PollFlags, poll},
        fs::{OFlags, fcntl_getfl},
    };

    use super::{Patient, ReaderGone, Wait};

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

    /// The other end of stdout.
    #[derive(Debug)]
    pub(crate) struct Reader {
        stdout: File,
        /// A pipe or a Unix socket reports that its reader is gone; TCP only to a write. A terminal
        /// hangs up, with a signal.
        is_reported: bool,
    }

    impl Reader {
        /// # Errors
        /// If the process has no more descriptors.
        pub(crate) fn of_stdout() -> io::Result<Self> {
            let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            let is_reported = !stdout.metadata()?.file_type().is_char_device();
            Ok(Self { stdout, is_reported })
        }

        /// Waits until the reader is gone. Returns whether it is: not every stdout reports that.
        pub(crate) fn is_gone(&self) -> bool {
            let mut polled = [self.polled()];
            self.is_reported && until_any(&mut polled).is_ok() && has_failed(&polled[0])
        }

        fn polled(&self) -> PollFd<'_> {
            // What is gone is always reported.
            PollFd::new(&self.stdout, PollFlags::empty())
        }
    }

    /// Returns stdin. If there is nothing to read and the reader of stdout is gone, a read fails with
    /// [`ReaderGone`].
    ///
    /// # Errors
    /// If the process has no more descriptors.
    pub(crate) fn stdin_while_read() -> io::Result<impl Read + Send> {
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let reader = Reader::of_stdout()?;
        // A poll waits forever for input that is only for writing. A read fails at once.
        let is_readable = fcntl_getfl(&stdin)? & OFlags::ACCMODE != OFlags::WRONLY;
        let is_watched = is_readable && reader.is_reported;
        Ok(WhileRead { reader: is_watched.then_some(reader), stdin: Patient(stdin) })
    }

    struct WhileRead {
        stdin: Patient<File>,
        reader: Option<Reader>,
    }

    impl Read for WhileRead {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some(reader) = &self.reader else { return self.stdin.read(into) };
            loop {
                let mut polled = [PollFd::new(&self.stdin.0, PollFlags::IN), reader.polled()];
                until_any(&mut polled)?;
                if polled[0].revents().is_empty() && has_failed(&polled[1]) {
                    return Err(io::Error::other(ReaderGone));
                }
                match self.stdin.0.read(into) {
                    // Another process has read it first.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        }
    }

    fn has_failed(polled: &PollFd<'_>) -> bool {
        polled.revents().intersects(PollFlags::ERR | PollFlags::HUP)
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

    /// The other end of stdout. Other systems report only to a write that it is gone.
    #[derive(Debug)]
    pub(crate) struct Reader;

    impl Reader {
        pub(crate) fn of_stdout() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) const fn is_gone(&self) -> bool {
            false
        }
    }

    pub(crate) fn stdin_while_read() -> io::Result<Patient<Stdin>> {
        stdin()
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
