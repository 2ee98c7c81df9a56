//! What runs under the lock, and what does not.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::FutureExt as _;
use gateway_tests::{Frame, OnText, calm, client, memory, pair_with, settle, within};
use gateway_tokio::core::{
    CloseFrame, ConnectionState, Dialect, Event, GiveUpCause, Observed, Observer, SendRejection,
};
use gateway_tokio::{
    Client, ClientEvent, Dial, Dialing, End, EndKind, Endpoint, Events, Handle, HandleErrorKind,
    Message, ProviderError, Request, Transport,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tracing::field::Visit;
use tracing::{Level, Metadata, Subscriber, span};

/// A handle that is set once it is there, and how often it was used.
#[derive(Clone, Default)]
struct Own(Arc<(OnceLock<Handle>, AtomicUsize)>);

impl Own {
    fn set(&self, handle: &Handle) {
        assert!(self.0.0.set(handle.clone()).is_ok());
    }

    fn used(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn with(&self, act: impl FnOnce(&Handle)) {
        if let Some(handle) = self.0.0.get() {
            self.0.1.fetch_add(1, Ordering::SeqCst);
            act(handle);
        }
    }

    /// Uses the handle where it may be used: a call under the lock would fail.
    fn use_it(&self) {
        self.with(|handle| assert!(handle.statistics().is_ok()));
    }
}

/// Each call of the handle fails, and none waits.
fn is_reentrant(handle: &Handle) {
    let sent = handle.send("from within").now_or_never().expect("it does not wait");
    assert_eq!(sent.unwrap_err().rejection(), SendRejection::Reentrant);
    let sent = handle.try_send("from within").unwrap_err();
    assert_eq!(sent.rejection(), SendRejection::Reentrant);
    let refused = [
        handle.reserve(1).now_or_never().expect("it does not wait").map(drop),
        handle.statistics().map(drop),
        handle.status().map(drop),
        handle.gave_up().map(drop),
        handle.subprotocol().map(drop),
        handle.response_headers().map(drop),
        handle.connect(),
        handle.reconnect(),
        handle.close(CloseFrame::NORMAL),
        handle.login_accepted(),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), HandleErrorKind::Reentrant);
    }
    let ready = handle.ready().now_or_never().expect("it does not wait");
    let closed = handle.closed().now_or_never().expect("it does not wait");
    assert_eq!([ready.unwrap_err().kind(), closed.kind()], [EndKind::Reentrant; 2]);
    let _: ConnectionState = handle.state(); // needs no lock
    drop(handle.clone());
}

struct Caller(Own);

impl Observer for Caller {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) | Event::FrameReceived(..) = observed.event {
            self.0.with(is_reentrant);
        }
    }
}

fn spoken_by(own: Own) -> impl Dialect {
    OnText(move || own.with(is_reentrant))
}

#[tokio::test]
async fn a_call_from_within_an_observer_or_a_dialect_fails_and_does_not_deadlock() {
    let (observed, spoken) = (Own::default(), Own::default());
    let more = |builder: gateway_tokio::Builder| {
        let spoken = spoken.clone();
        builder.observer(Caller(observed.clone())).dialect(move || spoken_by(spoken.clone()))
    };
    let (client, _sockets, mut peer) = pair_with(calm(), 4_096, more).await;
    let (handle, mut events) = client.spawn();
    observed.set(&handle);
    spoken.set(&handle);

    handle.send("out").await.unwrap();
    peer.send(Frame::text("in")).await;

    assert_eq!(within(peer.frame()).await, Frame::text("out"));
    while within(events.next()).await != Some(ClientEvent::Message("in".into())) {}
    assert_eq!((observed.used(), spoken.used()), (2, 1));
    assert!(handle.statistics().is_ok(), "and it works from outside");
}

/// A handle of another client is refused as well: two observers could wait for each other.
#[tokio::test]
async fn a_call_of_another_client_from_within_an_observer_fails() {
    let other = Own::default();
    let (dial, mut sockets) = memory(64);
    let second = client("ws://second.example", calm()).dial(dial).build().unwrap();
    let (second, _second_events) = second.spawn();
    let _second_peer = sockets.peer().await;
    other.set(&second);
    let more = |builder: gateway_tokio::Builder| builder.observer(Caller(other.clone()));
    let (client, _sockets, _peer) = pair_with(calm(), 4_096, more).await;
    let (handle, _events) = client.spawn();

    handle.send("out").await.unwrap();

    assert_eq!(other.used(), 1);
}

