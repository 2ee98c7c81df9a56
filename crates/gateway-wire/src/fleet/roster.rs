//! The clients of a fleet, by name.

use std::collections::BTreeMap;

use gateway_core::{ConfigError, ConfigErrors};

use super::{FleetError, FleetSettings};
use crate::name::Name;

/// The clients of a fleet. `M` is what a driver keeps of each.
///
/// ```
/// use gateway_wire::{FleetError, FleetSettings, Name, Roster};
///
/// let mut roster = Roster::new(&FleetSettings::default());
/// let name = Name::new("btc").unwrap();
/// roster.check("btc")?;
/// roster.add(name, 7)?;
/// assert!(roster.check("btc").is_err(), "the name is in use");
/// assert_eq!(roster.remove("btc")?.1, 7);
/// # Ok::<(), FleetError>(())
/// ```
#[derive(Debug)]
pub struct Roster<M> {
    members: BTreeMap<Name, M>,
    limit: usize,
    is_closed: bool,
}

impl<M> Roster<M> {
    /// Creates a roster without clients.
    #[must_use]
    pub const fn new(settings: &FleetSettings) -> Self {
        Self { members: BTreeMap::new(), limit: settings.max_clients, is_closed: false }
    }

    /// Checks whether a client of this name can be added now. An invalid name passes: the client's
    /// builder reports it, together with other errors.
    ///
    /// # Errors
    /// The fleet is shut down or full, or has a client of this name.
    pub fn check(&self, name: &str) -> Result<(), FleetError> {
        if self.is_closed {
            return Err(FleetError::ShutDown);
        }
        if self.members.contains_key(name) {
            let limit =
                "must differ from the names of the fleet's clients; remove that client first";
            return Err(ConfigErrors::from(ConfigError::new("name", name, limit)).into());
        }
        if self.members.len() >= self.limit {
            return Err(FleetError::Full { limit: self.limit });
        }
        Ok(())
    }

    /// Adds a client.
    ///
    /// # Errors
    /// Those of [`check`](Self::check): another thread may have been faster.
    pub fn add(&mut self, name: Name, member: M) -> Result<(), FleetError> {
        self.check(name.as_str())?;
        self.members.insert(name, member);
        Ok(())
    }

    /// Removes a client.
    ///
    /// # Errors
    /// There is no client of this name.
    pub fn remove(&mut self, name: &str) -> Result<(Name, M), FleetError> {
        self.members.remove_entry(name).ok_or_else(|| unknown(name))
    }

    /// Removes a client if this applies to it. Returns `None` if there is no such client.
    pub fn remove_if(&mut self, name: &str, applies: impl FnOnce(&M) -> bool) -> Option<(Name, M)> {
        self.members.get(name).is_some_and(applies).then(|| self.members.remove_entry(name))?
    }

    /// Removes all clients. None can be added from now on.
    pub fn close(&mut self) -> BTreeMap<Name, M> {
        self.is_closed = true;
        std::mem::take(&mut self.members)
    }

    /// Returns a client.
    ///
    /// # Errors
    /// There is no client of this name.
    pub fn member(&self, name: &str) -> Result<(&Name, &M), FleetError> {
        self.members.get_key_value(name).ok_or_else(|| unknown(name))
    }

    /// Returns all clients, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &M)> {
        self.members.iter()
    }
}

fn unknown(name: &str) -> FleetError {
    FleetError::Unknown { name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(max_clients: usize) -> Roster<u32> {
        Roster::new(&FleetSettings { max_clients, budget: None })
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_second_client_of_one_name_is_a_configuration_error_that_names_it() {
        let mut roster = roster(10);
        roster.add(name("btc"), 1).unwrap();

        let Err(FleetError::Configuration(errors)) = roster.add(name("btc"), 2) else { panic!() };

        let wrong = errors.iter().next().unwrap();
        assert_eq!((wrong.field(), wrong.value()), ("name", "btc"));
        assert_eq!(roster.member("btc").unwrap().1, &1);
        roster.remove("btc").unwrap();
        roster.add(name("btc"), 3).unwrap();
    }

    #[test]
    fn the_number_of_clients_is_bounded_and_the_error_names_the_setting() {
        let mut roster = roster(1);
        roster.add(name("a"), 1).unwrap();
        let full = roster.add(name("b"), 2).unwrap_err();
        assert!(matches!(full, FleetError::Full { limit: 1 }));
        assert!(full.to_string().contains("max_clients"), "{full}");
        let unknown = roster.remove("b").unwrap_err().to_string();
        assert!(unknown.contains("no client \"b\""), "{unknown}");
    }

    #[test]
    fn a_client_is_removed_only_if_it_is_the_one_that_was_meant() {
        let mut roster = roster(10);
        roster.add(name("a"), 2).unwrap();
        assert_eq!(roster.remove_if("a", |member| *member == 1), None);
        assert_eq!(roster.remove_if("a", |member| *member == 2), Some((name("a"), 2)));
        assert_eq!(roster.remove_if("a", |_| true), None);
    }

    #[test]
    fn a_closed_roster_takes_no_client() {
        let mut roster = roster(10);
        roster.add(name("a"), 1).unwrap();
        assert_eq!(roster.close().len(), 1);
        assert!(matches!(roster.add(name("a"), 1), Err(FleetError::ShutDown)));
        assert_eq!(roster.iter().len(), 0);
    }
}
