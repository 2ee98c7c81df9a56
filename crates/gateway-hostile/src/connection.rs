//! The life of one connection: its opening, its session, its end; an order interrupts each.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use crate::{
    accepting::Place,
    clock,
    control::{Order, Orders, Shared},
    dialect::Upgraded,
    ending,
    line::Line,
    opening::{self, Opened},
    script::{Ending, Opening},
    session,
    socket::Socket,
};

/// How many beats a restarting server refuses connections.
const RESTART_BEATS: u32 = 2;

/// Serves a connection until its end. With a place in a queue, it first waits for its turn.
pub(crate) async fn attend(
    mut line: Line,
    place: Option<Place>,
    opening: &'static Opening,
    shared: Arc<Shared>,
    mut orders: Orders,
) {
    let opened = tokio::select! {
        biased;
        order = orders.next() => Err(order),
        opened = async {
            if let Some(place) = place && place.turn(&line).await {
                shared.counters.abandoned.fetch_add(1, Relaxed);
            }
            opening::open(&mut line, opening, &shared.options).await
        } => Ok(opened),
    };
    let (early, subprotocol, steps, end) = match opened {
        Ok(Ok(Opened::WebSocket { early, subprotocol, steps, end })) => {
            (early, subprotocol, steps, end)
        }
        Ok(Ok(Opened::Over)) => return,
        Ok(Err(error)) => {
            tracing::info!(%error, "the upgrade failed");
            return;
        }
        Err(order) => return ending::end_unopened(line, order, &mut orders).await,
    };
    let number = shared.counters.upgrades.fetch_add(1, Relaxed);
    let upgraded = Upgraded { number, at: shared.clock.elapsed(), subprotocol };
    let mut socket = Socket::new(line, early, shared.options.max_message_size);
    let ending = tokio::select! {
        biased;
        order = orders.next() => Ending::ordered(order),
        ending = session::play(&mut socket, &shared, upgraded, steps, end) => ending,
    };
    tracing::debug!(?ending, "ends");
    let restarts = ending == Ending::Restart;
    if restarts {
        shared.restart();
    }
    ending::end(socket, ending, &mut orders).await;
    if restarts {
        let away = shared.options.beat.saturating_mul(RESTART_BEATS);
        tokio::select! {
            biased;
            () = orders.until(Order::ShutDown) => {}
            () = clock::pause(away) => {}
        }
        shared.refuse(false);
    }
}
