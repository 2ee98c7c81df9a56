//! Non-blocking TLS over another stream: TCP, TLS to a proxy, or the user's own.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::Poll;

use gateway_core::OpenError;
use gateway_wire::{OpenFailure, TlsLayer};
use mio::event::Source;
use rustls::{ClientConfig, ClientConnection};
use tracing::warn;

use crate::dial::{Transport, uninterrupted};

/// A TLS handshake, and then the stream. Reading and writing are independent: a peer that reads
/// nothing more can still be read, and the reverse.
pub(crate) struct TlsStream {
    connection: ClientConnection,
    /// Formats a failure.
    layer: TlsLayer,
    under: Box<dyn Transport>,
    /// Whether TLS records were written since the last `take_progress`.
    has_moved: bool,
}

impl TlsStream {
    pub(crate) fn start(
        layer: TlsLayer,
        config: Arc<ClientConfig>,
        under: Box<dyn Transport>,
    ) -> Result<Self, OpenFailure> {
        if layer.is_insecure() {
            let peer = if layer.is_to_proxy() { "proxy" } else { "server" };
            warn!("the {peer}'s certificate is NOT checked");
        }
        let connection = ClientConnection::new(config, layer.name().clone()).map_err(|error| {
            OpenFailure::new(OpenError::Configuration, format!("TLS cannot start: {error}"))
        })?;
        Ok(Self { connection, layer, under, has_moved: false })
    }

    /// Continues the handshake, as far as possible without blocking.
    pub(crate) fn poll_handshake(&mut self) -> Poll<Result<(), OpenFailure>> {
        match self.shake_hands() {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.layer.failure(&error))),
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

    /// Reads records from the stream below once. Zero means that the stream has ended.
    fn pull(&mut self) -> io::Result<usize> {
        let count = uninterrupted(|| self.connection.read_tls(&mut self.under))?;
        if let Err(error) = self.connection.process_new_packets() {
            let _ = self.push(); // tries to send the alert
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Writes the pending records to the stream below, which may have a buffer of its own.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if uninterrupted(|| self.connection.write_tls(&mut self.under))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.has_moved = true;
        }
        uninterrupted(|| self.under.flush())
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
        self.under.source()
    }

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_moved) | self.under.take_progress()
    }

    fn shutdown(&mut self) {
        self.connection.send_close_notify();
        // If this fails, the drop follows in any case.
        let _ = self.push();
        self.under.shutdown();
    }

    fn abort(&mut self) {
        self.under.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream as StdStream};
    use std::sync::Arc;

    use gateway_wire::{Layer, Opens, Parts, Provider, Settings, Tls};
    use mio::net::TcpStream;
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
            let socket = SockRef::from(&tcp).try_clone().unwrap();
            let settings = Settings::new(format!("wss://{address}"));
            let settings = Settings { tls: Tls::insecure().ok(), ..settings };
            let Parts { endpoint, router, .. } =
                settings.build(Opens::Driver, Provider::None).unwrap();
            let Some(Layer::Tls(layer)) = router.route(&endpoint).unwrap().layers.pop() else {
                panic!("no TLS")
            };
            let config = layer.config().unwrap();
            let mut tls = TlsStream::start(layer, config, Box::new(tcp)).unwrap();
            assert_eq!(tls.poll_handshake(), Poll::Ready(Ok(())));
            socket.set_nonblocking(true).unwrap();
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
