//! A fleet: many clients in one process, by name.

mod events;
mod leaving;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{ConfigErrors, RetryBudget};
use gateway_wire::{
    Account, FleetAccount, FleetError, FleetSettings, Inbox, Name, Roster, SharedBudget, Status,
};

pub use self::events::FleetEvents;
use self::leaving::Leaving;
use crate::builder::Builder;
use crate::clock::Clock;
use crate::spawn::{Handle, HandleErrorKind, MemberEvents, split};
use crate::sync::inside;

/// Many clients in one process, by name: for market data or device gateways, with up to some thousand
/// connections.
///
/// Each client runs in a task of its own, as a [spawned](crate::Client::spawn) one does. All methods
/// take `&self`, so you can share a fleet between tasks in an `Arc`.
///
/// **Dropping it** closes every client with 1000, and does not wait. [`FleetEvents`] still yields the
/// events that are left, and then `None`. For an account of all messages, call
/// [`shutdown`](Self::shutdown).
///
/// **A client that has left** the fleet ends when it is CLOSED. From then on, calls of its handles
/// fail with [`Gone`](HandleErrorKind::Gone).
///
/// **From within an observer or a dialect**, calls that need an answer of a client fail with
/// [`FleetError::Reentrant`]. A shutdown does not wait there, and its accounts say
/// [`EndKind::Reentrant`](crate::EndKind::Reentrant).
///
/// **Code that runs under a client's lock must not block**; [`Handle`] lists it. `remove`, `restart`,
/// `shutdown`, `status`, `statuses` and the drop of the fleet take that lock, so they block their
/// thread until such code returns, also beyond their time.
///
/// ```no_run
/// use std::time::Duration;
/// use gateway_tokio::{Client, ClientEvent, Fleet};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (fleet, mut events) = Fleet::builder().build()?;
/// for symbol in ["btc", "eth"] {
///     fleet.add(symbol, Client::builder(format!("wss://feed.example/{symbol}")))?;
/// }
/// while let Some((name, event)) = events.next().await {
///     if let ClientEvent::Message(message) = event {
///         println!("{name}: {:?}", message.as_text());
///         break;
///     }
/// }
/// let account = fleet.shutdown(Duration::from_secs(5)).await;
/// println!("{} messages sent", account.total().sent);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a fleet closes its clients"]
pub struct Fleet {
    roster: Mutex<Roster<Handle>>,
    inbox: Arc<Inbox<MemberEvents>>,
    budget: Option<SharedBudget>,
}

/// Collects a fleet's settings. [`build`](Self::build) validates them.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct FleetBuilder {
    settings: FleetSettings,
}

impl FleetBuilder {
    /// Sets how many clients the fleet may have at a time: 1 to 2^20. The default is 10,000.
    pub const fn max_clients(mut self, clients: usize) -> Self {
        self.settings.max_clients = clients;
        self
    }

    /// Sets how many sockets all clients may open in a time, the first ones included. By default
    /// there is no limit.
    ///
    /// Without it, the clients of a server that restarts come back as their own backoff says: with the
    /// default, within one to three seconds. With it, an attempt first waits for its own delay, and
    /// then for the budget. A client that waits is DISCONNECTED.
    ///
    /// It replaces the [`shared_budget`](crate::Builder::shared_budget) of a client's builder.
    pub const fn budget(mut self, budget: RetryBudget) -> Self {
        self.settings.budget = Some(budget);
        self
    }

    /// Validates all settings, and creates a fleet without clients, and the events of its clients.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build(self) -> Result<(Fleet, FleetEvents), ConfigErrors> {
        let clock = Clock::start(None);
        let budget = self.settings.build(Arc::new(move || clock.now()))?;
        let (inbox, reader) = Inbox::new();
        let fleet = Fleet { roster: Mutex::new(Roster::new(&self.settings)), inbox, budget };
        Ok((fleet, FleetEvents::new(reader)))
    }
}

