//! How far a socket's login has come.

/// How far a socket's login has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no socket, or the dialect has left it.
    #[default]
    Over,
    /// The server is to greet first.
    Waiting,
    /// The login was sent.
    LoggingIn,
    Ready,
}
