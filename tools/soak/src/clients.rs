//! The life of a client on each driver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{CloseFrame, Config, HeartbeatKind, Rule, SendRejection, Verdict};
use gateway_tokio::{SendError, Status};

use crate::clock;
use crate::kit::{ById, Kit};
use crate::shared::{Phase, Shared, Slot};
use crate::teller::{Deed, Teller, Watch};

/// How often the phase is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a drain may take.
const DRAIN: Duration = Duration::from_millis(150);

/// Short in everything, so that much happens.
pub(crate) fn config() -> Config {
    let least = Verdict::RetryNoSoonerThan(Duration::from_millis(100));
    Config::builder()
        .heartbeat(HeartbeatKind::Json) // what the gateway answers late, or not at all
        .heartbeat_interval(Duration::from_millis(500))
        .slowest_link(1 << 30) // loopback: many unproven bytes give a dead peer no more time
        .heartbeat_timeout(Duration::from_millis(200))
        .initial_delay(Duration::from_millis(20))
        .max_delay(Duration::from_millis(500))
        .stable_after(Duration::from_millis(300))
        .retry_after_max(Duration::from_secs(1))
        .connect_timeout(Duration::from_millis(500))
        .connect_timeout_max(Duration::from_secs(1))
        .close_timeout(Duration::from_millis(300))
        .rule(Rule::new(1013, 1013, least).expect("a close code"))
        .build()
        .expect("settings within their limits")
}

fn url(slot: &Slot) -> String {
    let scheme = if slot.kit.is_secure { "wss" } else { "ws" };
    format!("{scheme}://{}/soak", slot.address)
}

/// What a client on either driver does next.
struct Life {
    teller: Teller,
    kit: Kit,
    is_restarting: bool,
    is_closing: bool,
    next_at: Instant,
}

impl Life {
    fn new(shared: &Arc<Shared>, slot: &Arc<Slot>) -> Self {
        let teller = Teller::new(Arc::clone(shared), Arc::clone(slot));
        Self {
            teller,
            kit: slot.kit,
            is_restarting: false,
            is_closing: false,
            next_at: clock::now(),
        }
    }

    /// Whether the client must close now, for good.
    fn must_close(&mut self) -> bool {
        let must_close = self.teller.is_now(Phase::Close) && !self.is_closing;
        self.is_closing |= must_close;
        must_close
    }

    /// Whether the client, which is CLOSED, must connect again.
    fn must_connect(&mut self) -> bool {
        let must_connect = self.is_restarting && !self.is_closing;
        if must_connect {
            self.teller.closed(true);
            self.is_restarting = false;
        }
        must_connect
    }

    /// What the client does now, if it is time for something.
    fn deed(&mut self) -> Option<Deed> {
        self.teller.rest();
        if clock::now() < self.next_at {
            return None;
        }
        self.next_at = clock::now() + self.teller.pace();
        let was_restarting = self.is_restarting;
        let deed = self.teller.deed();
        self.is_restarting |= matches!(deed, Some(Deed::Restart));
        deed.filter(|deed| !(was_restarting && matches!(deed, Deed::Restart)))
    }

    /// The client is CLOSED for good.
    fn end(&mut self, status: &Status) {
        self.teller.closed(self.is_closing);
        self.teller.left(status);
    }
}

/// Equips a builder of either driver.
macro_rules! equip {
    ($builder:expr, $kit:expr) => {{
        let (mut builder, kit): (_, Kit) = ($builder, $kit);
        if let Some(outbox) = kit.outbox() {
            builder = builder.outbox(outbox);
        }
        if let Some(rate) = kit.rate() {
            builder = builder.rate(rate);
        }
        if kit.asks {
            builder = builder.requests(ById);
        }
        builder
    }};
}

/// A blocking client, on a thread of its own.
pub(crate) fn live_std(shared: &Arc<Shared>, slot: &Arc<Slot>, config: &Arc<Config>) {
    let mut life = Life::new(shared, slot);
    let builder = gateway_std::Client::builder(url(slot))
        .config(Arc::clone(config))
        .seed(shared.seed ^ slot.index as u64)
        .report_sent(true)
        .observer(Watch::new(Arc::clone(shared), Arc::clone(slot), Arc::clone(config)));
    let builder = builder.tls(shared.certificate.tls());
    let mut client = equip!(builder, slot.kit).build().expect("valid settings, and a poller");
    loop {
        if life.must_close() {
            client.close(CloseFrame::NORMAL);
        }
        let wait = life.next_at.saturating_duration_since(clock::now()).min(LOOK);
        match client.recv_timeout(wait) {
            Ok(Some(event)) => life.teller.event(&event),
            Ok(None) if life.must_connect() => client.connect(),
            Ok(None) => break,
            Err(_) => {}
        }
        match life.deed() {
            Some(Deed::Restart) if life.kit.queues => {
                let _ = client.drain(CloseFrame::NORMAL, DRAIN); // its end follows the events
            }
            Some(Deed::Restart) => client.close(CloseFrame::NORMAL),
            Some(Deed::Ask(is_idempotent)) => {
                let (number, message) = life.teller.request();
                let end = match is_idempotent {
                    true => client.request_idempotent(message, Teller::REQUEST),
                    false => client.request(message, Teller::REQUEST),
                };
                life.teller.answered(number, is_idempotent, end);
            }
            Some(deed @ (Deed::Send(count) | Deed::Flood(count) | Deed::Cork(count))) => {
                for _ in 0..count {
                    let (number, message) = life.teller.message(deed);
                    let taken = if deed.is_corked() {
                        client.try_send(message)
                    } else {
                        client.send(message)
                    };
                    life.teller.handed_over(number, taken.map(|accepted| accepted.id().number()));
                }
            }
            None => continue,
        }
        life.teller.rest();
    }
    life.end(&client.status());
}

