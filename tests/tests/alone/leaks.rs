//! Clients on real sockets are dropped at every stage of their life. No descriptor of the process
//! stays open.
#![allow(clippy::print_stdout, reason = "what was counted is printed; see --nocapture")]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use gateway_tests::hostile::{App, Server, Story};
use gateway_tokio::core::CloseFrame;

/// The most events before a client is dropped. By then it is ready and has sent its first ping.
const STAGES: usize = 7;

/// Serves one socket after the other, each to its end.
struct Bystander {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Bystander {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut served = 0;
            while let Ok((stream, _)) = listener.accept()
                && !ends.load(Ordering::SeqCst)
            {
                serve(stream);
                served += 1;
            }
            served
        });
        Self { address, is_over, thread }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Says how many sockets it has served.
    fn end(self) -> usize {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address).unwrap());
        self.thread.join().unwrap()
    }
}

fn serve(mut stream: TcpStream) {
    let (mut server, mut buffer) = (Server::new(1, Story::Chat), [0; 4_096]);
    while !server.has_hung_up() {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        let mut out = VecDeque::new();
        server.receive(&mut buffer[..count].to_vec(), &mut out);
        if stream.write_all(out.make_contiguous()).is_err() {
            return;
        }
    }
}

/// The descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs this on a runtime that is dropped behind it; returns how many tasks are left.
fn on_runtime(life: impl Future<Output = ()>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(life);
    let metrics = runtime.metrics();
    drop(runtime);
    metrics.num_alive_tasks()
}

/// Has no tasks.
fn blocking_client(url: &str, events: usize, closes: bool) -> usize {
    let config = App::settings(Story::Chat).build().unwrap();
    let mut client = gateway_std::Client::builder(url).config(config).seed(7).build().unwrap();
    for _ in 0..events {
        client.recv();
    }
    if closes {
        client.close(CloseFrame::NORMAL);
        while client.recv().is_some() {}
    }
    0
}

fn async_client(url: &str, events: usize, closes: bool) -> usize {
    on_runtime(async {
        let mut client = gateway_tests::client(url, App::settings(Story::Chat)).build().unwrap();
        for _ in 0..events {
            client.next().await;
        }
        if closes {
            client.close(CloseFrame::NORMAL);
            while client.next().await.is_some() {}
        }
    })
}

/// The task is under way when its runtime is dropped.
fn spawned_client(url: &str, events: usize, closes: bool) -> usize {
    on_runtime(async {
        let client = gateway_tests::client(url, App::settings(Story::Chat)).build().unwrap();
        let (handle, mut told) = client.spawn();
        for _ in 0..events {
            told.next().await;
        }
        if closes {
            handle.close(CloseFrame::NORMAL).unwrap();
        }
    })
}

/// Returns how many clients there were, and how many tasks are left of them.
fn at_every_stage(url: &str) -> [usize; 2] {
    let [mut runs, mut tasks] = [0; 2];
    for client in [blocking_client, async_client, spawned_client] {
        for (events, closes) in (0..=STAGES).flat_map(|events| [(events, false), (events, true)]) {
            tasks += client(url, events, closes);
            runs += 1;
        }
    }
    [runs, tasks]
}

#[test]
fn a_client_that_is_dropped_at_any_stage_leaves_no_descriptor_open() {
    let _alone = super::alone();
    let server = Bystander::begin();
    at_every_stage(&server.url()); // what a process opens once for all is open
    server.end();
    let before = descriptors();

    let server = Bystander::begin();
    let [runs, tasks] = at_every_stage(&server.url());
    let sockets = server.end();

    let after = descriptors();
    let left = after.saturating_sub(before);
    println!(
        "leaks, a client that is dropped: {runs} runs, {sockets} sockets, {left} sockets left, {tasks} tasks left, {before} \
         descriptors before and {after} after"
    );
    assert_eq!(before, after, "descriptors");
    assert_eq!(tasks, 0, "tasks");
}
