//! TLS over TCP, without waiting.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::Poll;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, OpenFailure, OpenStep, Tls};
use mio::event::Source;
use mio::net::TcpStream;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use tracing::warn;

use crate::dial::{Transport, uninterrupted};

/// A TLS handshake under way, and then the stream. Reading and writing stand apart: a peer that reads nothing more can still
/// be read, and the other way round.
pub(crate) struct TlsStream {
    connection: ClientConnection,
    tcp: TcpStream,
}

impl TlsStream {
    pub(crate) fn start(
        endpoint: &Endpoint,
        tls: &Tls,
        tcp: TcpStream,
    ) -> Result<Self, OpenFailure> {
        if tls.is_insecure() {
            warn!(endpoint = %endpoint, "the server's certificate is NOT checked");
        }
        let refused = |error: &dyn std::fmt::Display| {
            OpenFailure::new(OpenError::Configuration, format!("no TLS: {error}"))
        };
        let name =
            ServerName::try_from(endpoint.host().to_owned()).map_err(|error| refused(&error))?;
        let connection = ClientConnection::new(Arc::clone(tls.config()), name)
            .map_err(|error| refused(&error))?;
        Ok(Self { connection, tcp })
    }

    /// Shakes hands, as far as that needs no waiting.
    pub(crate) fn poll_handshake(&mut self) -> Poll<Result<(), OpenFailure>> {
        match self.shake_hands() {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(OpenFailure::classify(OpenStep::Tls, &error))),
        }
    }

    fn shake_hands(&mut self) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.push()?;
            if self.connection.is_handshaking() && self.pull()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.push()
    }

    /// Takes one read's worth of records from the socket. Nothing: the stream has ended.
    fn pull(&mut self) -> io::Result<usize> {
        let count = uninterrupted(|| self.connection.read_tls(&mut self.tcp))?;
        if let Err(error) = self.connection.process_new_packets() {
            let _ = self.push(); // the alert that says so, if it can be said
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Hands the socket the records that wait.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if uninterrupted(|| self.connection.write_tls(&mut self.tcp))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            let pulled = self.pull();
            // What rustls has to answer; a failure of that is told by the next write, and not to who reads.
            let _ = self.push();
            pulled?;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        let count = self.connection.writer().write(bytes)?;
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.push() {
            // These bytes are taken: a failure is told by the next call.
            Ok(()) | Err(_) => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

impl Transport for TlsStream {
    fn source(&mut self) -> &mut dyn Source {
        &mut self.tcp
    }

    fn shutdown(&mut self) {
        self.connection.send_close_notify();
        // A stream that cannot be ended now is about to be dropped.
        let _ = self.push();
        Transport::shutdown(&mut self.tcp);
    }
}
