//! What WebSocket servers expect beyond RFC 6455: greetings, logins, heartbeats and answers.

mod declared;
mod definition;
mod fault;
mod hex;
mod json;
mod near;
mod pattern;
mod presets;
mod template;

pub use declared::DeclaredDialect;
pub use definition::{Definition, Suggestions};
pub use fault::Fault;
pub use presets::{Preset, UnknownPreset, preset, presets};
