//! A fleet of either driver behind one blocking interface: a test is written once, and runs on both.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use gateway_tokio::core::{CloseFrame, Notice, RetryBudget};
use gateway_tokio::{
    Accepted, Account, ClientEvent, FleetAccount, FleetError, Message, Name, SendError, Status,
};
use tokio::runtime::Runtime;

use crate::clock::{GUARD, within};
use crate::either::Driver;

/// A fleet of one of the drivers, and the events of its clients.
pub enum AnyFleet {
    /// A fleet of tokio's. Its tasks run on a thread of their own.
    Tokio(Option<gateway_tokio::Fleet>, Option<gateway_tokio::FleetEvents>, Runtime),
    /// A fleet of blocking clients.
    Std(Option<gateway_std::Fleet>, Option<gateway_std::FleetEvents>),
}

/// Adds a client with these settings and a fixed seed, and with what else its builder is called with:
/// `add!(fleet, "a", url, calm(), .header("X-Device", "7"))`. Returns whether the fleet takes it.
#[macro_export]
macro_rules! add {
    ($fleet:expr, $name:expr, $url:expr, $config:expr $(, $($more:tt)+)?) => {{
        let config = $config.build().expect("valid settings");
        match &$fleet {
            $crate::AnyFleet::Tokio(fleet, _, runtime) => {
                let _inside = runtime.enter();
                let client = gateway_tokio::Client::builder($url).config(config).seed(7);
                fleet.as_ref().expect("a fleet").add($name, client$($($more)+)?).map(drop)
            }
            $crate::AnyFleet::Std(fleet, _) => {
                let client = gateway_std::Client::builder($url).config(config).seed(7);
                fleet.as_ref().expect("a fleet").add($name, client$($($more)+)?).map(drop)
            }
        }
    }};
}

/// One expression for both fleets.
macro_rules! each {
    ($any:expr, $fleet:ident => $call:expr) => {
        match $any {
            AnyFleet::Tokio($fleet, ..) => {
                let $fleet = $fleet.as_ref().expect("a fleet");
                $call
            }
            AnyFleet::Std($fleet, _) => {
                let $fleet = $fleet.as_ref().expect("a fleet");
                $call
            }
        }
    };
}

impl AnyFleet {
    /// A fleet of at most so many clients, with a budget that no test spends.
    ///
    /// # Panics
    /// There is no runtime to be had.
    #[must_use]
    pub fn new(driver: Driver, max_clients: usize) -> Self {
        Self::with_budget(driver, max_clients, RetryBudget::new(1_000, Duration::from_millis(1)))
    }

    /// The same, with a budget of opens.
    ///
    /// # Panics
    /// There is no runtime to be had.
    #[must_use]
    pub fn with_budget(driver: Driver, max_clients: usize, budget: RetryBudget) -> Self {
        match driver {
            Driver::Tokio | Driver::Spawned => {
                let builder =
                    gateway_tokio::Fleet::builder().max_clients(max_clients).budget(budget);
                let (fleet, events) = builder.build().expect("valid settings");
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
                Self::Tokio(Some(fleet), Some(events), runtime)
            }
            Driver::Std => {
                let builder = gateway_std::Fleet::builder().max_clients(max_clients).budget(budget);
                let (fleet, events) = builder.build().expect("valid settings");
                Self::Std(Some(fleet), Some(events))
            }
        }
    }

    /// The next event; `None` at the end.
    ///
    /// # Panics
    /// None comes for a long time.
    pub fn recv(&mut self) -> Option<(Name, ClientEvent)> {
        match self {
            Self::Tokio(_, events, runtime) => {
                let events = events.as_mut().expect("events");
                runtime.block_on(async { within(events.next()).await })
            }
            Self::Std(_, events) => {
                let events = events.as_mut().expect("events");
                events.recv_timeout(GUARD).expect("what was waited for never came")
            }
        }
    }

    /// Takes events up to the first that fits. Returns them all.
    ///
    /// # Panics
    /// The stream ends before that.
    pub fn until(
        &mut self,
        mut fits: impl FnMut(&str, &ClientEvent) -> bool,
    ) -> Vec<(Name, ClientEvent)> {
        let mut events = Vec::new();
        while !events.last().is_some_and(|(name, event): &(Name, _)| fits(name.as_str(), event)) {
            events.push(self.recv().expect("a fleet that is not over"));
        }
        events
    }