/// Futures and permits that an observer drops are dealt with later.
struct Dropper(Arc<Mutex<Vec<Box<dyn std::any::Any + Send>>>>);

impl Observer for Dropper {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::FrameReceived(..) = observed.event {
            self.0.lock().unwrap().clear();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_observer_drops_holds_up_nobody() {
    let dropped = Arc::new(Mutex::new(Vec::<Box<dyn std::any::Any + Send>>::new()));
    let mut limits = gateway_tokio::Limits::default();
    limits.high_water = 100;
    let more = |builder: gateway_tokio::Builder| {
        builder.observer(Dropper(Arc::clone(&dropped))).limits(limits)
    };
    let (client, _sockets, mut peer) = pair_with(calm(), 4_096, more).await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(200).await.unwrap();
    let (first, second) = (handle.clone(), handle.clone());
    let mut waiting = Box::pin(async move { first.send("dropped").await });
    assert!(waiting.as_mut().now_or_never().is_none());
    let mut watching = Box::pin(async move { second.closed().await });
    assert!(watching.as_mut().now_or_never().is_none());
    dropped.lock().unwrap().extend([
        Box::new(waiting) as Box<dyn std::any::Any + Send>,
        Box::new(permit),
        Box::new(watching),
    ]);
    let sent = super::send(&handle, "taken").await;
    assert!(!sent.is_finished());

    peer.send(Frame::text("drop them")).await;

    within(sent).await.unwrap().unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("taken"));
}

/// A payload that uses a handle when it is dropped.
struct Payload(Own);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        b"payload"
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.use_it();
    }
}

#[tokio::test]
async fn a_message_is_dropped_outside_of_the_lock() {
    let own = Own::default();
    let (client, _sockets, mut peer) = pair_with(calm(), 4_096, |builder| builder).await;
    let (handle, _events) = client.spawn();
    own.set(&handle);
    let message = || Message::Binary(Bytes::from_owner(Payload(own.clone())));

    handle.send(message()).await.unwrap();
    handle.try_send(message()).unwrap();
    handle.reserve(10).await.unwrap().send(message()).unwrap();
    for _ in 0..3 {
        assert_eq!(within(peer.frame()).await, Frame::binary("payload"));
    }

    assert_eq!(own.used(), 3);
}

/// A waker that uses a handle when it is woken, and when it is dropped.
struct Calling(Own);

impl Wake for Calling {
    fn wake(self: Arc<Self>) {
        self.0.use_it();
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.use_it();
    }
}

#[tokio::test]
async fn wakers_are_woken_and_dropped_outside_of_the_lock() {
    let own = Own::default();
    let (client, _sockets, mut peer) = pair_with(calm(), 4_096, |builder| builder).await;
    let (handle, mut events) = client.spawn();
    settle().await;
    while events.next().now_or_never().is_some() {}
    own.set(&handle);
    let waker = || Waker::from(Arc::new(Calling(own.clone())));
    let mut next = std::pin::pin!(events.next());
    let mut closed = std::pin::pin!(handle.closed());
    // Twice: the second waker takes the place of the first.
    for _ in 0..2 {
        let waker = waker();
        let mut cx = Context::from_waker(&waker);
        assert!(next.as_mut().poll(&mut cx).is_pending());
        assert!(closed.as_mut().poll(&mut cx).is_pending());
    }
    let used = own.used();

    peer.send(Frame::text("wakes the reader")).await;
    settle().await;
    assert!(own.used() > used);
    let used = own.used();
    handle.close(CloseFrame::NORMAL).unwrap();
    settle().await;
    assert!(own.used() > used);
}

/// A subscriber that uses a handle with every line.
struct Logging(Own);

