//! Opens that are reserved in a budget which several clients share.

use gateway_core::{Event, Instant};

use super::Session;
use super::perform::Payload;
use crate::shared_budget::{Place, SharedBudget};

/// What the core wants of the shared budget.
#[derive(Debug, Default)]
pub(super) struct Reserving {
    /// `None` if the core has `shared_budget` on, but the session was given no budget. Each open is then
    /// allowed at once.
    place: Option<Place>,
    /// The earliest time of the open that is asked for, until the actions of the event are carried out.
    wanted: Option<Instant>,
}

impl Session {
    /// Reserves each open in a budget that other sessions share. The configuration must have
    /// `shared_budget` on.
    #[must_use]
    pub fn with_shared_budget(mut self, budget: SharedBudget) -> Self {
        self.reserving =
            Some(Box::new(Reserving { place: Some(Place::new(budget)), wanted: None }));
        self
    }

    #[cold]
    pub(super) fn want_open(&mut self, earliest: Instant) {
        self.reserving.get_or_insert_default().wanted = Some(earliest);
    }

    #[cold]
    pub(super) fn release_open(&mut self) {
        let Some(reserving) = &mut self.reserving else { return };
        reserving.wanted = None; // the open may have been asked for in the same event
        if let Some(place) = &mut reserving.place {
            place.release();
        }
    }

    /// Answers what the core asked for in the event that has just been carried out.
    pub(super) fn reserve_open(&mut self) {
        let now = self.now;
        let Some(reserving) = &mut self.reserving else { return };
        let Some(earliest) = reserving.wanted.take() else { return };
        let place = reserving.place.as_mut();
        let at = place.map_or(earliest, |place| place.reserve(now, earliest));
        self.at(now, Event::OpenReserved(at), Payload::None);
    }
}