    /// Takes events until so many clients have become ready.
    pub fn until_ready(&mut self, clients: usize) {
        let mut ready = 0;
        self.until(|_, event| {
            ready += usize::from(matches!(event, ClientEvent::Notice(Notice::Ready { .. })));
            ready == clients
        });
    }

    /// Takes all events up to the end.
    pub fn rest(&mut self) -> Vec<(Name, ClientEvent)> {
        std::iter::from_fn(|| self.recv()).collect()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The client does not accept it.
    ///
    /// # Panics
    /// There is no such client.
    pub fn send(&self, name: &str, message: impl Into<Message>) -> Result<Accepted, SendError> {
        match self {
            Self::Tokio(fleet, _, runtime) => {
                let handle = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                runtime.block_on(within(handle.send(message)))
            }
            Self::Std(fleet, _) => {
                let sender = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                sender.send(message)
            }
        }
    }

    /// Removes a client.
    ///
    /// # Errors
    /// There is no such client.
    pub fn remove(&self, name: &str, span: Duration) -> Result<Account, FleetError> {
        match self {
            Self::Tokio(fleet, _, runtime) => {
                let fleet = fleet.as_ref().expect("a fleet");
                runtime.block_on(within(fleet.remove(name, span)))
            }
            Self::Std(fleet, _) => fleet.as_ref().expect("a fleet").remove(name, span),
        }
    }

    /// Shuts the fleet down.
    pub fn shutdown(&self, span: Duration) -> FleetAccount {
        match self {
            Self::Tokio(fleet, _, runtime) => {
                let fleet = fleet.as_ref().expect("a fleet");
                runtime.block_on(within(fleet.shutdown(span)))
            }
            Self::Std(fleet, _) => fleet.as_ref().expect("a fleet").shutdown(span),
        }
    }

    /// Starts to close a client.
    ///
    /// # Panics
    /// There is no such client.
    pub fn close(&self, name: &str) {
        match self {
            Self::Tokio(fleet, ..) => {
                let handle = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                handle.close(CloseFrame::NORMAL).expect("its task runs");
            }
            Self::Std(fleet, _) => {
                let sender = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                sender.close(CloseFrame::NORMAL);
            }
        }
    }

    /// Asks a client to connect and to reconnect, through a handle that the fleet does not keep.
    ///
    /// # Panics
    /// There is no such client, or it takes such a request while it leaves the fleet.
    #[must_use]
    pub fn connects_in_vain(&self, name: &str) -> Box<dyn Fn()> {
        match self {
            Self::Tokio(fleet, ..) => {
                let handle = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                Box::new(move || {
                    for refused in [handle.connect(), handle.reconnect()] {
                        let kind = refused.expect_err("it is leaving").kind();
                        assert_eq!(kind, gateway_tokio::HandleErrorKind::Gone);
                    }
                })
            }
            Self::Std(fleet, _) => {
                let sender = fleet.as_ref().expect("a fleet").handle(name).expect("a client");
                Box::new(move || {
                    sender.connect();
                    sender.reconnect();
                })
            }
        }
    }

    /// Restarts a client.
    ///
    /// # Errors
    /// There is no such client, or it is gone.
    pub fn restart(&self, name: &str) -> Result<(), FleetError> {
        each!(self, fleet => fleet.restart(name))
    }

    /// The names of all clients.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        each!(self, fleet => fleet.names()).iter().map(ToString::to_string).collect()
    }

    /// A snapshot of a client.
    ///
    /// # Errors
    /// There is no such client.
    pub fn status(&self, name: &str) -> Result<Status, FleetError> {
        each!(self, fleet => fleet.status(name))
    }

    /// Snapshots of all clients.
    ///
    /// # Errors
    /// Never: a test is no observer.
    pub fn statuses(&self) -> Result<BTreeMap<Name, Status>, FleetError> {
        each!(self, fleet => fleet.statuses())
    }

    /// Drops the fleet, and keeps its events.
    pub fn drop_fleet(&mut self) {
        match self {
            Self::Tokio(fleet, ..) => *fleet = None,
            Self::Std(fleet, _) => *fleet = None,
        }
    }

    /// Drops the events, and keeps the fleet.
    pub fn drop_events(&mut self) {
        match self {
            Self::Tokio(_, events, _) => *events = None,
            Self::Std(_, events) => *events = None,
        }
    }
}

impl fmt::Debug for AnyFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyFleet").finish_non_exhaustive()
    }
}