impl Subscriber for Logging {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::TRACE
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Nothing;
        impl Visit for Nothing {
            fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut Nothing);
        if event.metadata().target().starts_with("gateway") {
            self.0.use_it();
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn lines_are_logged_outside_of_the_lock() {
    // With one dispatcher alone, tracing would ask that of any thread, and other tests have none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let own = Own::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(Logging(own.clone()), || {
        runtime.block_on(async {
            let (client, _sockets, mut peer) =
                pair_with(calm(), 4_096, |builder| builder.report_sent(true)).await;
            let (handle, mut events) = client.spawn();
            own.set(&handle);
            peer.send(Frame::text("in")).await;
            handle.send("out").await.unwrap();
            settle().await;
            let lines = own.used();
            assert!(lines >= 2, "received and sent, {lines} lines");
            handle.close(CloseFrame::NORMAL).unwrap();
            handle.connect().unwrap(); // a driver logs what handles have caused
            settle().await;
            assert!(own.used() >= lines + 2, "{} lines after {lines}", own.used());
            while events.next().now_or_never().is_some() {}
        });
    });
}

/// Uses the handle while it dials, and when its future is dropped.
struct Dialler(Own, gateway_tests::Memory);

impl Dial for Dialler {
    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        self.0.use_it();
        let (own, payload) = (self.0.clone(), Payload(self.0.clone()));
        let dialing = self.1.dial(endpoint);
        Box::pin(async move {
            let _payload = payload;
            own.use_it();
            dialing.await
        })
    }
}

#[tokio::test]
async fn a_provider_and_a_dial_run_outside_of_the_lock() {
    let own = Own::default();
    let (memory, mut sockets) = memory(4_096);
    let provider = own.clone();
    let builder = client("ws://gateway.example", calm()).dial(Dialler(own.clone(), memory));
    let client: Client = builder
        .attempt(move |_| {
            let provider = provider.clone();
            provider.use_it();
            async move {
                provider.use_it();
                Ok(Request::new())
            }
        })
        .build()
        .unwrap();
    let (handle, _events) = client.spawn();
    own.set(&handle);

    let _peer = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();

    assert_eq!(own.used(), 5);
}

/// An error whose text uses the handle.
struct Failure(Own);

impl std::error::Error for Failure {}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failure").finish_non_exhaustive()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.use_it();
        f.write_str("no token")
    }
}

impl Drop for Failure {
    fn drop(&mut self) {
        self.0.use_it();
    }
}

/// The detail of the next disconnection.
async fn detail(events: &mut Events) -> Box<str> {
    loop {
        if let ClientEvent::Disconnected { detail, .. } = within(events.next()).await.unwrap() {
            return detail;
        }
    }
}

#[tokio::test]
async fn the_error_of_a_provider_is_shown_and_dropped_outside_of_the_lock() {
    let own = Own::default();
    let (memory, _sockets) = memory(4_096);
    let provider = own.clone();
    let client = client("ws://gateway.example", calm())
        .dial(memory)
        .attempt(move |_| {
            let failure = Failure(provider.clone());
            async move { Err(ProviderError::fatal(failure)) }
        })
        .build()
        .unwrap();
    let (handle, mut events) = client.spawn();
    own.set(&handle);

    assert_eq!(within(handle.closed()).await.kind(), EndKind::GaveUp(GiveUpCause::Provider));

    assert!(own.used() >= 2);
    assert!(detail(&mut events).await.contains("no token"));
}

/// A client that is polled asks or dials, and is spawned then.
#[tokio::test]
async fn what_has_begun_before_the_spawn_runs_outside_of_the_lock_after_it() {
    let (asking, dialing) = (Own::default(), Own::default());
    let (memory, mut sockets) = memory(4_096);
    let (provider, gate) = (asking.clone(), Arc::new(Notify::new()));
    let opened = Arc::clone(&gate);
    let mut client = client("ws://gateway.example", calm())
        .dial(Dialler(dialing.clone(), memory))
        .attempt(move |_| {
            let (provider, gate) = (Failure(provider.clone()), Arc::clone(&gate));
            async move {
                gate.notified().await;
                provider.0.use_it();
                Ok(Request::new())
            }
        })
        .build()
        .unwrap();
    while client.next().now_or_never().is_some() {} // the provider has begun
    let (handle, _events) = client.spawn();
    asking.set(&handle);
    dialing.set(&handle);
    opened.notify_one();

    let _peer = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();

    assert_eq!((asking.used(), dialing.used()), (2, 3));
}

