//! All figures, by name.

mod attempts;
mod conditions;
mod crash;
mod edges;
mod levers;
mod map;
mod mixed;
mod waves;

use std::error::Error;

use crate::figure::Figure;

pub(crate) type Made = Result<Figure, Box<dyn Error>>;
type Make = fn() -> Made;

/// Every figure, in the order of the page.
pub(crate) const FIGURES: [(&str, Make); 11] = [
    ("map", map::map),
    ("edges", edges::edges),
    ("conditions", conditions::conditions),
    ("atom", waves::atom),
    ("equal", attempts::equal),
    ("growth", levers::growth),
    ("spread", levers::spread),
    ("resets", attempts::resets),
    ("mixed", mixed::mixed),
    ("crash", crash::crash),
    ("defaults", attempts::defaults),
];

/// The names, as a list of possible arguments.
pub(crate) fn names() -> Vec<&'static str> {
    FIGURES.iter().map(|(name, _)| *name).collect()
}
