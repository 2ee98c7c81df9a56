//! TLS by rustls: the platform's trust store, given certificates, or, loudly, none; and the client's own
//! certificate.

mod clock;
mod files;
mod given;
mod identity;
mod insecure;
mod platform;
#[cfg(test)]
mod tests;
mod validity;
mod words;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use gateway_core::ConfigError;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;

use self::files::{Named, OfFiles};
use self::given::GivenVerifier;
use self::identity::Identity;
use self::insecure::AcceptAny;
use self::validity::Dated;
pub(crate) use self::words::in_words;
use crate::open_failure::{OpenFailure, OpenStep};

/// What error words call the setting for trusted certificates, unless a program has another name for it.
pub(crate) const ROOTS: &str = "Tls::pem_file";

/// Which certificates a `wss://` server may show, and which one the client shows.
///
/// ```
/// use gateway_wire::Tls;
/// let default = Tls::platform()?;
/// assert!(!default.is_insecure());
/// assert!(Tls::pem(b"no certificate").is_err());
/// # Ok::<(), gateway_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    trust: Trust,
    identity: Option<Arc<Identity>>,
    /// What error words call the setting for trusted certificates.
    setting: &'static str,
}

#[derive(Clone)]
enum Trust {
    Platform,
    Given(Arc<ClientConfig>),
    File(Arc<OfFiles<ClientConfig>>),
    Anyone(Arc<ClientConfig>),
}

/// The setting of trusted certificates.
const CA_CERT: &str = "tls.ca_cert";

impl Tls {
    const fn of(trust: Trust) -> Self {
        Self { trust, identity: None, setting: ROOTS }
    }

    /// Those that the platform's trust store vouches for. The default.
    ///
    /// All clients of a process share one configuration, with the sessions that can be resumed. It
    /// is built again when a handshake finds it older than 24 hours, suspends included, so that a
    /// client that runs for months honours changes of the trust store. If the trust store cannot be
    /// read then, a warning is logged, and the old configuration is used for another hour.
    ///
    /// # Errors
    /// The platform's trust store cannot be read.
    pub fn platform() -> Result<Self, ConfigError> {
        platform::config()?;
        Ok(Self::of(Trust::Platform))
    }

    /// Those in this PEM file, those that a CA among them vouches for, and no others.
    ///
    /// A self-signed certificate of a server is accepted for exactly itself: its name, its dates and the
    /// handshake's signature are checked. So is any other certificate of the file. Only a CA vouches for
    /// others.
    ///
    /// The file is read again before each attempt. If its content has changed, the new content counts for
    /// that attempt, and no older session is resumed. If the file is gone, is larger than 16 MiB or holds no
    /// certificate, a warning with its path is logged, and the old certificates stay in force. A pipe, or
    /// anything else that is not a regular file, is read only once.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn pem_file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let file = Named { field: CA_CERT, path: path.into() };
        let files = OfFiles::read(vec![file], |contents| given(&contents.concat()))?;
        Ok(Self::of(Trust::File(Arc::new(files))))
    }

    /// Those in this PEM text, those that a CA among them vouches for, and no others; as for
    /// [`pem_file`](Self::pem_file).
    ///
    /// # Errors
    /// The text holds no certificate, or one that cannot be read.
    pub fn pem(pem: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self::of(Trust::Given(Arc::new(given(pem)?))))
    }

    /// Any certificate, also one of version 1, with a short key, or expired. An attacker on the
    /// path can read and change everything. Use it for tests alone; the driver warns on each
    /// attempt.
    ///
    /// # Errors
    /// rustls cannot be set up.
    pub fn insecure() -> Result<Self, ConfigError> {
        Ok(Self::of(Trust::Anyone(Arc::new(config(Arc::new(AcceptAny))?))))
    }

    /// Settings of rustls's own, for another provider for example.
    #[must_use]
    pub const fn custom(config: Arc<ClientConfig>) -> Self {
        Self::of(Trust::Given(config))
    }

    /// Shows this certificate to a server that asks for one. `cert` is PEM text with the client's certificate
    /// first and then those between it and its CA; `key` is PEM text with its private key. Both may be the
    /// same text.
    ///
    /// # Errors
    /// A text holds no certificate or no key, the key has a passphrase or a kind that is not supported, or it
    /// does not fit the certificate.
    pub fn with_client_certificate(self, cert: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Ok(self.with_identity(Identity::of_pem(cert, key)?))
    }

    /// The same from PEM files. They are read again before each attempt, like the file of
    /// [`pem_file`](Self::pem_file).
    ///
    /// # Errors
    /// A file cannot be read, or those of [`with_client_certificate`](Self::with_client_certificate).
    pub fn with_client_certificate_files(
        self,
        cert: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let cert = Named { field: identity::CERT, path: cert.into() };
        let key = Named { field: identity::KEY, path: key.into() };
        Ok(self.with_identity(Identity::of_files(cert, key)?))
    }

    fn with_identity(self, identity: Identity) -> Self {
        let tls = Self { identity: Some(Arc::new(identity)), ..self };
        let _ = tls.config(); // from now on there is one that `try_config` returns
        tls
    }

    /// Calls the setting for trusted certificates by this name where an error says to use it. By default it
    /// is `Tls::pem_file`; a program may give the name of its own flag.
    #[must_use]
    pub fn with_setting_name(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }

    /// rustls's settings, for the handshake that is about to begin. Ask again for the next one.
    ///
    /// This blocks while files are read, and while the platform's trust store is read: at most once in 24
    /// hours, or once an hour after a failure. A driver that may not block asks
    /// [`try_config`](Self::try_config) first.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        let config = match &self.trust {
            // Local invariant: this value was made only once there was one, and there always is from then on.
            Trust::Platform => platform::config().expect("a configuration that was built before"),
            Trust::Given(config) | Trust::Anyone(config) => Arc::clone(config),
            Trust::File(file) => file.current(),
        };
        match &self.identity {
            Some(identity) => identity.config(config),
            None => config,
        }
    }

    /// What [`config`](Self::config) returns, where that does not block. On `None`, call `config`
    /// on a thread that may block.
    #[must_use]
    pub fn try_config(&self) -> Option<Arc<ClientConfig>> {
        let config = match &self.trust {
            Trust::Platform => platform::try_config()?,
            Trust::Given(config) | Trust::Anyone(config) => Arc::clone(config),
            Trust::File(file) => file.without_reading()?,
        };
        match &self.identity {
            Some(identity) => identity.try_config(&config),
            None => Some(config),
        }
    }

    /// A handshake's error, classified and in words.
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> OpenFailure {
        OpenFailure::of(OpenStep::Tls, error, self.setting)
    }

    /// Whether certificates are not checked.
    #[must_use]
    pub const fn is_insecure(&self) -> bool {
        matches!(self.trust, Trust::Anyone(_))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trust = match self.trust {
            Trust::Platform => "platform",
            Trust::Given(_) => "given",
            Trust::File(_) => "file",
            Trust::Anyone(_) => "anyone",
        };
        let identity = if self.identity.is_some() { ", client certificate" } else { "" };
        write!(f, "Tls({trust}{identity})")
    }
}

/// A configuration that trusts the certificates of a PEM text.
fn given(pem: &[u8]) -> Result<ClientConfig, ConfigError> {
    let verifier = GivenVerifier::of_pem(pem).map_err(|limit| wrong(CA_CERT, limit))?;
    config(Arc::new(Dated(verifier)))
}

/// A configuration with this verifier, and sessions of its own to resume.
fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", format!("cannot be set up: {error}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn wrong(field: &str, limit: String) -> ConfigError {
    ConfigError::new(field, "", limit)
}