/// An async client, in a task of its own.
pub(crate) async fn live_tokio(shared: Arc<Shared>, slot: Arc<Slot>, config: Arc<Config>) {
    let builder = gateway_tokio::Client::builder(url(&slot))
        .config(Arc::clone(&config))
        .seed(shared.seed ^ slot.index as u64)
        .report_sent(true)
        .observer(Watch::new(Arc::clone(&shared), Arc::clone(&slot), Arc::clone(&config)));
    let builder = builder.tls(shared.certificate.tls());
    let client = equip!(builder, slot.kit).build().expect("valid settings");
    let life = Life::new(&shared, &slot);
    match slot.kit.is_spawned {
        true => live_spawned(life, client).await,
        false => live_owned(life, client).await,
    }
}

async fn live_owned(mut life: Life, mut client: gateway_tokio::Client) {
    loop {
        if life.must_close() {
            client.close(CloseFrame::NORMAL);
        }
        // Cancel-safe: an event is yielded or stays, and a timer holds nothing.
        tokio::select! {
            event = client.next() => match event {
                Some(event) => life.teller.event(&event),
                None if life.must_connect() => client.connect(),
                None => break,
            },
            () = clock::wait_until(life.next_at.min(clock::now() + LOOK)) => {}
        }
        match life.deed() {
            Some(Deed::Restart) if life.kit.queues => {
                let _ = client.drain(CloseFrame::NORMAL, DRAIN).await; // its end follows the events
            }
            Some(Deed::Restart) => client.close(CloseFrame::NORMAL),
            Some(Deed::Ask(is_idempotent)) => {
                let (number, message) = life.teller.request();
                let end = match is_idempotent {
                    true => client.request_idempotent(message, Teller::REQUEST).await,
                    false => client.request(message, Teller::REQUEST).await,
                };
                life.teller.answered(number, is_idempotent, end);
            }
            Some(deed @ (Deed::Send(count) | Deed::Flood(count) | Deed::Cork(count))) => {
                for _ in 0..count {
                    let (number, message) = life.teller.message(deed);
                    let taken = if deed.is_corked() {
                        client.try_send(message)
                    } else {
                        client.send(message).await
                    };
                    if deed.is_corked() && taken.as_ref().is_err_and(is_full) {
                        break; // not taken
                    }
                    life.teller.handed_over(number, taken.map(|accepted| accepted.id().number()));
                }
            }
            None => continue,
        }
        life.teller.rest();
    }
    life.end(&client.status());
}

async fn live_spawned(mut life: Life, client: gateway_tokio::Client) {
    let (handle, mut events) = client.spawn();
    loop {
        if life.must_close() {
            let _ = handle.close(CloseFrame::NORMAL); // an error means that it is over
        }
        // Cancel-safe: an event is yielded or stays, and a timer holds nothing.
        tokio::select! {
            event = events.next() => match event {
                Some(event) => life.teller.event(&event),
                None if life.must_connect() => {
                    let _ = handle.connect(); // an error shows itself as the end of the events
                }
                None => break,
            },
            () = clock::wait_until(life.next_at.min(clock::now() + LOOK)) => {}
        }
        match life.deed() {
            Some(Deed::Restart) if life.kit.queues => {
                let _ = handle.drain(CloseFrame::NORMAL, DRAIN).await; // its end follows the events
            }
            Some(Deed::Restart) => {
                let _ = handle.close(CloseFrame::NORMAL); // as above
            }
            Some(Deed::Ask(is_idempotent)) => {
                let (number, message) = life.teller.request();
                let end = match is_idempotent {
                    true => handle.request_idempotent(message, Teller::REQUEST).await,
                    false => handle.request(message, Teller::REQUEST).await,
                };
                life.teller.answered(number, is_idempotent, end);
            }
            Some(deed @ (Deed::Send(count) | Deed::Flood(count) | Deed::Cork(count))) => {
                for _ in 0..count {
                    let (number, message) = life.teller.message(deed);
                    let taken = if deed.is_corked() {
                        handle.try_send(message)
                    } else {
                        handle.send(message).await
                    };
                    life.teller.handed_over(number, taken.map(|accepted| accepted.id().number()));
                }
            }
            None => continue,
        }
        life.teller.rest();
    }
    if let Ok(status) = handle.status() {
        life.end(&status);
    }
}

fn is_full(refused: &SendError) -> bool {
    matches!(refused.rejection(), SendRejection::WriteBlocked | SendRejection::Paced)
}
