//! A client and its server as two hosts of a simulated network (turmoil): partitions, held packets, crashes and latency, all in
//! simulated time and from a seed.
#![allow(clippy::print_stdout, reason = "what was simulated is told; see --nocapture")]

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use gateway_tests::elapse;
use gateway_tests::hostile::{App, Seen, Server, Story, Watch};
use gateway_tokio::core::{CloseFrame, Notice, OpenError, UnixMillis};
use gateway_tokio::{Client, ClientEvent, Dial, Dialing, Endpoint, Fate, OpenFailure, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use turmoil::Sim;
use turmoil::net::{TcpListener, TcpStream};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The delay of a retry, always.
const DELAY: Duration = SECOND;
/// A server hangs up on a client of which it has heard nothing for so long.
const IDLE: Duration = Duration::from_secs(8);
/// The most that a packet takes.
const LATENCY: Duration = Duration::from_millis(60);
const TICK: Duration = Duration::from_millis(20);

/// When the weather turns bad, when it is fair again, and when the application closes.
const BAD: Duration = Duration::from_secs(10);
const FAIR: Duration = Duration::from_secs(25);
const CLOSE: Duration = Duration::from_secs(50);

/// When a client that is alive is ready again at the latest, after the weather is fair: it finds a dead socket, or an attempt that
/// hangs; it waits for the retry; it opens, upgrades and logs in.
const READY_WITHIN: Duration = INTERVAL
    .saturating_add(TIMEOUT)
    .saturating_add(DELAY)
    .saturating_add(LATENCY.saturating_mul(8))
    .saturating_add(TICK.saturating_mul(8));

/// What happens to the network.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Partition,
    ShortPartition,
    OneWay,
    Hold,
    Crash,
    Slow,
}

const ALL: [Weather; 6] = [
    Weather::Partition,
    Weather::ShortPartition,
    Weather::OneWay,
    Weather::Hold,
    Weather::Crash,
    Weather::Slow,
];

impl Weather {
    /// When it is fair again.
    fn ends(self) -> Duration {
        match self {
            Self::ShortPartition => BAD + SECOND,
            _ => FAIR,
        }
    }

    fn turn_bad(self, sim: &mut Sim<'_>) {
        match self {
            Self::Partition | Self::ShortPartition => sim.partition("client", "server"),
            Self::OneWay => sim.partition_oneway("server", "client"),
            Self::Hold => sim.hold("client", "server"),
            Self::Crash => sim.crash("server"),
            Self::Slow => sim.set_link_latency("client", "server", SECOND),
        }
    }

    fn turn_fair(self, sim: &mut Sim<'_>) {
        match self {
            Self::Partition | Self::ShortPartition => sim.repair("client", "server"),
            Self::OneWay => sim.repair_oneway("server", "client"),
            Self::Hold => sim.release("client", "server"),
            Self::Crash => sim.bounce("server"),
            Self::Slow => sim.set_link_latency("client", "server", LATENCY),
        }
    }
}

/// What both hosts have noted; it outlives a crash.
#[derive(Clone, Default)]
struct Books {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Sockets that the server holds, and that the client does, with the most that it ever did.
    serving: Arc<AtomicUsize>,
    dialled: Arc<AtomicUsize>,
    most_dialled: Arc<AtomicUsize>,
    diary: Arc<Mutex<Diary>>,
    watch: Watch,
}

/// What the application has noted.
#[derive(Clone, Debug, Default)]
struct Diary {
    trace: Vec<String>,
    readies: Vec<Duration>,
    /// What was taken, by its number, and what was refused.
    taken: BTreeMap<u64, String>,
    refused: Vec<String>,
    fates: BTreeMap<u64, Fate>,
    received: Vec<String>,
    is_over: bool,
}

/// Counts who holds a socket.
struct Guard(Arc<AtomicUsize>);

