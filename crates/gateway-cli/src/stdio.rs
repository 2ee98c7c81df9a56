//! stdin, stdout and stderr without a buffer of their own; one that is non-blocking is waited for.
//!
//! `O_NONBLOCK` belongs to the open file, not to a process: any program that shares the terminal or pipe can set it.

use std::io::{self, Read, Write};

#[cfg(not(unix))]
pub(crate) use self::other::{stderr, stdin, stdout};
#[cfg(unix)]
pub(crate) use self::unix::{stderr, stdin, stdout};

/// A stream whose `WouldBlock` is waited for, and so never returned.
#[derive(Debug)]
pub(crate) struct Patient<S>(S);

/// A stream that can be waited for.
pub(crate) trait Wait {
    /// Waits until there is something to read, or the stream has failed.
    fn until_readable(&self) -> io::Result<()>;
    /// Waits until there is space to write, or the stream has failed.
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

    use rustix::event::{PollFd, PollFlags, poll};

    use super::{Patient, Wait};

    /// # Errors
    /// Where the process has no more descriptors. The same holds for the other two.
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

/// Other systems have no such mode of a standard stream.
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
