//! A fleet: many clients in one process, by name.

mod builder;
mod events;
mod member;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use gateway_wire::{
    Account, Departure, EndKind, FleetAccount, FleetError, Inbox, Name, Roster, SharedBudget,
    Status,
};

pub use self::builder::FleetBuilder;
pub use self::events::FleetEvents;
use self::member::MemberEvents;
pub(crate) use self::member::{BATCH, BATCH_BYTES, Last, Member, Order};
use crate::builder::Builder;
use crate::clock::Countdown;
use crate::inside::is_inside;
use crate::sender::Sender;

/// How long a status may take. A client answers in microseconds, unless its thread hangs.
const ANSWER: Duration = Duration::from_secs(1);

/// Many clients in one process, by name: for market data or device gateways, with up to some thousand
/// connections.
///
/// Each client runs on a thread of its own, with a small stack and the client's name. All methods take
/// `&self`, so you can share a fleet between threads in an `Arc`.
///
/// **Dropping it** closes every client with 1000, and does not wait. [`FleetEvents`] still yields the
/// events that are left, and then `None`. For an account of all messages, call
/// [`shutdown`](Self::shutdown).
///
/// **A client that has left** the fleet ends when it is CLOSED. From then on, its [`Sender`]s fail with
/// `Gone`.
///
/// **From within an observer or a dialect**, calls that need an answer of a client fail with
/// [`FleetError::Reentrant`]. A shutdown does not wait there, and its accounts say
/// [`EndKind::Reentrant`].
///
/// ```no_run
/// use std::time::Duration;
/// use gateway_std::{Client, ClientEvent, Fleet};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (fleet, events) = Fleet::builder().build()?;
/// for symbol in ["btc", "eth"] {
///     fleet.add(symbol, Client::builder(format!("wss://feed.example/{symbol}")))?;
/// }
/// for (name, event) in events {
///     if let ClientEvent::Message(message) = event {
///         println!("{name}: {:?}", message.as_text());
///         break;
///     }
/// }
/// let account = fleet.shutdown(Duration::from_secs(5));
/// println!("{} messages sent", account.total().sent);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a fleet closes its clients"]
pub struct Fleet {
    roster: Mutex<Roster<Entry>>,
    inbox: Arc<Inbox<MemberEvents>>,
    budget: Option<SharedBudget>,
    stack_size: usize,
}

#[derive(Clone)]
struct Entry {
    sender: Sender,
    member: Arc<Member>,
}

