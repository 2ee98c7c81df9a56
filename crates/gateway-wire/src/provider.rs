//! The provider: the user's code that gives the request of each attempt.

mod asking;
mod attempt;
mod error;
mod request;
#[cfg(test)]
mod tests;

pub use self::asking::Asking;
pub use self::attempt::Attempt;
pub use self::error::ProviderError;
pub use self::request::Request;
pub(crate) use self::request::{AttemptPlan, Private};
pub use gateway_core::Secrets;
