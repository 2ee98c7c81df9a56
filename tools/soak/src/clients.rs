//! The life of a client on each driver.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{CloseFrame, Config, HeartbeatKind, Rule, SendRejection, Verdict};
use gateway_tokio::{MessageId, SendError};

use crate::clock;
use crate::shared::{Phase, Shared, Slot};
use crate::teller::{Deed, Teller, Watch};

/// How often the phase is looked at.
const LOOK: Duration = Duration::from_millis(50);

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
        .close_timeout(Duration::from_millis(300))
        .rule(Rule::new(1013, 1013, least).expect("a close code"))
        .build()
        .expect("settings within their limits")
}

fn url(slot: &Slot) -> String {
    format!("ws://{}/soak", slot.address)
}

/// A blocking client, on a thread of its own.
pub(crate) fn live_std(shared: &Arc<Shared>, slot: &Arc<Slot>, config: &Arc<Config>) {
    let mut teller = Teller::new(Arc::clone(shared), Arc::clone(slot));
    let mut client = gateway_std::Client::builder(url(slot))
        .config(Arc::clone(config))
        .seed(shared.seed ^ slot.index as u64)
        .report_sent(true)
        .observer(Watch::new(Arc::clone(shared), Arc::clone(slot), Arc::clone(config)))
        .build()
        .expect("valid settings, and a poller");
    let (mut is_restarting, mut is_closing) = (false, false);
    let mut next_at = clock::now();
    loop {
        if teller.is_now(Phase::Close) && !is_closing {
            is_closing = true;
            client.close(CloseFrame::NORMAL);
        }
        let wait = next_at.saturating_duration_since(clock::now()).min(LOOK);
        match client.recv_timeout(wait) {
            Ok(Some(event)) => teller.event(&event),
            Ok(None) if is_restarting && !is_closing => {
                teller.closed(true);
                is_restarting = false;
                client.connect();
            }
            Ok(None) => break,
            Err(_) => {}
        }
        teller.rest();
        if clock::now() < next_at {
            continue;
        }
        next_at = clock::now() + teller.pace();
        match teller.deed() {
            Some(Deed::Restart) if !is_restarting => {
                is_restarting = true;
                client.close(CloseFrame::NORMAL);
            }
            Some(deed @ (Deed::Send(count) | Deed::Flood(count))) => {
                for _ in 0..count {
                    let (number, message) = teller.message(deed);
                    teller.handed_over(number, client.send(message).map(MessageId::number));
                }
            }
            Some(deed @ Deed::Cork(count)) => {
                for _ in 0..count {
                    let (number, message) = teller.message(deed);
                    teller.handed_over(number, client.try_send(message).map(MessageId::number));
                }
            }
            Some(Deed::Restart) | None => {}
        }
        teller.rest();
    }
    teller.closed(is_closing);
    teller.count(&client.statistics());
}

/// An async client, in a task of its own.
pub(crate) async fn live_tokio(shared: Arc<Shared>, slot: Arc<Slot>, config: Arc<Config>) {
    let mut teller = Teller::new(Arc::clone(&shared), Arc::clone(&slot));
    let mut client = gateway_tokio::Client::builder(url(&slot))
        .config(Arc::clone(&config))
        .seed(shared.seed ^ slot.index as u64)
        .report_sent(true)
        .observer(Watch::new(Arc::clone(&shared), Arc::clone(&slot), Arc::clone(&config)))
        .build()
        .expect("valid settings");
    let (mut is_restarting, mut is_closing) = (false, false);
    let mut next_at = clock::now();
    loop {
        if teller.is_now(Phase::Close) && !is_closing {
            is_closing = true;
            client.close(CloseFrame::NORMAL);
        }
        // Cancel-safe: an event is yielded or stays, and a timer holds nothing.
        tokio::select! {
            event = client.next() => match event {
                Some(event) => teller.event(&event),
                None if is_restarting && !is_closing => {
                    teller.closed(true);
                    is_restarting = false;
                    client.connect();
                }
                None => break,
            },
            () = clock::wait_until(next_at.min(clock::now() + LOOK)) => {}
        }
        teller.rest();
        if clock::now() < next_at {
            continue;
        }
        next_at = clock::now() + teller.pace();
        match teller.deed() {
            Some(Deed::Restart) if !is_restarting => {
                is_restarting = true;
                client.close(CloseFrame::NORMAL);
            }
            Some(deed @ (Deed::Send(count) | Deed::Flood(count))) => {
                for _ in 0..count {
                    let (number, message) = teller.message(deed);
                    let handed_over = client.send(message).await.map(MessageId::number);
                    teller.handed_over(number, handed_over);
                }
            }
            Some(deed @ Deed::Cork(count)) => {
                for _ in 0..count {
                    let (number, message) = teller.message(deed);
                    let handed_over = client.try_send(message);
                    if handed_over.as_ref().is_err_and(is_full) {
                        break; // not taken
                    }
                    teller.handed_over(number, handed_over.map(MessageId::number));
                }
            }
            Some(Deed::Restart) | None => {}
        }
        teller.rest();
    }
    teller.closed(is_closing);
    teller.count(&client.statistics());
}

fn is_full(refused: &SendError) -> bool {
    refused.rejection() == SendRejection::WriteBlocked
}