impl Fleet {
    /// Starts a builder with default settings.
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }

    /// Adds a client. It gets this name, and starts to connect at once, in a new task on the current
    /// runtime.
    ///
    /// # Errors
    /// The client's settings are wrong, the fleet has a client of this name, is full, or is shut
    /// down. Nothing was opened.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn add(&self, name: impl Into<String>, client: Builder) -> Result<Handle, FleetError> {
        let runtime = tokio::runtime::Handle::current();
        let name = name.into();
        self.roster().check(&name)?;
        let client = match &self.budget {
            Some(budget) => client.shared_budget(budget.clone()),
            None => client,
        };
        let client = client.name(name).build()?;
        let Some(name) = client.full_name().cloned() else {
            unreachable!("the builder has set the name");
        };
        let (engine, wakers) = client.into_parts();
        let (handle, events, driver) = split(engine, wakers);
        // Before the roster: a shutdown that finds this client must find its events in the stream. If
        // the roster refuses the client, its driver is dropped, and the events end.
        self.inbox.join(name.clone(), MemberEvents::new(events));
        self.roster().add(name, handle.clone())?;
        runtime.spawn(driver);
        Ok(handle)
    }

    /// Removes a client, and waits until it has ended, at most for `within`. Returns how it ended,
    /// and what became of its messages and requests.
    ///
    /// The client leaves as it does in a [shutdown](Self::shutdown). Its name is free at once. Its last
    /// events are still in the stream.
    ///
    /// If you drop the future, the client is cut off at once.
    ///
    /// # Errors
    /// The fleet has no client of this name.
    pub async fn remove(&self, name: &str, within: Duration) -> Result<Account, FleetError> {
        outside()?;
        let (name, handle) = self.roster().remove(name)?;
        let mut accounts = Leaving::begin([(name, handle)], within).accounts().await;
        let Some(account) = accounts.pop() else { unreachable!("each client has an account") };
        Ok(account)
    }

    /// Opens a new socket for this client, as [`Handle::reconnect`] does; or starts it again, if it has
    /// given up, or was closed.
    ///
    /// # Errors
    /// The fleet has no client of this name, or the client's task is
    /// [gone](FleetError::Gone).
    pub fn restart(&self, name: &str) -> Result<(), FleetError> {
        let (name, handle) = self.find(name)?;
        handle.restart().map_err(|error| failure(error.kind(), name))
    }

    /// Closes all clients at once, and waits until they have ended, at most for `within`. Returns how
    /// each ended, and what became of all messages and requests that it had accepted. From now on the
    /// fleet takes no clients.
    ///
    /// Each client first [drains](Handle::drain): messages in its outbox are sent, if its connection is
    /// ready in time, and requests wait for their answers. A client without such work closes at once;
    /// also one that is connecting, waits to retry, or asks a provider. A quarter of the time, at most
    /// 2 s, is kept for the Close handshakes. A client that has not ended shortly before the end of the
    /// time is cut off: its socket is dropped, and its messages have their outcomes.
    ///
    /// If you drop the future, all clients that have not ended are cut off at once.
    pub async fn shutdown(&self, within: Duration) -> FleetAccount {
        let members = self.roster().close();
        self.inbox.close();
        FleetAccount::new(Leaving::begin(members, within).accounts().await)
    }

    /// Returns the handle of a client.
    ///
    /// # Errors
    /// The fleet has no client of this name.
    pub fn handle(&self, name: &str) -> Result<Handle, FleetError> {
        self.find(name).map(|(_, handle)| handle)
    }

    /// Returns the names of all clients, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        self.roster().iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns a snapshot of a client. If its task is gone, this is the last one.
    ///
    /// # Errors
    /// The fleet has no client of this name, or the call came from within an observer or a dialect.
    pub fn status(&self, name: &str) -> Result<Status, FleetError> {
        let (name, handle) = self.find(name)?;
        handle.latest_status().map_err(|kind| failure(kind, name))
    }

    /// Returns snapshots of all clients, by name. They are taken one after another. As JSON they are
    /// one object, with a member for each client.
    ///
    /// # Errors
    /// The call came from within an observer or a dialect.
    pub fn statuses(&self) -> Result<BTreeMap<Name, Status>, FleetError> {
        let clone = |(name, handle): (&Name, &Handle)| (name.clone(), handle.clone());
        let members: Vec<_> = self.roster().iter().map(clone).collect();
        let status = |(name, handle): (Name, Handle)| match handle.latest_status() {
            Ok(status) => Ok((name, status)),
            Err(kind) => Err(failure(kind, name)),
        };
        members.into_iter().map(status).collect()
    }

    fn find(&self, name: &str) -> Result<(Name, Handle), FleetError> {
        let roster = self.roster();
        roster.member(name).map(|(name, handle)| (name.clone(), handle.clone()))
    }

    /// No code of the application's runs under this lock.
    fn roster(&self) -> MutexGuard<'_, Roster<Handle>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under a client's lock, no client can be waited for.
fn outside() -> Result<(), FleetError> {
    if inside::is_inside() { Err(FleetError::Reentrant) } else { Ok(()) }
}

fn failure(kind: HandleErrorKind, name: Name) -> FleetError {
    match kind {
        HandleErrorKind::Reentrant => FleetError::Reentrant,
        HandleErrorKind::Gone | HandleErrorKind::Closed | HandleErrorKind::Stalled => {
            FleetError::Gone { name }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let members = self.roster().close();
        members.values().for_each(|handle| handle.leave(None));
        self.inbox.close();
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("clients", &self.roster().iter().len())
            .finish_non_exhaustive()
    }
}
