//! A server on a thread and runtime of its own, for clients and tests that may block theirs.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime, sync::oneshot};

use crate::{
    control::Control,
    judge::{observed::Observed, report::Report},
    script::Script,
    server::{ServeError, Server},
};

/// A server that runs. It also records what its clients do. Dropping it ends the server soon after.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    control: Control,
    script: &'static Script,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<Observed, ServeError>>,
}

impl Running {
    /// Calls `bind` with the address to listen on.
    pub(crate) fn start(
        bind: impl FnOnce(SocketAddr) -> Result<Server, ServeError>,
    ) -> Result<Self, ServeError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ServeError::Thread)?;
        let server = {
            let _inside = runtime.enter();
            bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?
        };
        let (address, control) = (server.local_addr(), server.control());
        let script = server.script();
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(server.watch(async {
                // A message and a dropped sender both mean stop.
                let _ = stopped.await;
            }))
        };
        let thread = thread::Builder::new().name("gateway-hostile".to_owned()).spawn(serve);
        Ok(Self { address, control, script, stop, thread: thread.map_err(ServeError::Thread)? })
    }

    /// The address with its port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients, `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The handle that causes faults.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// Closes every connection with 1001, and waits until the server has ended, at most two seconds.
    ///
    /// # Errors
    /// If the server has lost its port.
    pub fn stop(self) -> Result<(), ServeError> {
        self.end().map(|_| ())
    }

    /// Ends the watch now, stops the server, and judges what the clients have done since its start.
    /// `within` is the time limit to notice a fault and to reconnect: use the one that the client
    /// promises. What it had no time for yet counts as not seen.
    ///
    /// # Errors
    /// If the server has lost its port.
    pub fn report(self, within: Duration) -> Result<Report, ServeError> {
        let script = self.script;
        Ok(Report::new(script, &self.end()?, within))
    }

    fn end(self) -> Result<Observed, ServeError> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpStream};

    use super::*;
    use crate::judge::verdict::Verdict;

    #[test]
    fn a_server_that_is_stopped_or_dropped_no_longer_listens() {
        for is_dropped in [false, true] {
            let server = Server::builder().start().expect("a free port");
            let mut client = TcpStream::connect(server.local_addr()).expect("it listens");

            if is_dropped {
                drop(server)
            } else {
                server.stop().expect("no error")
            }

            // An end of the stream, or a reset where the server had not accepted yet.
            assert!(!matches!(client.read(&mut [0]), Ok(1..)), "{is_dropped}");
        }
    }

    #[test]
    fn a_report_is_of_what_came_until_now() {
        let server = Server::builder().start().expect("a free port");
        let _stays = TcpStream::connect(server.local_addr()).expect("it listens");
        while server.control().tally().connections == 0 {
            std::thread::yield_now();
        }

        let report = server.report(Duration::from_secs(1)).expect("no error");

        assert_eq!(report.attempts().len(), 1);
        assert_eq!(report.script(), "echo");
        assert_eq!(
            report.verdict(),
            Verdict::NotSeen,
            "it had no time to ask for an upgrade: {report}"
        );
    }
}
