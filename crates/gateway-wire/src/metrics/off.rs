//! The metrics of a build without the feature `metrics`: there are none.

use gateway_core::Instant;

use super::Sample;
use crate::event::ClientEvent;
use crate::outcome::Outcome;

#[derive(Debug, Default)]
pub(crate) struct Metering(());

#[derive(Debug)]
pub(crate) struct Meters;

#[derive(Debug)]
pub(crate) struct Report;

impl Metering {
    #[inline(always)]
    pub(crate) const fn news(&mut self, _: &ClientEvent) {}

    #[inline(always)]
    pub(crate) const fn outcome(&mut self, _: &Outcome) {}

    #[inline(always)]
    pub(crate) const fn missed(&mut self, _: usize) {}

    #[inline(always)]
    pub(crate) const fn touch(&mut self) {}

    #[inline(always)]
    pub(crate) const fn is_due(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn is_old(&self, _: impl FnOnce() -> Instant) -> bool {
        false
    }

    pub(crate) const fn take(&mut self, _: Instant, _: &Sample) {}

    pub(crate) const fn defer(&mut self) -> Option<Box<Meters>> {
        None
    }

    #[inline(always)]
    pub(crate) const fn take_report(&mut self) -> Option<Box<Report>> {
        None
    }
}

impl Meters {
    pub(crate) const fn apply(&mut self, _: &Report) {}
}
