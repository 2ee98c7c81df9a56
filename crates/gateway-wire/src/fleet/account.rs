//! The account of a client that has left its fleet.

use crate::counts::Counts;
use crate::end::EndKind;
use crate::name::Name;

/// How a client of a fleet ended, and what became of its messages and requests.
///
/// ```
/// use gateway_wire::Account;
///
/// fn report(account: &Account) -> String {
///     let counts = &account.counts;
///     format!("{}: {}; {} of {} messages sent", account.name, account.end, counts.sent, counts.accepted)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The client's name.
    pub name: Name,
    /// How the client ended.
    pub end: EndKind,
    /// All messages and requests of the client since it was added. No message is
    /// [unsettled](Counts::unsettled) and no request is pending, unless [`end`](Self::end) is
    /// [`Hung`](EndKind::Hung) or [`Reentrant`](EndKind::Reentrant).
    pub counts: Counts,
}

impl Account {
    /// Creates the account of a client.
    #[must_use]
    pub const fn new(name: Name, end: EndKind, counts: Counts) -> Self {
        Self { name, end, counts }
    }
}

/// The accounts of all clients of a fleet that was shut down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetAccount {
    /// The clients, by name. Clients that were removed before are not among them.
    pub clients: Vec<Account>,
}

impl FleetAccount {
    /// Creates the account of a fleet.
    #[must_use]
    pub const fn new(clients: Vec<Account>) -> Self {
        Self { clients }
    }

    /// Returns the counts of all clients together.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for client in &self.clients {
            total += client.counts;
        }
        total
    }
}
