//! The server of the demo. It has its own thread and runtime, because a client may block its thread.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use thiserror::Error;
use tokio::{runtime, sync::oneshot};

use crate::serve::{Control, Options, ServeError, Server};

#[derive(Debug, Error)]
pub(crate) enum GatewayError {
    #[error("cannot start the server: {0}")]
    Serve(#[from] ServeError),
    #[error("cannot start the server's thread: {0}")]
    Start(#[from] io::Error),
    #[error("the server ended early")]
    BrokenOff,
}

/// A running server.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) control: Control,
    stop: oneshot::Sender<()>,
    served: oneshot::Receiver<Result<(), ServeError>>,
}

impl Gateway {
    /// Starts a server on a free port of this machine.
    pub(crate) fn start() -> Result<Self, GatewayError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let server = {
            let _inside = runtime.enter();
            let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Server::bind(loopback, Options::default())?
        };
        let (address, control) = (server.local_addr(), server.control());
        let (stop, stopped) = oneshot::channel();
        let (report, served) = oneshot::channel();
        let run = move || {
            let ended = runtime.block_on(server.run(async {
                // A message and a dropped sender both mean stop.
                let _ = stopped.await;
            }));
            // The receiver may be gone.
            let _ = report.send(ended);
        };
        thread::Builder::new().name("gateway".to_owned()).spawn(run)?;
        Ok(Self { address, control, stop, served })
    }

    /// Stops the server, and waits for its end.
    pub(crate) async fn stop(self) -> Result<(), GatewayError> {
        drop(self.stop);
        self.served.await.map_err(|_| GatewayError::BrokenOff)?.map_err(GatewayError::Serve)
    }
}
