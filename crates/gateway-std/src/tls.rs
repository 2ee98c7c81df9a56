//! Non-blocking TLS over TCP.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::Poll;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, OpenFailure, Tls};
use mio::event::Source;
use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use tracing::warn;

use crate::dial::{Transport, uninterrupted};

/// A TLS handshake, and then the stream. Reading and writing are independent: a peer that reads
/// nothing more can still be read, and the reverse.
pub(crate) struct TlsStream {
    connection: ClientConnection,
    /// Formats a failure.
    tls: Tls,
    tcp: TcpStream,
    /// Whether TLS records were written since the last `take_progress`.
    has_moved: bool,
}

impl TlsStream {
    pub(crate) fn start(
        endpoint: &Endpoint,
        tls: &Tls,
        config: Arc<ClientConfig>,
        tcp: TcpStream,
    ) -> Result<Self, OpenFailure> {
        if tls.is_insecure() {
            warn!("the server's certificate is NOT checked");
        }
        let refused = |error: &dyn std::fmt::Display| {
            OpenFailure::new(OpenError::Configuration, format!("TLS cannot start: {error}"))
        };
        let name = ServerName::try_from(endpoint.tls_name().to_owned())
            .map_err(|error| refused(&error))?;
        let connection = ClientConnection::new(config, name).map_err(|error| refused(&error))?;
        Ok(Self { connection, tls: tls.clone(), tcp, has_moved: false })
    }

    /// Continues the handshake, as far as possible without blocking.
    pub(crate) fn poll_handshake(&mut self) -> Poll<Result<(), OpenFailure>> {
        match self.shake_hands() {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.tls.failure(&error))),
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

    /// Reads records from the socket once. Zero means that the stream has ended.
    fn pull(&mut self) -> io::Result<usize> {
        let count = uninterrupted(|| self.connection.read_tls(&mut self.tcp))?;
        if let Err(error) = self.connection.process_new_packets() {
            let _ = self.push(); // tries to send the alert
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Writes the pending records to the socket.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if uninterrupted(|| self.connection.write_tls(&mut self.tcp))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.has_moved = true;
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
            // Writes rustls's answers, if there are any. The next write reports a failure of this,
            // not the read.
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
            // These bytes are taken. The next call reports a failure.
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

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    fn shutdown(&mut self) {
        self.connection.send_close_notify();
        // If this fails, the drop follows in any case.
        let _ = self.push();
        Transport::shutdown(&mut self.tcp);
    }

    fn abort(&mut self) {
        Transport::abort(&mut self.tcp);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream as StdStream};
    use std::sync::Arc;

    use rcgen::generate_simple_self_signed;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection};
    use socket2::SockRef;

    use super::*;

    /// Connects a client's stream, which blocks until its TLS handshake is done, to a server's bare
    /// socket. With `secure`, both have done their TLS handshake.
    fn connected(secure: bool) -> (Box<dyn Transport>, StdStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            if secure {
                let mut connection = ServerConnection::new(server_config()).unwrap();
                while connection.is_handshaking() {
                    connection.complete_io(&mut tcp).unwrap();
                }
            }
            tcp
        });
        let tcp = TcpStream::from_std(StdStream::connect(address).unwrap());
        let client: Box<dyn Transport> = if secure {
            let endpoint = Endpoint::builder(format!("wss://{address}")).build().unwrap();
            let tls = Tls::insecure().unwrap();
            let mut tls = TlsStream::start(&endpoint, &tls, tls.config().unwrap(), tcp).unwrap();
            assert_eq!(tls.poll_handshake(), Poll::Ready(Ok(())));
            SockRef::from(&tls.tcp).set_nonblocking(true).unwrap();
            Box::new(tls)
        } else {
            Box::new(tcp)
        };
        (client, server.join().unwrap())
    }

    fn server_config() -> Arc<ServerConfig> {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.into()], key)
            .unwrap();
        config.send_tls13_tickets = 0; // a socket with unread bytes is reset even by a plain drop
        Arc::new(config)
    }

    #[test]
    fn the_peer_of_an_aborted_stream_sees_a_reset_and_that_of_a_dropped_one_its_end() {
        for secure in [false, true] {
            let (mut client, mut server) = connected(secure);
            client.abort();
            drop(client);
            let reset = server.read(&mut [0]).unwrap_err().kind();
            assert_eq!(reset, io::ErrorKind::ConnectionReset, "secure: {secure}");

            let (client, mut server) = connected(secure);
            drop(client);
            assert_eq!(server.read(&mut [0]).unwrap(), 0, "secure: {secure}");
        }
    }

    #[test]
    fn records_that_a_flush_moves_are_progress() {
        let (mut client, mut server) = connected(true);
        SockRef::from(&server).set_recv_buffer_size(64 << 10).unwrap();
        while client.write(&[7; 16 << 10]).is_ok() {}
        client.take_progress();

        server.read_exact(&mut vec![0; 256 << 10]).unwrap();
        let _ = client.flush();

        assert!(client.take_progress());
        assert!(!client.take_progress(), "it is said once");
    }
}
