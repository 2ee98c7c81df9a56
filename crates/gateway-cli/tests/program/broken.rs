//! Streams that accept nothing: closed, full, hung up, non-blocking or not read. A child process
//! inherits them.
//! Linux only: macOS has no `/dev/full`, and no call that makes a pipe close-on-exec.
#![allow(unreachable_pub, reason = "a module of a program")]

use std::{fs::OpenOptions, io, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl},
    pipe::PipeFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// A stream that takes nothing, and what must stay open meanwhile.
pub struct Broken {
    pub name: &'static str,
    pub stream: OwnedFd,
    pub other_end: Option<OwnedFd>,
}

impl Broken {
    /// One of each kind.
    pub fn all() -> io::Result<Vec<Self>> {
        let (reader, writer) = pipe()?;
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full")?;
        let (master, terminal) = pty()?;
        drop(master);
        let (undrained_end, undrained) = filled_pipe()?;
        let (non_blocking_end, non_blocking) = filled_pipe()?;
        set_blocking(&non_blocking, false)?;
        Ok(vec![
            Self { name: "closed", stream: writer, other_end: None },
            Self { name: "full", stream: full.into(), other_end: None },
            Self { name: "hung up", stream: terminal, other_end: None },
            Self { name: "undrained", stream: undrained, other_end: Some(undrained_end) },
            Self { name: "non-blocking", stream: non_blocking, other_end: Some(non_blocking_end) },
        ])
    }
}

/// A pipe, its reading end first. Programs inherit of it what they are given, and no more.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// A pipe without space, its reading end first.
pub fn filled_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe()?;
    set_blocking(&writer, false)?;
    let mut size = 4096;
    while size > 0 {
        match rustix::io::write(&writer, &vec![b'x'; size]) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => size /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    set_blocking(&writer, true)?;
    Ok((reader, writer))
}

pub fn set_blocking(stream: &OwnedFd, is_blocking: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(stream)?;
    flags.set(OFlags::NONBLOCK, !is_blocking);
    Ok(fcntl_setfl(stream, flags)?)
}

/// A terminal: the side of who sits before it, and the side of programs.
pub fn pty() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let terminal =
        rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((master, terminal))
}

/// All that programs write to a terminal, until none has it open any more.
pub fn read_terminal(master: &OwnedFd) -> String {
    let (mut all, mut block) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = rustix::io::read(master, &mut block) {
        all.extend_from_slice(&block[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads from a terminal's other end until it has shown `part`.
pub fn read_until(master: &OwnedFd, shown: &mut String, part: &str) -> io::Result<()> {
    let mut block = [0; 4096];
    while !shown.contains(part) {
        let count = rustix::io::read(master, &mut block)?;
        shown.push_str(&String::from_utf8_lossy(&block[..count]));
    }
    Ok(())
}
