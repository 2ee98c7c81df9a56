//! The engine's host on tokio: its clock, its sockets, and one waker for both.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use gateway_core::{Credentials, Instant, SocketId, UnixMillis};
use gateway_wire::{
    Asking, Attempt, ByteStream, Dialled, Endpoint, Host, OpenFailure, SocketEnd, WallClock,
    with_read_buffer,
};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Id;
use tokio::task::coop;
use tokio_rustls::client::TlsStream;

use crate::clock::{Clock, current_runtime};
use crate::dial::Transport;
use crate::direct;
use crate::layers::{Secured, bottom};
use crate::open::{Opener, Opening};
use crate::outside::{self, Boxed, Movable, Outside, WayOut};

/// The host.
pub(crate) struct Tokio {
    pub(crate) opener: Arc<Opener>,
    /// Wakes the tasks that poll the client.
    waker: Waker,
    wall: Option<WallClock>,
    /// Started at first use: only then is the runtime known.
    clock: OnceLock<Clock>,
    polls: Polls,
}

/// Where the futures of the application's are polled: those of its provider and of its `Dial`.
enum Polls {
    /// By the client, which is polled itself. The last one may have to move out.
    Inside(Option<WayOut>),
    /// By the driver of a spawned client, outside of the lock. These have begun since it last looked.
    Outside(Vec<Outside>),
}

impl Tokio {
    pub(crate) fn new(opener: Arc<Opener>, waker: Waker, wall: Option<WallClock>) -> Self {
        Self { opener, waker, wall, clock: OnceLock::new(), polls: Polls::Inside(None) }
    }

    /// From now on leaves attempts to [`take_outside`](Self::take_outside), also the one that is
    /// under way.
    pub(crate) fn poll_outside(&mut self) {
        if let Polls::Inside(last) = &self.polls {
            let last = last.as_ref().and_then(Weak::upgrade);
            self.polls = Polls::Outside(last.iter().map(|last| last.move_out()).collect());
        }
    }

    /// The attempts that have begun since the last call. The engine sees their results once these
    /// were polled.
    pub(crate) fn take_outside(&mut self) -> Vec<Outside> {
        match &mut self.polls {
            Polls::Inside(_) => Vec::new(),
            Polls::Outside(outside) => std::mem::take(outside),
        }
    }

    /// Returns what the client polls in place of this future.
    fn place<T: Send + 'static>(&mut self, future: Boxed<T>) -> Boxed<T> {
        match &mut self.polls {
            Polls::Inside(last) => {
                let (movable, way_out) = Movable::new(future);
                *last = Some(way_out);
                Box::pin(movable)
            }
            Polls::Outside(outside) => {
                let (inner, outer) = outside::split(future);
                outside.push(outer);
                inner
            }
        }
    }

    fn open(&mut self, endpoint: Option<Arc<Endpoint>>) -> Opening {
        let opening = self.opener.open(endpoint);
        self.place(opening)
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.clock.get_or_init(|| Clock::start(self.wall.clone()))
    }
}

/// A socket that is opening.
pub(crate) struct Dialing {
    opening: Opening,
    /// The attempt's, if it is not the client's own.
    endpoint: Option<Arc<Endpoint>>,
    /// The runtime that its timers and sockets belong to.
    runtime: Option<Id>,
}

impl Host for Tokio {
    type Dialing = Dialing;
    type Stream = Polled;

    fn now(&self) -> Instant {
        self.clock().now()
    }

    fn wall(&self) -> UnixMillis {
        self.clock().wall()
    }

    fn suspend_waker(&self) -> Option<Waker> {
        // The watch reads the system's wall clock, and not one that the builder has set.
        self.wall.is_none().then(|| self.waker.clone())
    }

    fn ask(&mut self, _: SocketId, attempt: Attempt) -> Asking {
        let Some(providing) = self.opener.ask(attempt) else { return Asking::nobody() };
        let (mut providing, waker) = (self.place(providing), self.waker.clone());
        Asking::new(self.opener.endpoint.clone(), move || {
            providing.as_mut().poll(&mut Context::from_waker(&waker))
        })
    }

    fn dial(&mut self, _: SocketId, _: Credentials, endpoint: Option<Arc<Endpoint>>) -> Dialing {
        let opening = self.open(endpoint.clone());
        Dialing { opening, endpoint, runtime: current_runtime() }
    }

    fn ended(&mut self, _: SocketId, end: SocketEnd) {
        self.opener.addresses.lock().ended(end);
    }

