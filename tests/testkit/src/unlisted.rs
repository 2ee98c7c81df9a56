//! What a match does with a variant that it does not name. The core's enums may grow, so a match in
//! another crate needs a last arm. The tests call these matches with every value of
//! `gateway_core::every`.

use core::fmt::Debug;

/// Fails, and names the file that lacks the variant.
pub(crate) fn unlisted(file: &str, variant: &dyn Debug) -> ! {
    panic!("add {variant:?} to {file}")
}
