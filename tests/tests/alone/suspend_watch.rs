//! The suspend watch of the process: one thread while there are clients, none before the first and
//! after the last.

use std::thread;

use gateway_tests::{calm, client, serve, until_ready};
use gateway_tokio::ClientEvent;
use gateway_tokio::core::{Notice, UnixMillis};

/// How many threads of this process watch for a suspend.
fn watches() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok() // one that has just ended has none
    };
    tasks.filter_map(name).filter(|name| name == "gateway-suspend\n").count()
}

/// Waits until this many threads watch: starting and ending one takes a moment.
fn until_there_are(count: usize) {
    for _ in 0..500_000 {
        if watches() == count {
            return;
        }
        thread::yield_now();
    }
    panic!("{} threads watch, and not {count}", watches());
}

fn std_client(url: &str) -> gateway_std::Client {
    gateway_std::Client::builder(url).config(calm().build().unwrap()).build().unwrap()
}

fn drive(client: &mut gateway_std::Client) {
    while !client.is_ready() {
        client.recv().unwrap();
    }
}

fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

#[test]
fn one_thread_watches_while_there_are_clients() {
    let _alone = super::alone();
    until_there_are(0); // that of an earlier test may still end
    let server = serve(async |listener| {
        for _ in 0..5 {
            let mut peer = listener.peer().await;
            tokio::spawn(async move { while peer.next().await.is_some() {} });
        }
    });
    let url = server.url.clone();

    // A client that was not driven yet, and one with a wall clock of the builder's.
    let mut first = std_client(&url);
    let with_wall = gateway_std::Client::builder(&url).config(calm().build().unwrap());
    let mut with_wall = with_wall.wall_clock(|| UnixMillis(1)).build().unwrap();
    drive(&mut with_wall);
    assert_eq!(watches(), 0);

    drive(&mut first);
    until_there_are(1);
    let mut second = std_client(&url);
    let second = thread::spawn(move || {
        drive(&mut second); // driven on another thread than the one that built it
        second
    });
    let second = second.join().unwrap();
    on_tokio(async {
        let mut third = client(&url, calm()).build().unwrap();
        until_ready(&mut third).await;
        assert_eq!(watches(), 1);
        drop(first);
        drop(second);
        assert_eq!(watches(), 1, "the third client is there yet");
    });
    until_there_are(0);

    // The next client starts it again, and a task that is dropped with its runtime ends it.
    on_tokio(async {
        let (_handle, mut events) = client(&url, calm()).build().unwrap().spawn();
        while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::Ready { .. }))) {}
        until_there_are(1);
    });
    until_there_are(0);
    drop(with_wall);
    server.join();
}
