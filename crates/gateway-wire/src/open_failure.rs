//! Classifies failures to open a socket, with one pure function.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

use gateway_core::OpenError;

use crate::tls::{ROOTS, in_words};

/// Why a socket could not be opened: a class for the core's decision, and a text for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFailure {
    error: OpenError,
    detail: String,
}

/// The step of an attempt in which an error of the operating system occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenStep {
    /// Resolving the host's name.
    Resolve,
    /// Connecting over TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Writing the upgrade request, or reading its answer.
    Upgrade,
}

impl OpenFailure {
    /// Creates a failure of this class, with a text for the log.
    #[must_use]
    pub fn new(error: OpenError, detail: impl Into<String>) -> Self {
        Self { error, detail: detail.into() }
    }

    /// The failure of a `Dial` that panicked, from what `catch_unwind` returned. It has the panic's
    /// text, and is retried.
    #[must_use]
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::new(OpenError::Io, format!("`dial` panicked: {}", panic_text(panic)))
    }

    /// Returns the class, which decides about a retry.
    #[must_use]
    pub const fn error(&self) -> OpenError {
        self.error
    }

    /// Returns the text for the log.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Classifies an error of the operating system or of rustls. For a TLS handshake, use
    /// [`Tls::failure`](crate::Tls::failure) instead: it knows the user's names for the TLS
    /// settings.
    #[must_use]
    pub fn classify(step: OpenStep, error: &io::Error) -> Self {
        Self::of(step, error, ROOTS)
    }

    /// The same, with `roots` as the name of the setting for trusted certificates.
    pub(crate) fn of(step: OpenStep, error: &io::Error, roots: &str) -> Self {
        use io::ErrorKind as Kind;
        // In TLS 1.3 the server checks the client's certificate after the handshake.
        let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        let step = if is_tls { OpenStep::Tls } else { step };
        let class = match (step, error.kind()) {
            (OpenStep::Tls, _) if names_certificate(error) => OpenError::Certificate,
            (OpenStep::Resolve, _) => OpenError::Dns,
            (_, Kind::ConnectionRefused) => OpenError::Refused,
            (_, Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown) => {
                OpenError::Unreachable
            }
            (OpenStep::Connect, _) => OpenError::Io,
            (OpenStep::Tls, _) => OpenError::Tls,
            (OpenStep::Upgrade, Kind::UnexpectedEof) => OpenError::NotHttp,
            (OpenStep::Upgrade, _) => OpenError::Io,
        };
        let words = if step == OpenStep::Tls { in_words(error, roots) } else { None };
        Self::new(class, words.unwrap_or_else(|| chain(error)))
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for OpenFailure {}

/// Whether rustls reports the peer's certificate as the cause.
fn names_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

/// Formats an error and its sources on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind as Kind;

    #[test]
    fn every_step_and_error_has_its_class() {
        for (step, kind, expected) in [
            (OpenStep::Resolve, Kind::Other, OpenError::Dns),
            (OpenStep::Resolve, Kind::NotFound, OpenError::Dns),
            (OpenStep::Connect, Kind::ConnectionRefused, OpenError::Refused),
            (OpenStep::Connect, Kind::NetworkUnreachable, OpenError::Unreachable),
            (OpenStep::Connect, Kind::HostUnreachable, OpenError::Unreachable),
            (OpenStep::Connect, Kind::TimedOut, OpenError::Io),
            (OpenStep::Tls, Kind::InvalidData, OpenError::Tls),
            (OpenStep::Tls, Kind::UnexpectedEof, OpenError::Tls),
            (OpenStep::Upgrade, Kind::UnexpectedEof, OpenError::NotHttp),
            (OpenStep::Upgrade, Kind::ConnectionReset, OpenError::Io),
        ] {
            let failure = OpenFailure::classify(step, &io::Error::from(kind));
            assert_eq!(failure.error(), expected, "{step:?} {kind:?}");
        }
    }

    #[test]
    fn what_the_server_says_of_tls_behind_the_handshake_is_told_in_words() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let error = io::Error::new(Kind::InvalidData, alert);
        let failure = OpenFailure::classify(OpenStep::Upgrade, &error);
        assert_eq!(failure.error(), OpenError::Tls);
        assert_eq!(
            failure.detail(),
            "the server requires a client certificate; give this client one"
        );
    }

    #[test]
    fn a_certificate_that_rustls_refuses_is_a_class_of_its_own() {
        for (error, expected) in [
            (rustls::Error::NoCertificatesPresented, OpenError::Certificate),
            (rustls::CertificateError::Expired.into(), OpenError::Certificate),
            (rustls::Error::DecryptError, OpenError::Tls),
        ] {
            let error = io::Error::new(Kind::InvalidData, error);
            assert_eq!(OpenFailure::classify(OpenStep::Tls, &error).error(), expected, "{error}");
        }
    }
}
