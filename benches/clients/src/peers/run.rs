//! Runs a measure on a peer: async ones on a runtime, blocking ones on this thread.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::JoinSet;

#[cfg(feature = "nautilus")]
use super::nautilus_network;
use super::{
    Peer, Runtime, Socket, ezsockets, fastwebsockets, gateway_std, gateway_tokio, sockudo_ws,
    stream_tungstenite, tokio_tungstenite, tokio_websockets, tungstenite, yawc,
};
use crate::measures::tasks::Tasks;
use crate::measures::{Answer, Work};

/// Runs a measure on a peer.
pub(crate) fn run(peer: Peer, runtime: Runtime, work: impl Work) -> Result<Answer> {
    match peer {
        Peer::GatewayTokio => with::<gateway_tokio::Polled>(runtime, work),
        Peer::GatewayTokioSpawn => with::<gateway_tokio::Spawned>(runtime, work),
        Peer::GatewayStd => with::<gateway_std::Blocking>(runtime, work),
        Peer::TokioTungstenite => with::<tokio_tungstenite::Each>(runtime, work),
        Peer::TokioTungsteniteBatched => with::<tokio_tungstenite::Batched>(runtime, work),
        Peer::TokioTungsteniteSmall => with::<tokio_tungstenite::Small>(runtime, work),
        Peer::Tungstenite => with::<tungstenite::Each>(runtime, work),
        Peer::TungsteniteBatched => with::<tungstenite::Batched>(runtime, work),
        Peer::Fastwebsockets => with::<fastwebsockets::Each>(runtime, work),
        Peer::FastwebsocketsBatched => with::<fastwebsockets::Batched>(runtime, work),
        Peer::TokioWebsockets => with::<tokio_websockets::Each>(runtime, work),
        Peer::TokioWebsocketsBatched => with::<tokio_websockets::Batched>(runtime, work),
        Peer::Yawc => with::<yawc::Each>(runtime, work),
        Peer::YawcBatched => with::<yawc::Batched>(runtime, work),
        Peer::SockudoWs => {
            sockudo_ws::init_clock();
            with::<sockudo_ws::Each>(runtime, work)
        }
        Peer::SockudoWsBatched => {
            sockudo_ws::init_clock();
            with::<sockudo_ws::Batched>(runtime, work)
        }
        Peer::Ezsockets => match work.job() {
            Some(job) => runtime.run(ezsockets::run(job)),
            None => with::<ezsockets::Opened>(runtime, work),
        },
        Peer::StreamTungstenite => with::<stream_tungstenite::Subscribed>(runtime, work),
        #[cfg(feature = "nautilus")]
        Peer::NautilusNetwork => with::<nautilus_network::Handled>(runtime, work),
    }
}

/// Runs the measure of many tasks on a peer whose handle they may share.
pub(crate) fn run_tasks(peer: Peer, runtime: Runtime, work: Tasks) -> Result<Answer> {
    match peer {
        Peer::GatewayTokioSpawn => runtime.run(gateway_tokio::tasks(work)),
        Peer::Ezsockets => runtime.run(ezsockets::tasks(work)),
        other => bail!("{} has no handle that tasks share", other.name()),
    }
}

fn with<S: Socket>(runtime: Runtime, work: impl Work) -> Result<Answer> {
    if S::BLOCKS {
        ensure!(matches!(runtime, Runtime::CurrentThread), "a blocking client has no runtime");
        return blocking(work.run::<S>());
    }
    runtime.run(async move { work.run::<S>().await })
}

/// Runs what waits in its calls: it is done when it was polled once.
fn blocking<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => bail!("this measure needs a runtime"),
    }
}

/// Does so many at once, in tasks or in threads, as the peer wants it.
///
/// # Errors
/// The first that failed.
pub(crate) async fn at_once<S, T, F>(many: u32, work: impl Fn(u32) -> F + Send) -> Result<Vec<T>>
where
    S: Socket,
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    if S::BLOCKS {
        let threads: Vec<_> = (0..many)
            .map(|number| {
                let work = work(number);
                std::thread::spawn(|| blocking(work))
            })
            .collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().ok().context("a thread panicked")?);
        return joined.collect();
    }
    let mut tasks = JoinSet::new();
    for number in 0..many {
        tasks.spawn(work(number));
    }
    let mut done = Vec::new();
    while let Some(end) = tasks.join_next().await {
        done.push(end??);
    }
    Ok(done)
}