#[tokio::test]
async fn a_provider_that_panics_in_a_spawned_client_fails_its_attempt_alone() {
    let (memory, mut sockets) = memory(4_096);
    let client = client("ws://gateway.example", calm())
        .dial(memory)
        .attempt(|attempt| async move {
            assert!(attempt.number > 1, "on purpose");
            Ok(Request::new())
        })
        .build()
        .unwrap();
    let (handle, mut events) = client.spawn();

    assert!(detail(&mut events).await.contains("on purpose"));
    handle.connect().unwrap();
    let _peer = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();
}

/// Panics with its first attempts: one in `dial`, and one in its future.
struct Clumsy(AtomicUsize, gateway_tests::Memory);

impl Dial for Clumsy {
    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        let attempt = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(attempt > 0, "in the call");
        let dialing = (attempt > 1).then(|| self.1.dial(endpoint));
        Box::pin(async move { dialing.expect("in the future").await })
    }
}

#[tokio::test]
async fn a_dial_that_panics_fails_its_attempt_alone() {
    let (memory, mut sockets) = memory(4_096);
    let dial = Clumsy(AtomicUsize::default(), memory);
    let client = client("ws://gateway.example", calm()).dial(dial).build().unwrap();
    let (handle, mut events) = client.spawn();

    assert_eq!(&*detail(&mut events).await, "`dial` panicked: in the call");
    assert_eq!(&*detail(&mut events).await, "`dial` panicked: in the future");
    let _peer = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();
}

/// A stream that uses the handle when it is dropped, and notes the state then.
struct Stream {
    inner: Box<dyn Transport>,
    own: Own,
    ends: Arc<Mutex<Vec<Option<End>>>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.own.use_it();
        self.own.with(|handle| self.ends.lock().unwrap().push(handle.closed().now_or_never()));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Opens such streams.
struct StreamDial(gateway_tests::Memory, Own, Arc<Mutex<Vec<Option<End>>>>);

impl Dial for StreamDial {
    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        let (dialing, own, ends) = (self.0.dial(endpoint), self.1.clone(), Arc::clone(&self.2));
        Box::pin(async move {
            let inner = dialing.await?;
            Ok(Box::new(Stream { inner, own, ends }) as Box<dyn Transport>)
        })
    }
}

/// A socket that is lost, one whose upgrade is refused, one that is replaced, and one that is closed.
#[tokio::test]
async fn a_stream_is_dropped_outside_of_the_lock_and_before_the_client_is_over() {
    let (own, ends) = (Own::default(), Arc::<Mutex<Vec<Option<End>>>>::default());
    let (memory, mut sockets) = memory(4_096);
    let dial = StreamDial(memory, own.clone(), Arc::clone(&ends));
    let client = client("ws://gateway.example", calm()).dial(dial).build().unwrap();
    let (handle, mut events) = client.spawn();
    own.set(&handle);

    drop(within(sockets.peer()).await);
    let busy = "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n";
    gateway_tests::refuse(within(sockets.stream()).await, busy).await;
    let _replaced = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();
    handle.reconnect().unwrap();
    let mut peer = within(sockets.peer()).await;
    within(handle.ready()).await.unwrap();
    handle.close(CloseFrame::NORMAL).unwrap();
    assert_eq!(within(peer.frame()).await, Frame::close(1000, ""));
    peer.send(Frame::close(1000, "")).await;
    assert_eq!(within(handle.closed()).await.kind(), EndKind::Closed);

    assert_eq!(*ends.lock().unwrap(), [None, None, None, None]);
    while events.next().now_or_never().flatten().is_some() {}
}

/// A client that gives up because its upgrade was refused has dropped that stream, too.
#[tokio::test]
async fn a_stream_that_was_refused_is_dropped_before_the_client_has_given_up() {
    let (own, ends) = (Own::default(), Arc::<Mutex<Vec<Option<End>>>>::default());
    let (memory, mut sockets) = memory(4_096);
    let dial = StreamDial(memory, own.clone(), Arc::clone(&ends));
    let client = client("ws://gateway.example", calm()).dial(dial).build().unwrap();
    let (handle, _events) = client.spawn();
    own.set(&handle);

    let refused = "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n";
    gateway_tests::refuse(within(sockets.stream()).await, refused).await;

    assert!(matches!(within(handle.closed()).await.kind(), EndKind::GaveUp(_)));
    assert_eq!(*ends.lock().unwrap(), [None]);
}