    fn without_budget(act: impl FnOnce()) {
        let acting = coop::unconstrained(async { act() });
        let _ = acting.now_or_never(); // one poll, which never waits
    }

    fn poll_dialing(
        &mut self,
        dialing: &mut Dialing,
    ) -> Poll<Result<Dialled<Polled>, OpenFailure>> {
        if dialing.runtime != current_runtime() {
            // On a runtime that has ended, the attempt's timers would panic; on one that is idle,
            // they never fire. So it starts again.
            dialing.opening = self.open(dialing.endpoint.clone());
            dialing.runtime = current_runtime();
        }
        let outcome = dialing.opening.as_mut().poll(&mut Context::from_waker(&self.waker));
        outcome.map_ok(|Dialled { stream: transport, handshake }| {
            let opener = Arc::clone(&self.opener);
            let stream = Polled::new(transport, self.waker.clone(), opener);
            Dialled { stream, handshake }
        })
    }
}

/// A transport that is polled with the client's own waker.
pub(crate) struct Polled {
    transport: Box<dyn Transport>,
    waker: Waker,
    opener: Arc<Opener>,
    /// Whether TLS records were written since the last `take_progress`.
    has_moved: bool,
}

impl Polled {
    fn new(transport: Box<dyn Transport>, waker: Waker, opener: Arc<Opener>) -> Self {
        Self { transport, waker, opener, has_moved: false }
    }

