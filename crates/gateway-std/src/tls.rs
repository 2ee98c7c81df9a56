//! TLS over TCP, without waiting.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::Poll;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, OpenFailure, OpenStep, Tls};
use mio::event::Source;
use mio::net::TcpStream;
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use tracing::warn;

use crate::dial::Transport;

/// A TLS handshake under way, and then the stream.
pub(crate) struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

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
        Ok(Self(StreamOwned::new(connection, tcp)))
    }

    /// Shakes hands, as far as that needs no waiting.
    pub(crate) fn poll_handshake(&mut self) -> Poll<Result<(), OpenFailure>> {
        let StreamOwned { conn, sock } = &mut self.0;
        while conn.is_handshaking() || conn.wants_write() {
            match conn.complete_io(sock) {
                // The stream has ended: rustls says so in its next error.
                Ok((0, 0)) if conn.is_handshaking() => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(OpenFailure::classify(OpenStep::Tls, &end)));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Poll::Ready(Err(OpenFailure::classify(OpenStep::Tls, &error)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for TlsStream {
    fn source(&mut self) -> &mut dyn Source {
        &mut self.0.sock
    }

    fn shutdown(&mut self) {
        self.0.conn.send_close_notify();
        // A stream that cannot be ended now is about to be dropped.
        let _ = self.0.flush();
        Transport::shutdown(&mut self.0.sock);
    }
}
