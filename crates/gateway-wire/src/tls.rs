//! TLS with rustls: which server certificates are accepted (the platform's, given ones, or all),
//! and the client's own certificate.

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

use gateway_core::{ConfigError, OpenError};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;

use self::files::{Named, OfFiles};
use self::given::GivenVerifier;
use self::identity::{Identity, NoIdentity};
use self::insecure::AcceptAny;
use self::validity::Dated;
pub(crate) use self::words::{in_words, of_proxy};
use crate::endpoint::Endpoint;
use crate::open_failure::{OpenFailure, OpenStep};

/// The default name, in error texts, of the setting for trusted certificates.
pub(crate) const ROOTS: &str = "Tls::pem_file";

/// The same for a proxy's certificates.
const PROXY_ROOTS: &str = "Proxy::tls";

/// TLS settings: which certificates a `wss://` server may present, and which one the client
/// presents.
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
    /// The name of the setting for trusted certificates in error texts.
    setting: &'static str,
    /// Whether these are a server's settings, and the peer is the proxy before it.
    is_for_proxy: bool,
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
        Self { trust, identity: None, setting: ROOTS, is_for_proxy: false }
    }

    /// Accepts the certificates that the platform's trust store trusts. This is the default.
    ///
    /// All clients of a process share one TLS configuration and its resumable sessions. If a
    /// handshake finds the configuration older than 24 hours (time asleep counts), the
    /// configuration is built again. So a client that runs for months notices changes of the trust
    /// store. If the trust store cannot be read then, the client logs a warning, and uses the old
    /// configuration for another hour.
    ///
    /// # Errors
    /// The platform's trust store cannot be read.
    pub fn platform() -> Result<Self, ConfigError> {
        platform::config()?;
        Ok(Self::of(Trust::Platform))
    }

    /// The same, but the trust store is read only when it is first needed. Then an attempt fails if it
    /// cannot be read.
    pub(crate) const fn platform_later() -> Self {
        Self::of(Trust::Platform)
    }

    /// Accepts only the certificates in this PEM file, and those that a CA among them has issued.
    ///
    /// If the server presents a certificate that is in the file, the client accepts it, even if it
    /// is self-signed. The client still checks its name, its dates and the handshake's signature.
    /// For a certificate in the file that is not a CA, the client accepts that one certificate, and
    /// no certificate issued by it.
    ///
    /// The client reads the file again before each attempt. If its content has changed, the new
    /// content applies to that attempt, and no older session is resumed. The client
    /// keeps the old certificates if the file is missing, larger than 16 MiB, or without a
    /// certificate. It then logs a warning with the path. A pipe, or anything else that is not a
    /// regular file, is read only once.
    ///
    /// # Errors
    /// The file cannot be read, or contains no certificate.
    pub fn pem_file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let file = Named { field: CA_CERT, path: path.into() };
        let files = OfFiles::read(vec![file], |contents| given(&contents.concat()))?;
        Ok(Self::of(Trust::File(Arc::new(files))))
    }

    /// Accepts only the certificates in this PEM text, and those that a CA among them has issued.
    /// The rules are those of [`pem_file`](Self::pem_file).
    ///
    /// # Errors
    /// The text contains no certificate, or one that cannot be read.
    pub fn pem(pem: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self::of(Trust::Given(Arc::new(given(pem)?))))
    }

    /// Accepts any certificate, even one of version 1, with a short key, or expired. An attacker on
    /// the path can read and change everything. Use this only for tests. The driver logs a warning
    /// on each attempt.
    ///
    /// # Errors
    /// rustls cannot be set up.
    pub fn insecure() -> Result<Self, ConfigError> {
        Ok(Self::of(Trust::Anyone(Arc::new(config(Arc::new(AcceptAny))?))))
    }

    /// Uses your own rustls configuration, for example one with another crypto provider.
    #[must_use]
    pub const fn custom(config: Arc<ClientConfig>) -> Self {
        Self::of(Trust::Given(config))
    }

    /// Presents this certificate to a server that asks for one. `cert` is PEM text with the
    /// client's certificate first, then any intermediate certificates. `key` is PEM text with its
    /// private key. Both may be the same text.
    ///
    /// # Errors
    /// A text contains no certificate or no key. The key has a passphrase, or an unsupported type,
    /// or does not belong to the certificate.
    pub fn with_client_certificate(self, cert: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Ok(self.with_identity(Identity::of_pem(cert, key)?))
    }

    /// Presents a certificate from PEM files; see
    /// [`with_client_certificate`](Self::with_client_certificate). The client reads the files again
    /// before each attempt, as for [`pem_file`](Self::pem_file).
    ///
    /// # Errors
    /// A file cannot be read, or an error of
    /// [`with_client_certificate`](Self::with_client_certificate) applies.
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
        let _ = tls.config(); // `try_config` returns this one from now on
        tls
    }

    /// Sets the name that error texts use for the setting of trusted certificates. The default is
    /// `Tls::pem_file`; a program may use the name of its own flag.
    #[must_use]
    pub fn with_setting_name(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }

    /// Returns rustls's configuration for the next handshake. Call this again for each handshake.
    ///
    /// This blocks while it reads files or the platform's trust store. The trust store is read at
    /// most once in 24 hours, or once an hour after a failure. A driver that may not block calls
    /// [`try_config`](Self::try_config) first.
    ///
    /// # Errors
    /// The platform's trust store cannot be read, and never was before in this process.
    pub fn config(&self) -> Result<Arc<ClientConfig>, OpenFailure> {
        let config = match &self.trust {
            Trust::Platform => platform::config()
                .map_err(|error| OpenFailure::new(OpenError::Tls, error.to_string()))?,
            Trust::Given(config) | Trust::Anyone(config) => Arc::clone(config),
            Trust::File(file) => file.current(),
        };
        let config = self.of_peer(config);
        Ok(match &self.identity {
            Some(identity) => identity.config(config),
            None => config,
        })
    }

    /// Returns the same as [`config`](Self::config), but only if that does not block. If this
    /// returns `None`, call `config` on a thread that may block.
    #[must_use]
    pub fn try_config(&self) -> Option<Arc<ClientConfig>> {
        let config = match &self.trust {
            Trust::Platform => platform::try_config()?,
            Trust::Given(config) | Trust::Anyone(config) => Arc::clone(config),
            Trust::File(file) => file.without_reading()?,
        };
        let config = self.of_peer(config);
        match &self.identity {
            Some(identity) => identity.try_config(&config),
            None => Some(config),
        }
    }

    /// Returns the settings for this endpoint: without the client certificate if the endpoint [is
    /// foreign](Endpoint::is_foreign).
    #[must_use]
    pub fn for_endpoint(&self, endpoint: &Endpoint) -> Self {
        let identity = self.identity.clone().filter(|_| !endpoint.is_foreign());
        Self { identity, ..self.clone() }
    }

    pub(crate) const fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Returns these settings for an `https://` proxy: the same trust. The client certificate and the
    /// application protocols (ALPN) of a [`custom`](Self::custom) configuration are for the server.
    pub(crate) fn for_proxy(&self) -> Self {
        Self { identity: None, is_for_proxy: true, ..self.clone() }.of_proxy_setting()
    }

    /// Has error texts name the setting for a proxy's certificates, unless they have another name.
    pub(crate) fn of_proxy_setting(self) -> Self {
        let setting = if self.setting == ROOTS { PROXY_ROOTS } else { self.setting };
        Self { setting, ..self }
    }

    fn of_peer(&self, config: Arc<ClientConfig>) -> Arc<ClientConfig> {
        let is_of_server =
            config.client_auth_cert_resolver.has_certs() || !config.alpn_protocols.is_empty();
        if !(self.is_for_proxy && is_of_server) {
            return config;
        }
        let mut own = ClientConfig::clone(&config);
        own.client_auth_cert_resolver = Arc::new(NoIdentity);
        own.alpn_protocols.clear();
        Arc::new(own)
    }

    /// Classifies an error of a TLS handshake, and adds a text that says what to do.
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

/// A configuration with this verifier, and its own sessions to resume.
fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", format!("cannot be set up: {error}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn wrong(field: &str, limit: String) -> ConfigError {
    ConfigError::new(field, "", limit)
}
