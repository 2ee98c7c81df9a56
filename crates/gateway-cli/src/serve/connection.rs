//! The life of one connection: its opening, its session, its end; an order interrupts each.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use super::{
    Options,
    control::{Orders, Shared},
    ending::{self, Ending},
    opening::{self, Opened},
    script::Opening,
    session,
};

/// How much may wait to be written to a client beyond the largest message.
const WRITE_SLACK: usize = 256 * 1024;

/// Attends to a connection until it is over.
pub(crate) async fn attend(
    mut tcp: TcpStream,
    opening: &'static Opening,
    shared: Arc<Shared>,
    mut orders: Orders,
) {
    // Every frame and every byte of a slow answer leaves at once. Fails only on a dead socket.
    let _ = tcp.set_nodelay(true);
    let opened = tokio::select! {
        biased;
        order = orders.next() => Err(order),
        opened = opening::open(&mut tcp, opening, &shared.options) => Ok(opened),
    };
    let (early, steps, end) = match opened {
        Ok(Ok(Opened::WebSocket { early, steps, end })) => (early, steps, end),
        Ok(Ok(Opened::Over)) => return,
        Ok(Err(error)) => {
            tracing::info!(%error, "no upgrade");
            return;
        }
        Err(order) => return ending::end_unopened(tcp, order, &mut orders).await,
    };
    shared.counters.upgrades.fetch_add(1, Relaxed);
    let config = Some(config(&shared.options));
    let mut socket = WebSocketStream::from_partially_read(tcp, early, Role::Server, config).await;
    let ending = tokio::select! {
        biased;
        order = orders.next() => Ending::ordered(order),
        ending = session::play(&mut socket, &shared, steps, end) => ending,
    };
    tracing::debug!(?ending, "ends");
    ending::end(socket, ending, &mut orders).await;
}

fn config(options: &Options) -> WebSocketConfig {
    let largest = options.max_message_size.bytes();
    WebSocketConfig::default()
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(largest.saturating_add(WRITE_SLACK))
}
