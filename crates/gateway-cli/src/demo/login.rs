//! The login of the demo: its tokens, and the provider that gives the next one when the server refuses
//! the last.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use gateway_dialects::{Preset, UnknownPreset, preset};
use gateway_hostile::{Builder, EmptySecret, ServedDialect, Server};
use gateway_tokio::{Attempt, Request};

/// Both sides speak this dialect.
const DIALECT: ServedDialect = ServedDialect::Json;

const TOKENS: [&str; 2] = ["token-of-today", "token-of-tomorrow"];

/// How many logins a token is good for: one at the start, and one after each fault before the token is
/// to expire.
const LOGINS: NonZeroU32 = NonZeroU32::new(5).expect("not 0");

/// The provider. It counts how often the server refused a token.
#[derive(Debug, Default)]
pub(crate) struct Provider(AtomicUsize);

/// The client's side of the dialect.
pub(crate) fn client_dialect() -> Result<Preset, UnknownPreset> {
    preset(DIALECT.name())
}

/// A server that wants a login, and accepts each token for a while.
pub(crate) fn server() -> Result<Builder, EmptySecret> {
    let server = Server::builder().dialect(DIALECT).login_uses(LOGINS);
    TOKENS.iter().try_fold(server, |server, token| Ok(server.login(token.parse()?)))
}

impl Provider {
    /// The request of an attempt, with a token that the server has not refused.
    pub(crate) fn request(&self, attempt: Attempt) -> Request {
        let refused = usize::from(attempt.refresh);
        let refused = self.0.fetch_add(refused, Relaxed).saturating_add(refused);
        let token = TOKENS[refused.min(TOKENS.len() - 1)];
        Request::new().secret("token", token)
    }
}