    fn poll<T>(
        &mut self,
        look: impl FnOnce(Pin<&mut Box<dyn Transport>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match look(Pin::new(&mut self.transport), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes the pending TLS records, and notes whether any were written. tokio-rustls does not
    /// report how many it writes itself.
    fn write_records(&mut self) -> io::Result<()> {
        let taken =
            self.poll(|transport, cx| direct::poll_records(&mut **transport.get_mut(), cx))?;
        self.has_moved |= taken > 0;
        Ok(())
    }
}

impl ByteStream for Polled {
    fn read<T>(&mut self, size: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        with_read_buffer(size, |storage| {
            let mut buffer = ReadBuf::new(storage);
            self.poll(|transport, cx| transport.poll_read(cx, &mut buffer))?;
            Ok(take(buffer.filled()))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_records()?;
        match self.poll(|transport, cx| transport.poll_write(cx, bytes)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.poll(|transport, cx| direct::poll_write(&mut **transport.get_mut(), cx, bytes))
            }
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_records()?;
        self.poll(|transport, cx| transport.poll_flush(cx))
    }

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    fn shutdown(&mut self) {
        // If the shutdown fails, the drop follows in any case.
        let ended = self.poll(|transport, cx| transport.poll_shutdown(cx));
        // TLS ends with a closing record, for which the socket may have space.
        if ended.is_err() && self.write_records().is_ok() {
            let _ = self.poll(|transport, cx| transport.poll_shutdown(cx));
        }
    }

    fn abort(&mut self) {
        self.opener.bottom.abort(bottom(&mut *self.transport));
    }

    fn fails_whole(&self) -> bool {
        // TLS has a buffer of its own.
        let transport: &dyn Any = &*self.transport;
        let is_tls = transport.is::<Secured>() || transport.is::<TlsStream<TcpStream>>();
        !is_tls && self.opener.bottom.fails_whole()
    }
}

#[cfg(test)]
mod tests {
    use gateway_wire::{Opens, Parts, Provider, Settings, Tls, system_resolver};
    use rcgen::generate_simple_self_signed;
    use tokio::io::{AsyncReadExt as _, BufStream};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;
    use crate::dial::{Addresses, Bottom, Dial, Dialing, TcpDial};
    use crate::layers::TlsFiles;
    use crate::resolve::Lookups;

    /// Connects a client's stream to a server's bare socket. With `tls`, both have done their TLS
    /// handshake.
    async fn connected(tls: Option<Tls>) -> (Polled, TcpStream) {
        connected_over(tls, None).await
    }

    /// The same, over the stream of this `Dial`.
    async fn connected_over(tls: Option<Tls>, dial: Option<Box<dyn Dial>>) -> (Polled, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let acceptor = tls.is_some().then(acceptor);
        let settings = Settings { tls, ..Settings::new(url) };
        let parts = settings.build(Opens::Driver, Provider::None).unwrap();
        let Parts { endpoint, router, .. } = parts;
        let addresses = Addresses::default();
        let lookups = Lookups::new(system_resolver());
        let tcp = Bottom::Tcp(TcpDial { lookups, addresses: addresses.clone() });
        let bottom = dial.map_or(tcp, Bottom::Users);
        let tls_files = TlsFiles::default();
        let opener =
            Arc::new(Opener { endpoint, router, bottom, tls_files, provider: None, addresses });
        let accept = async {
            let (tcp, _) = listener.accept().await.unwrap();
            match acceptor {
                Some(acceptor) => acceptor.accept(tcp).await.unwrap().into_inner().0,
                None => tcp,
            }
        };

        let (dialled, server) = tokio::join!(opener.open(None), accept);

        let transport = dialled.unwrap().stream;
        (Polled::new(transport, Waker::noop().clone(), opener), server)
    }

    fn acceptor() -> TlsAcceptor {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.into()], key)
            .unwrap();
        config.send_tls13_tickets = 0; // a socket with unread bytes is reset even by a plain drop
        TlsAcceptor::from(Arc::new(config))
    }

    #[tokio::test]
    async fn the_peer_of_an_aborted_stream_sees_a_reset_and_that_of_a_dropped_one_its_end() {
        for tls in [None, Some(Tls::insecure().unwrap())] {
            let (mut client, mut server) = connected(tls.clone()).await;
            client.abort();
            drop(client);
            let reset = server.read_u8().await.unwrap_err().kind();
            assert_eq!(reset, io::ErrorKind::ConnectionReset, "{tls:?}");

            let (client, mut server) = connected(tls.clone()).await;
            drop(client);
            let end = server.read_u8().await.unwrap_err().kind();
            assert_eq!(end, io::ErrorKind::UnexpectedEof, "{tls:?}");
        }
    }

    /// Opens a stream of a type that the client does not know.
    struct Buffered;

    impl Dial for Buffered {
        fn dial(&self, endpoint: &Endpoint) -> Dialing {
            let port = endpoint.port();
            Box::pin(async move {
                let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                Ok(Box::new(BufStream::new(tcp)) as Box<dyn Transport>)
            })
        }

        fn abort(&self, transport: &mut dyn Transport) {
            let transport: &mut dyn Any = transport;
            let stream = transport.downcast_mut::<BufStream<TcpStream>>();
            stream.expect("the stream that `dial` returned").get_ref().set_zero_linger().unwrap();
        }
    }

    #[tokio::test]
    async fn under_the_clients_tls_the_users_abort_gets_the_users_stream() {
        let tls = Some(Tls::insecure().unwrap());
        let (mut client, mut server) = connected_over(tls, Some(Box::new(Buffered))).await;
        client.abort();
        drop(client);
        let reset = server.read_u8().await.unwrap_err().kind();
        assert_eq!(reset, io::ErrorKind::ConnectionReset);
    }

    /// Fills `client`'s socket, then has `server` read less than tokio needs to report it as
    /// writable. That is a third of the send buffer, which Linux makes twice as large as requested.
    #[cfg(target_os = "linux")]
    async fn fill_and_read_some(client: &mut Polled, server: &mut TcpStream) {
        let tcp: &dyn Any = bottom(&mut *client.transport);
        let socket = socket2::SockRef::from(tcp.downcast_ref::<TcpStream>().unwrap());
        socket.set_send_buffer_size(1 << 20).unwrap();
        socket2::SockRef::from(&*server).set_recv_buffer_size(64 << 10).unwrap();
        // The last write must wait for the socket, not for the task's budget.
        tokio::task::unconstrained(async { while client.write(&[7; 16 << 10]).is_ok() {} }).await;
        client.take_progress();
        server.read_exact(&mut vec![0; 256 << 10]).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_takes_bytes_before_a_third_of_its_buffer_is_free() {
        for tls in [None, Some(Tls::insecure().unwrap())] {
            let (mut client, mut server) = connected(tls.clone()).await;
            fill_and_read_some(&mut client, &mut server).await;
            while coop::has_budget_remaining() {
                let _ = coop::consume_budget().now_or_never();
            }
            let waits = client.write(&[7; 16 << 10]).unwrap_err().kind();
            assert_eq!(waits, io::ErrorKind::WouldBlock, "{tls:?}: others are to run first");

            tokio::task::yield_now().await;
            assert!(client.write(&[7; 16 << 10]).is_ok(), "{tls:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn records_that_a_flush_moves_are_progress() {
        let (mut client, mut server) = connected(Some(Tls::insecure().unwrap())).await;
        fill_and_read_some(&mut client, &mut server).await;
        let _ = client.flush();
        assert!(client.take_progress());
        assert!(!client.take_progress(), "it is said once");
    }
}
