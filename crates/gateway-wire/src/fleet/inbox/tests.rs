use std::sync::atomic::AtomicUsize;

use super::*;

/// A client with so many events, which then waits, or yields without end.
#[derive(Default)]
struct Client {
    events: Arc<Mutex<VecDeque<ClientEvent>>>,
    waker: Arc<Mutex<Option<Waker>>>,
    is_gone: Arc<AtomicBool>,
    yields: bool,
}

impl Client {
    /// Another end of the same client.
    fn share(&self) -> Self {
        let Self { events, waker, is_gone, yields } = self;
        let (events, waker, is_gone) = (Arc::clone(events), Arc::clone(waker), Arc::clone(is_gone));
        Self { events, waker, is_gone, yields: *yields }
    }

    fn push(&self, count: u64) {
        self.events.lock().unwrap().extend((0..count).map(|count| ClientEvent::Missed { count }));
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    fn end(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        self.push(0);
    }
}

impl Source for Client {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        if let Some(event) = self.events.lock().unwrap().pop_front() {
            return Poll::Ready(Some(event));
        }
        if self.is_gone.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        if self.yields {
            cx.waker().wake_by_ref();
        }
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The names of the clients whose events come next, until none is there.
fn names(reader: &mut InboxReader<Client>, calls: &Arc<Calls>) -> String {
    let waker = Waker::from(Arc::clone(calls));
    let mut names = String::new();
    while let Poll::Ready(Some((name, _))) = reader.poll_event(&mut Context::from_waker(&waker)) {
        names += name.as_str();
    }
    names
}

#[test]
fn clients_that_have_events_take_turns() {
    let (inbox, mut reader) = Inbox::new();
    let [a, b, c] = [4, 1, 2].map(|count| {
        let client = Client::default();
        client.push(count);
        client
    });
    inbox.join(name("a"), a.share());
    inbox.join(name("b"), b.share());
    inbox.join(name("c"), c.share());

    let calls = Arc::<Calls>::default();
    assert_eq!(names(&mut reader, &calls), "abcacaa");
    b.push(1);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1, "the reader is woken");
    assert_eq!(names(&mut reader, &calls), "b");
}

#[test]
fn each_event_comes_once_and_in_the_order_of_its_client() {
    let (inbox, mut reader) = Inbox::new();
    let client = Client::default();
    inbox.join(name("a"), client.share());
    let waker = Waker::noop();
    let mut counts = Vec::new();
    for _ in 0..3 {
        client.push(2);
        while let Poll::Ready(Some((_, ClientEvent::Missed { count }))) =
            reader.poll_event(&mut Context::from_waker(waker))
        {
            counts.push(count);
        }
    }
    assert_eq!(counts, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_client_that_yields_without_end_does_not_keep_the_reader_busy() {
    let (inbox, mut reader) = Inbox::new();
    let client = Client { yields: true, ..Client::default() };
    inbox.join(name("a"), client.share());
    let calls = Arc::<Calls>::default();

    assert_eq!(names(&mut reader, &calls), "");

    assert_eq!(calls.0.load(Ordering::SeqCst), 1, "the reader comes again");
}

#[test]
fn the_stream_ends_with_the_last_event_of_the_last_client() {
    let (inbox, mut reader) = Inbox::new();
    let (a, b) = (Client::default(), Client::default());
    inbox.join(name("a"), a.share());
    inbox.join(name("b"), b.share());
    let mut poll = || reader.poll_event(&mut Context::from_waker(Waker::noop()));

    assert_eq!(poll(), Poll::Pending);
    inbox.close();
    a.end();
    assert_eq!(poll(), Poll::Pending, "a client is left");
    b.events.lock().unwrap().push_back(ClientEvent::Missed { count: 1 });
    b.end();
    assert!(matches!(poll(), Poll::Ready(Some(_))));
    assert_eq!(poll(), Poll::Ready(None));
}

#[test]
fn without_a_reader_sources_are_dropped() {
    let (inbox, reader) = Inbox::new();
    let client = Client::default();
    inbox.join(name("a"), client.share());
    drop(reader);
    inbox.join(name("b"), client.share());
    assert_eq!(Arc::strong_count(&client.events), 1);
}
