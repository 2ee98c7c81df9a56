//! How a connection ends: by the script, by an order, or by the peer.

use std::time::Duration;

use gateway_core::CloseCode;

use crate::{
    clock,
    control::{Order, Orders},
    dialect::exchange::Close,
    line::Line,
    script::Ending,
    socket::Socket,
};

/// How long a client may take to answer a Close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Ends an upgraded connection. A later order replaces the ending.
pub(crate) async fn end(mut socket: Socket, mut ending: Ending, orders: &mut Orders) {
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
            Order::Restart => {
                Self::Close { code: CloseCode::SERVICE_RESTART, reason: "service restart" }
            }
            Order::ShutDown => Self::Close { code: CloseCode::GOING_AWAY, reason: "going away" },
        }
    }

    /// The ending that a dialect wants.
    pub(crate) const fn spoken(close: Close) -> Self {
        match close {
            Close::With { code, reason } => Self::Close { code, reason },
            Close::WithoutCode => Self::CloseWithoutCode,
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
                | Self::CloseWithoutCode
                | Self::Restart,
                order,
            ) => Self::ordered(order),
        }
    }

    async fn carry_out(self, socket: &mut Socket) {
        match self {
            Self::Abort => socket.line().reset_on_drop(),
            Self::Finish => {
                // Fails only if the peer is already gone.
                let _ = socket.line().finish().await;
            }
            Self::Hold => socket.line().hung_up().await,
            Self::Obey => obey(socket).await,
            Self::AwaitClose => {
                let last = async { while let Ok(Some(_)) = socket.next().await {} };
                let _ = clock::within(CLOSE_GRACE, last).await;
                // As for `Finish`.
                let _ = socket.line().finish().await;
            }
            Self::Close { code, reason } => {
                socket.send_close(code, reason);
                await_answer(socket).await;
            }
            Self::CloseWithoutCode => {
                socket.send_empty_close();
                await_answer(socket).await;
            }
            // The order to restart also reaches this connection, and replaces this ending at once.
            Self::Restart => std::future::pending().await,
        }
    }
}

/// Waits a second for the answer to a Close frame.
async fn await_answer(socket: &mut Socket) {
    if clock::within(CLOSE_GRACE, obey(socket)).await.is_none() {
        tracing::debug!("no answer to the Close frame");
    }
}

/// Reads and answers to the client's last frame, then ends TCP. After a Close frame of the server,
/// the client gets no answers.
async fn obey(socket: &mut Socket) {
    while let Ok(Some(incoming)) = socket.next().await {
        socket.answer(&incoming);
    }
    // As for `Finish`.
    let _ = socket.end().await;
}
