//! A spawned client: its handles, events and task.

mod deadlines;
mod gone;
mod handles;
mod locked;
mod many;
mod permits;
mod sending;
mod turns;

use futures_util::FutureExt as _;
use gateway_tests::settle;
use gateway_tokio::core::{CloseFrame, ConnectionState};
use gateway_tokio::{Client, Handle, Message};

/// Fills the write buffer; how many messages that took.
fn fill(client: &mut Client) -> usize {
    (0..).take_while(|_| client.try_send("x".repeat(1_000)).is_ok()).count()
}

/// Sends in a task of its own, and lets it come to its wait.
async fn send(
    handle: &Handle,
    message: impl Into<Message>,
) -> tokio::task::JoinHandle<Result<u64, gateway_tokio::SendError>> {
    let (handle, message) = (handle.clone(), message.into());
    let task =
        tokio::spawn(
            async move { handle.send(message).await.map(|accepted| accepted.id().number()) },
        );
    settle().await;
    task
}

/// Closes the connection, and waits for its end.
async fn close(handle: &Handle) {
    handle.close(CloseFrame::NORMAL).unwrap();
    handle.closed().await;
    assert_eq!(handle.state(), ConnectionState::Closed);
}

/// Whether a future has to wait.
fn waits(future: impl Future) -> bool {
    future.now_or_never().is_none()
}