impl Fleet {
    /// Starts a builder with default settings.
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }

    /// Adds a client. It gets this name, and starts to connect at once, on a new thread.
    ///
    /// # Errors
    /// The client's settings are wrong, the fleet has a client of this name, is full, or is shut
    /// down, or there is no thread. Nothing was opened.
    pub fn add(&self, name: impl Into<String>, client: Builder) -> Result<Sender, FleetError> {
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
        let (sender, member) = (client.sender(), Arc::new(client.member()));
        let entry = Entry { sender: sender.clone(), member: Arc::clone(&member) };
        // Before the roster: a shutdown that finds this client must find its events in the stream.
        self.inbox.join(name.clone(), MemberEvents(Arc::clone(&member)));
        if let Err(error) = self.roster().add(name.clone(), entry) {
            member.end_thread();
            return Err(error);
        }
        let own = Arc::clone(&member);
        let builder = thread::Builder::new().name(name.to_string()).stack_size(self.stack_size);
        match builder.spawn(move || client.run(&own)) {
            Ok(thread) => member.set_thread(thread),
            Err(source) => {
                member.end_thread();
                // The fleet may have been shut down meanwhile, or have another client of this name.
                let is_own = |entry: &Entry| Arc::ptr_eq(&entry.member, &member);
                let removed = self.roster().remove_if(name.as_str(), is_own);
                drop(removed); // outside of the lock
                return Err(FleetError::Thread { name, source });
            }
        }
        Ok(sender)
    }

    /// Removes a client, and waits until it has ended, at most for `within`. Returns how it ended,
    /// and what became of its messages and requests.
    ///
    /// The client leaves as it does in a [shutdown](Self::shutdown). Its name is free at once. Its last
    /// events are still in the stream.
    ///
    /// # Errors
    /// The fleet has no client of this name.
    pub fn remove(&self, name: &str, within: Duration) -> Result<Account, FleetError> {
        if is_inside() {
            return Err(FleetError::Reentrant);
        }
        let member = self.roster().remove(name)?;
        let Some(account) = leave([member], within).pop() else {
            unreachable!("each client has an account");
        };
        Ok(account)
    }

    /// Opens a new socket for this client, as [`Sender::reconnect`] does; or starts it again, if it has
    /// given up, or was closed.
    ///
    /// # Errors
    /// The fleet has no client of this name, or the client is [gone](FleetError::Gone).
    pub fn restart(&self, name: &str) -> Result<(), FleetError> {
        let (name, entry) = self.find(name)?;
        if entry.member.has_ended() {
            return Err(FleetError::Gone { name });
        }
        entry.sender.restart();
        Ok(())
    }

    /// Closes all clients at once, and waits until they have ended, at most for `within`. Returns how
    /// each ended, and what became of all messages and requests that it had accepted. From now on the
    /// fleet takes no clients.
    ///
    /// Each client first [drains](Sender::drain): messages in its outbox are sent, if its connection is
    /// ready in time, and requests wait for their answers. A client without such work closes at once;
    /// also one that is connecting, waits to retry, or asks a provider. A quarter of the time, at most
    /// 2 s, is kept for the Close handshakes. A client that has not ended shortly before the end of the
    /// time is cut off: its socket is dropped, and its messages have their outcomes.
    ///
    /// If an observer, a dialect or a transport hangs on a client's thread, that thread is left
    /// behind, after at least 500 ms. The account then has [`EndKind::Hung`], and the counts that
    /// the thread has last shown. A provider, a resolver or a `dial` that hangs keeps only the
    /// client's helper thread.
    pub fn shutdown(&self, within: Duration) -> FleetAccount {
        let members = self.roster().close();
        self.inbox.close();
        FleetAccount::new(leave(members, within))
    }

    /// Returns a sender for a client.
    ///
    /// # Errors
    /// The fleet has no client of this name.
    pub fn handle(&self, name: &str) -> Result<Sender, FleetError> {
        self.find(name).map(|(_, entry)| entry.sender)
    }

    /// Returns the names of all clients, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        self.roster().iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns a snapshot of a client. If the client is gone, or if its thread does not answer within
    /// a second, this is the last one that the thread has shown.
    ///
    /// # Errors
    /// The fleet has no client of this name, or the call came from within an observer or a dialect.
    pub fn status(&self, name: &str) -> Result<Status, FleetError> {
        let member = self.find(name)?;
        let Some((_, status)) = statuses([member])?.pop_first() else {
            unreachable!("each client has a status");
        };
        Ok(status)
    }

    /// Returns snapshots of all clients, by name. All clients are asked at once: see
    /// [`status`](Self::status). As JSON they are one object, with a member for each client.
    ///
    /// # Errors
    /// The call came from within an observer or a dialect.
    pub fn statuses(&self) -> Result<BTreeMap<Name, Status>, FleetError> {
        let clone = |(name, entry): (&Name, &Entry)| (name.clone(), entry.clone());
        let members: Vec<_> = self.roster().iter().map(clone).collect();
        statuses(members)
    }

    fn find(&self, name: &str) -> Result<(Name, Entry), FleetError> {
        let roster = self.roster();
        roster.member(name).map(|(name, entry)| (name.clone(), entry.clone()))
    }

    /// No code of the application's runs under this lock.
    fn roster(&self) -> MutexGuard<'_, Roster<Entry>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks all, and then waits for their answers.
fn statuses(
    members: impl IntoIterator<Item = (Name, Entry)>,
) -> Result<BTreeMap<Name, Status>, FleetError> {
    if is_inside() {
        return Err(FleetError::Reentrant);
    }
    let asked: Vec<_> = members
        .into_iter()
        .map(|(name, entry)| (name, entry.sender.ask_status(), entry.member))
        .collect();
    let time = Countdown::start(ANSWER);
    let answered = asked.into_iter().map(|(name, asked, member)| {
        let status = asked.and_then(|asked| asked.wait(time.left()));
        (name, status.unwrap_or_else(|| member.last_status()))
    });
    Ok(answered.collect())
}

/// Lets clients drain and close, and cuts off those that do not end in time.
fn leave(members: impl IntoIterator<Item = (Name, Entry)>, within: Duration) -> Vec<Account> {
    let Departure { drain, cut, leave_behind } = Departure::new(within);
    let (cut, end) = (Countdown::start(cut), Countdown::start(leave_behind));
    let members: Vec<_> = members.into_iter().collect();
    for (_, entry) in &members {
        entry.member.order(Order::Leave { drain: Some(drain) });
    }
    if is_inside() {
        let unknown = |(name, entry): (Name, Entry)| entry.member.account(name, EndKind::Reentrant);
        return members.into_iter().map(unknown).collect();
    }
    for (_, entry) in &members {
        entry.member.wait_until_over(&cut);
    }
    for (_, entry) in &members {
        if !entry.member.has_ended() {
            entry.member.order(Order::Cut);
        }
    }
    let account = |(name, entry): (Name, Entry)| {
        entry.member.wait_until_over(&end);
        entry.member.account(name, EndKind::Hung)
    };
    members.into_iter().map(account).collect()
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for entry in self.roster().close().values() {
            entry.member.order(Order::Leave { drain: None });
        }
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
