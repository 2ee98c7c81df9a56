//! How a connection ends: by the script, by an order, or by the peer.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    clock,
    control::{Order, Orders},
    line::Line,
    script::Ending,
};

/// How long a client may take to answer a Close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Ends an upgraded connection. A later order replaces the ending.
pub(crate) async fn end(
    mut socket: WebSocketStream<Line>,
    mut ending: Ending,
    orders: &mut Orders,
) {
    loop {
        let order = tokio::select! {
            biased;
            order = orders.next() => order,
            () = ending.carry_out(&mut socket) => return,
        };
        ending = ending.overruled_by(order);
    }
}

/// Ends a connection that is not upgraded, so without a Close frame.
pub(crate) async fn end_unopened(mut line: Line, mut order: Order, orders: &mut Orders) {
    while order == Order::GoSilent {
        order = tokio::select! {
            biased;
            order = orders.next() => order,
            () = line.hung_up() => return,
        };
    }
    if order == Order::Drop {
        line.reset_on_drop();
    }
}

impl Ending {
    /// The ending of a normal connection after an order.
    pub(crate) fn ordered(order: Order) -> Self {
        match order {
            Order::Drop => Self::Abort,
            Order::GoSilent => Self::Hold,
            Order::Restart => Self::Close { code: 1012, reason: "service restart" },
            Order::ShutDown => Self::Close { code: 1001, reason: "going away" },
        }
    }

    fn overruled_by(self, order: Order) -> Self {
        match (self, order) {
            // A silent connection sends nothing again, not even a Close.
            (Self::Hold, Order::Restart | Order::GoSilent) => Self::Hold,
            (Self::Hold, Order::ShutDown | Order::Drop) => Self::Abort,
            (
                Self::Abort
                | Self::Finish
                | Self::Obey
                | Self::AwaitClose
                | Self::Close { .. }
                | Self::Restart,
                order,
            ) => Self::ordered(order),
        }
    }

    async fn carry_out(self, socket: &mut WebSocketStream<Line>) {
        match self {
            Self::Abort => socket.get_mut().reset_on_drop(),
            Self::Finish => {
                // Fails only if the peer is already gone.
                let _ = socket.get_mut().shutdown().await;
            }
            Self::Hold => socket.get_mut().hung_up().await,
            Self::Obey => discard(socket).await,
            Self::AwaitClose => {
                let _ = clock::within(CLOSE_GRACE, discard_to_close(socket)).await;
                // As for `Finish`.
                let _ = socket.get_mut().shutdown().await;
            }
            Self::Close { code, reason } => close(socket, code, reason).await,
            // The order to restart also reaches this connection, and replaces this ending at once.
            Self::Restart => std::future::pending().await,
        }
    }
}

/// Sends a Close frame, and waits a second for the answer.
async fn close(socket: &mut WebSocketStream<Line>, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    socket.get_mut().note(|pen| pen.closes(code));
    let handshake = async {
        // If the frame cannot be sent, reading reports the end of the connection.
        let _ = socket.close(Some(frame)).await;
        discard(socket).await;
    };
    if clock::within(CLOSE_GRACE, handshake).await.is_none() {
        tracing::debug!(code, "no answer to the Close frame");
    }
}

/// Reads to the end of the connection. tungstenite answers a Close frame of the peer.
async fn discard(socket: &mut WebSocketStream<Line>) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// Reads up to the peer's Close frame, and does not answer it.
async fn discard_to_close(socket: &mut WebSocketStream<Line>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() {
            return;
        }
    }
}
