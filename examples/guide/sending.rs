//! Sends a reading each second and loses none while the client is disconnected.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example guide_sending -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::time::Duration;

use gateway_tokio::{Client, ClientEvent, Fate, Message, MessageId, Outcome};

// ANCHOR: outbox
/// Messages that are not yet known to be sent, in their order.
#[derive(Default)]
struct Outbox {
    /// Not yet handed to the client.
    waiting: VecDeque<Message>,
    /// Handed to the client, without an outcome so far.
    taken: BTreeMap<MessageId, Message>,
}

impl Outbox {
    /// The most messages that wait; older ones are dropped first.
    const CAPACITY: usize = 1_000;

    fn push(&mut self, message: Message) {
        if self.waiting.len() == Self::CAPACITY {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
    }

    /// Hands messages to the client until it refuses one.
    fn send_all(&mut self, client: &mut Client) {
        while let Some(message) = self.waiting.pop_front() {
            match client.try_send(message.clone()) {
                Ok(accepted) => drop(self.taken.insert(accepted.id(), message)),
                Err(refused) => return self.waiting.push_front(refused.into_message()),
            }
        }
    }

    /// Outcomes come in the order of the messages.
    fn settle(&mut self, outcome: Outcome) {
        let mut rejected = VecDeque::new();
        while let Some(message) = self.taken.first_entry() {
            if *message.key() > outcome.last {
                break;
            }
            let message = message.remove();
            match outcome.fate {
                Fate::Rejected => rejected.push_back(message), // safe to send again
                Fate::MaybeSent { .. } => println!("the server may have {message:?}"),
                _ => {} // sent
            }
        }
        rejected.append(&mut self.waiting);
        self.waiting = rejected;
    }
}
// ANCHOR_END: outbox

// ANCHOR: program
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_sending ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).report_sent(true).build()?;
    let mut outbox = Outbox::default();
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let mut readings = 0;
    loop {
        tokio::select! {
            _ = clock.tick() => {
                readings += 1;
                outbox.push(format!("reading {readings}").into());
            }
            event = client.next() => match event {
                Some(ClientEvent::Outcome(outcome)) => outbox.settle(outcome),
                Some(ClientEvent::Message(message)) => println!("answer: {message:?}"),
                Some(_) => {}
                None => return Err(client.closed().await.to_string().into()),
            },
        }
        outbox.send_all(&mut client); // after each event: it may be the one that makes space
    }
}
// ANCHOR_END: program