impl Guard {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The client's end of a socket.
struct Counted {
    stream: TcpStream,
    _guard: Guard,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Dial for Books {
    fn fails_whole(&self) -> bool {
        true
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let guard = Guard::new(&self.dialled);
        self.most_dialled.fetch_max(self.dialled.load(Ordering::SeqCst), Ordering::SeqCst);
        Box::pin(async move {
            let stream = TcpStream::connect(("server", 80)).await;
            let stream =
                stream.map_err(|error| OpenFailure::new(OpenError::Io, error.to_string()))?;
            Ok(Box::new(Counted { stream, _guard: guard }) as Box<dyn Transport>)
        })
    }
}

/// Serves each socket in a task, until its end, or until it has been idle.
async fn serve(books: Books) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let books = books.clone();
        let number = {
            let mut seen = books.seen.lock().unwrap();
            seen.push(Seen::default());
            seen.len()
        };
        tokio::spawn(async move {
            let _guard = Guard::new(&books.serving);
            let mut server = Server::new(number as u64, Story::Chat);
            while !server.has_hung_up() {
                let (mut bytes, mut out) = (Vec::new(), VecDeque::new());
                let read = tokio::select! {
                    biased;
                    read = stream.read_buf(&mut bytes) => read,
                    () = elapse(IDLE) => Ok(0),
                };
                if matches!(read, Ok(0) | Err(_)) {
                    break;
                }
                server.receive(&mut bytes, &mut out);
                books.seen.lock().unwrap()[number - 1] = server.seen.clone();
                if stream.write_all(out.make_contiguous()).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// A message a second, as far as the client takes it, and a close at the end.
async fn live(books: Books, seed: u64) -> turmoil::Result {
    let config = App::settings(Story::Chat)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT);
    let mut client = Client::builder("ws://server/feed")
        .config(config.build()?)
        .seed(seed)
        .report_sent(true)
        .wall_clock(|| UnixMillis(0))
        .observer(books.watch.clone())
        .dial(books.clone())
        .build()?;
    let mut number = 0;
    while turmoil::elapsed() < CLOSE {
        let mut pause = std::pin::pin!(elapse(SECOND));
        loop {
            tokio::select! {
                biased;
                event = client.next() => books.note(event.ok_or("it is over too soon")?),
                () = &mut pause => break,
            }
        }
        number += 1;
        let text = format!("message {number}");
        let sent = client.send(text.as_str()).await;
        let mut diary = books.diary.lock().unwrap();
        match sent {
            Ok(id) => {
                diary.taken.insert(id.number(), text);
            }
            Err(_) => diary.refused.push(text),
        }
    }
    client.close(CloseFrame::NORMAL);
    while let Some(event) = client.next().await {
        books.note(event);
    }
    books.diary.lock().unwrap().is_over = true;
    Ok(())
}

impl Books {
    fn note(&self, event: ClientEvent) {
        let (at, mut diary) = (turmoil::elapsed(), self.diary.lock().unwrap());
        diary.trace.push(format!("{at:?} {event:?}"));
        match event {
            ClientEvent::Message(message) => {
                diary.received.push(message.as_text().unwrap().to_owned());
            }
            ClientEvent::Notice(Notice::Ready { .. }) => diary.readies.push(at),
            ClientEvent::Outcome(outcome) => {
                for number in outcome.first.number()..=outcome.last.number() {
                    let before = diary.fates.insert(number, outcome.fate);
                    assert_eq!(before, None, "message {number} has a second outcome");
                }
            }
            _ => {}
        }
    }
}

/// Runs it; returns the books, and how many sockets the server held just before the close.
fn simulate(weather: Weather, seed: u64) -> (Books, usize) {
    let books = Books::default();
    let mut builder = turmoil::Builder::new();
    let builder = builder.tick_duration(TICK).simulation_duration(CLOSE * 2).rng_seed(seed);
    builder.min_message_latency(TICK).max_message_latency(LATENCY);
    let mut sim = builder.build();
    let (server, client) = (books.clone(), books.clone());
    sim.host("server", move || serve(server.clone()));
    sim.client("client", live(client, seed));
    let (mut is_bad, mut was_bad, mut settled) = (false, false, 0);
    while !sim.step().expect("the application succeeds") {
        if !was_bad && sim.elapsed() >= BAD {
            (is_bad, was_bad) = (true, true);
            weather.turn_bad(&mut sim);
        }
        if is_bad && sim.elapsed() >= weather.ends() {
            is_bad = false;
            weather.turn_fair(&mut sim);
        }
        if sim.elapsed() < CLOSE {
            settled = books.serving.load(Ordering::SeqCst);
        }
    }
    (books, settled)
}

fn count(books: &Books, text: &str) -> usize {
    let seen = books.seen.lock().unwrap();
    seen.iter().flat_map(|socket| &socket.messages).filter(|other| *other == text).count()
}

/// Each message has one outcome, and it is true; what the server said came once and in order.
fn is_true(books: &Books, place: &str) {
    let diary = books.diary.lock().unwrap().clone();
    let seen = books.seen.lock().unwrap().clone();
    assert!(diary.is_over, "{place}");
    assert!(diary.fates.keys().eq(diary.taken.keys()), "{place}: each that was taken has one");
    let last = diary.fates.values().filter_map(|fate| match fate {
        Fate::Sent { socket } => Some(*socket),
        _ => None,
    });
    let last = last.max().expect("one is sent");
    for (number, text) in &diary.taken {
        let times = count(books, text);
        match diary.fates[number] {
            Fate::Sent { socket } if socket == last => assert_eq!(times, 1, "{place}: {text}"),
            Fate::Sent { .. } | Fate::MaybeSent { .. } => assert!(times <= 1, "{place}: {text}"),
            Fate::Rejected => assert_eq!(times, 0, "{place}: {text} was rejected"),
            other => panic!("{place}: {other:?}"),
        }
    }
    for text in &diary.refused {
        assert_eq!(count(books, text), 0, "{place}: {text} was refused");
    }
    let mut received = diary.received.iter().peekable();
    for (number, socket) in (1..).zip(&seen) {
        let (mine, mut sent) = (format!("{number}: "), socket.sent.iter());
        while let Some(text) = received.next_if(|text| text.starts_with(&mine)) {
            assert_eq!(sent.next(), Some(text), "{place}: in order, and once");
        }
        assert!(socket.closes <= 1 && socket.after_close == 0, "{place}: {socket:?}");
    }
    assert_eq!(received.next(), None, "{place}");
    assert_eq!(seen.last().map(|socket| socket.closes), Some(1), "{place}: a close in the end");
}

#[test]
fn whatever_the_weather_the_client_comes_back_in_time_and_tells_the_truth() {
    for weather in ALL {
        let (mut sockets, mut sent, mut slowest) = (0, 0, Duration::ZERO);
        for seed in 1..=4 {
            let place = format!("{weather:?}, seed {seed}");

            let (books, settled) = simulate(weather, seed);

            assert!(books.watch.violation().is_none(), "{place}: {:?}", books.watch.violation());
            is_true(&books, &place);
            let diary = books.diary.lock().unwrap().clone();
            let ready = *diary.readies.last().unwrap();
            let took = ready.saturating_sub(weather.ends());
            assert!(took <= READY_WITHIN, "{place}: ready {took:?} after it was fair");
            assert_eq!(books.most_dialled.load(Ordering::SeqCst), 1, "{place}: sockets at a time");
            assert_eq!(settled, 1, "{place}: sockets of the server, once it has settled");
            assert_eq!(books.dialled.load(Ordering::SeqCst), 0, "{place}: sockets left");
            sockets += books.seen.lock().unwrap().len();
            sent += diary.taken.len();
            slowest = slowest.max(took);
        }
        println!(
            "weather {weather:?}: 4 seeds, {sockets} sockets, {sent} messages taken, 0 doubled, 0 sockets left, ready within \
             {slowest:?} of {READY_WITHIN:?}"
        );
    }
}

#[test]
fn bad_weather_breaks_the_connection_where_it_outlasts_the_heartbeat() {
    for weather in [Weather::Partition, Weather::OneWay, Weather::Hold, Weather::Crash] {
        let (books, _) = simulate(weather, 1);

        let readies = books.diary.lock().unwrap().readies.clone();
        assert!(readies.len() > 1, "{weather:?}: {readies:?}");
    }
}

#[test]
fn the_same_seed_has_the_same_trace() {
    for weather in ALL {
        let [first, second] = [(); 2].map(|()| simulate(weather, 7).0);

        let traces = [first, second].map(|books| books.diary.lock().unwrap().trace.clone());
        assert!(traces[0].len() > 40, "{weather:?}: {} lines only", traces[0].len());
        assert_eq!(traces[0], traces[1], "{weather:?}");
    }
}
