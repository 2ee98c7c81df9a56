//! The client as a sink of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use gateway_core::ConnectionState;
use gateway_wire::{FlushError, FlushErrorKind, Message, Name, Prefix, SendError, Session};
use thiserror::Error;

use crate::client::Client;
use crate::wakers::Half;

/// Why an operation of the client as a [`Sink`] failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The message was not accepted. The error returns it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The write buffer is full, and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall). No message was accepted. In this case
    /// `SinkExt::send` and `feed` drop their message. Use [`Client::send`], which returns it, or
    /// keep a copy.
    #[error(
        "{}the write buffer is full and the transport took no byte for send_stall; take events, \
         then send again",
        Prefix(.name.as_ref())
    )]
    #[non_exhaustive]
    Stalled {
        /// The client's name, if it has one.
        name: Option<Name>,
    },
    /// The message was accepted, but not all bytes are written. Do not send it again.
    #[error(transparent)]
    Flush(#[from] FlushError),
}

/// Beyond the contract of [`Sink`]:
///
/// - `feed` accepts a message without writing it.
/// - `poll_flush`, and therefore `SinkExt::send`, flushes what is in the write buffer, as
///   [`Client::flush`] does. Messages that wait in an [`Outbox`](crate::Outbox) stay there: they may
///   wait for the next connection.
/// - `poll_close` closes with 1000 and waits for CLOSED. If messages wait in the outbox, it
///   [drains](Client::drain) the client: it sends them first, but waits at most
///   [`send_stall`](crate::Builder::send_stall) for that. So `StreamExt::forward` sends all that it
///   has accepted, if that time suffices.
///
/// These operations also read, until the received messages that you have not taken reach
/// [`Limits::backlog`](crate::Limits::backlog). So poll the stream as well.
impl Sink<Message> for Client {
    type Error = SinkError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let client = self.get_mut();
        if !client.engine.session().is_full() {
            return Poll::Ready(Ok(()));
        }
        client.look_again_if_stalled();
        client.flushing = None; // this wait replaces that of a flush
        client.engine.wait_for_space();
        ready!(client.poll_until(cx, Half::Sink, |session| session.poll_space().is_ready()));
        let space = client.engine.session().poll_space();
        client.engine.end_wait();
        match space {
            Poll::Ready(Err(_)) => {
                let name = client.engine.session().name().cloned();
                Poll::Ready(Err(SinkError::Stalled { name }))
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SinkError> {
        self.get_mut().try_send(message)?;
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let client = self.get_mut();
        let position = match client.flushing {
            Some(position) => position,
            None => match client.engine.wait_for_flush() {
                Some(position) => *client.flushing.insert(position),
                None => return Poll::Ready(Ok(())),
            },
        };
        client.look_again_if_stalled();
        let is_flushed = |session: &Session| session.poll_flushed(position).is_ready();
        ready!(client.poll_until(cx, Half::Sink, is_flushed));
        client.flushing = None;
        let flushed = client.engine.session().poll_flushed(position);
        client.engine.end_wait();
        match flushed {
            Poll::Ready(flushed) => {
                Poll::Ready(flushed.map_err(|kind| client.flush_error(kind).into()))
            }
            // The connection is over.
            Poll::Pending => Poll::Ready(Err(client.flush_error(FlushErrorKind::Lost).into())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let client = self.get_mut();
        match client.state() {
            // Already requested. Another request would wake this same task at each poll.
            ConnectionState::Closing | ConnectionState::Closed => {}
            ConnectionState::Disconnected
            | ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated => client.start_close(),
        }
        ready!(client.poll_until(cx, Half::Sink, Session::is_over));
        Poll::Ready(Ok(()))
    }
}
