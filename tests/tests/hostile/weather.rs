//! A client and its server as two hosts of a simulated network (turmoil): partitions, held packets,
//! crashes and latency, all in simulated time and from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_tests::elapse;
use gateway_tests::hostile::{App, Seen, Server, Story, Sum, Verdict, Watch};
use gateway_tokio::core::{CloseFrame, Notice, OpenError, SocketId, UnixMillis};
use gateway_tokio::{Client, ClientEvent, Dial, Dialing, Endpoint, Fate, OpenFailure, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;
use turmoil::Sim;
use turmoil::net::{TcpListener, TcpStream};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The delay of a retry, always.
const DELAY: Duration = SECOND;
/// A server drops a client that is silent for this long.
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
            Self::Partition | Self::OneWay | Self::Hold | Self::Crash | Self::Slow => FAIR,
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
    /// Sockets that the server holds.
    serving: Arc<AtomicUsize>,
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
    /// Outcomes that came for a message that had one.
    doubled: usize,
    received: Vec<String>,
    /// New tasks of the client's host after the client is gone.
    tasks_left: usize,
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

impl Dial for Books {
    fn fails_whole(&self) -> bool {
        true
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        Box::pin(async {
            let stream = TcpStream::connect(("server", 80)).await;
            let failed = |error: io::Error| OpenFailure::new(OpenError::Io, error.to_string());
            Ok(Box::new(stream.map_err(failed)?) as Box<dyn Transport>)
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
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_timeout_max(CONNECT_TIMEOUT);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let others = tasks();
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
            Ok(accepted) => {
                diary.taken.insert(accepted.id().number(), text);
            }
            Err(_) => diary.refused.push(text),
        }
    }
    client.close(CloseFrame::NORMAL);
    while let Some(event) = client.next().await {
        books.note(event);
    }
    drop(client);
    let mut diary = books.diary.lock().unwrap();
    (diary.is_over, diary.tasks_left) = (true, tasks().saturating_sub(others));
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
                    diary.doubled += usize::from(before.is_some());
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

/// Each message has one outcome, and it is true; what the server said came once and in order; nothing is left.
fn judge(books: &Books) -> Verdict {
    let diary = books.diary.lock().unwrap().clone();
    let seen = books.seen.lock().unwrap().clone();
    let mut verdict = Verdict::default();
    (verdict.dials, verdict.doubled) = (seen.len(), diary.doubled);
    verdict.tasks_left = diary.tasks_left;
    let violation = books.watch.violation();
    verdict.hold(violation.is_none(), || format!("{violation:?}"));
    verdict.hold(diary.is_over, || "it was never over".to_owned());
    hold_fates(&mut verdict, &diary, &seen);
    hold_order(&mut verdict, &diary, &seen);
    let sockets: Vec<_> =
        (1..).zip(&seen).map(|(at, one)| (one.clone(), at < seen.len())).collect();
    verdict.hold_wire(&sockets);
    verdict.hold_received(&sockets, &diary.received, diary.is_over);
    let closes = seen.last().map(|socket| socket.closes);
    verdict.hold(closes == Some(1), || format!("{closes:?} Closes at the end"));
    verdict
}

fn socket_of(fate: Fate) -> Option<SocketId> {
    match fate {
        Fate::Sent { socket } | Fate::MaybeSent { socket } => Some(socket),
        _ => None,
    }
}

/// What is sent on the last socket has arrived, what is rejected never has, and nothing has twice.
fn hold_fates(verdict: &mut Verdict, diary: &Diary, seen: &[Seen]) {
    let times = |text: &String| {
        seen.iter().flat_map(|socket| &socket.messages).filter(|other| *other == text).count()
    };
    let is_settled = diary.fates.keys().eq(diary.taken.keys());
    verdict.hold(is_settled, || format!("{:?} of {:?}", diary.fates, diary.taken));
    let last = diary.fates.values().copied().filter_map(socket_of).max();
    for (number, text) in &diary.taken {
        let (came, fate) = (times(text), diary.fates.get(number).copied());
        verdict.doubled += came.saturating_sub(1);
        let is_true = match fate {
            Some(Fate::Sent { socket }) if Some(socket) == last => {
                verdict.lost += usize::from(came == 0);
                came == 1
            }
            Some(Fate::Sent { .. } | Fate::MaybeSent { .. }) => came <= 1,
            Some(Fate::Rejected) => came == 0,
            Some(_) | None => false,
        };
        verdict.hold(is_true, || format!("{text}, {fate:?}, arrived {came} times"));
    }
    for text in &diary.refused {
        verdict.hold(times(text) == 0, || format!("{text} was refused, and arrived"));
    }
}

/// TCP keeps the order: what was sent on a socket before something that came has come, however the socket ended.
fn hold_order(verdict: &mut Verdict, diary: &Diary, seen: &[Seen]) {
    for socket in seen {
        let number = |text| diary.taken.iter().find(|taken| taken.1 == text).map(|taken| *taken.0);
        let numbers: Vec<_> = socket.messages.iter().map(number).collect();
        verdict.hold(numbers.is_sorted(), || format!("out of order: {:?}", socket.messages));
        let last = numbers.last().copied().flatten();
        let on = last.and_then(|last| socket_of(*diary.fates.get(&last)?));
        let is_told =
            |number| on.is_some() && diary.fates.get(number).copied().and_then(socket_of) == on;
        verdict.hold(numbers.iter().flatten().all(is_told), || {
            format!("{:?} arrived together, but are told of several sockets", socket.messages)
        });
        for (number, fate) in diary.fates.range(..last.unwrap_or(0)) {
            let is_sent = matches!(fate, Fate::Sent { socket } if Some(*socket) == on);
            if is_sent && !numbers.contains(&Some(*number)) {
                verdict.lost += 1;
                verdict.hold(false, || format!("{number} never came, {last:?} behind it did"));
            }
        }
    }
}

#[test]
fn whatever_the_weather_the_client_comes_back_in_time_and_tells_the_truth() {
    for weather in ALL {
        let (mut sum, mut taken, mut slowest) = (Sum::default(), 0, Duration::ZERO);
        for seed in 1..=4 {
            let (books, settled) = simulate(weather, seed);

            let mut verdict = judge(&books);
            let diary = books.diary.lock().unwrap().clone();
            let ready = *diary.readies.last().unwrap();
            let took = ready.saturating_sub(weather.ends());
            verdict.hold(took <= READY_WITHIN, || format!("ready {took:?} after it was fair"));
            verdict.hold(settled == 1, || format!("{settled} sockets of the server, settled"));
            sum.add(&verdict, &(weather, seed));
            taken += diary.taken.len();
            slowest = slowest.max(took);
        }
        println!(
            "weather {weather:?}: {sum}, {taken} messages taken, ready within {slowest:?} of {READY_WITHIN:?}"
        );
        sum.is_flawless();
        assert!(taken > 100, "{weather:?}: {taken} messages only");
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
