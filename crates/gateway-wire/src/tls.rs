//! TLS by rustls: the platform's trust store, a given CA, or, loudly, none.

mod clock;
mod platform;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gateway_core::ConfigError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Which certificates a `wss://` server may show.
///
/// ```
/// use gateway_wire::Tls;
/// let default = Tls::platform()?;
/// assert!(!default.is_insecure());
/// assert!(Tls::ca_pem(b"no certificate").is_err());
/// # Ok::<(), gateway_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Tls(Trust);

#[derive(Clone)]
enum Trust {
    Platform,
    Given(Arc<ClientConfig>),
    Anyone(Arc<ClientConfig>),
}

impl Tls {
    /// Those that the platform's trust store vouches for. The default.
    ///
    /// All clients of a process share one configuration, with the sessions that can be resumed. It is built again when a
    /// handshake finds it older than 24 hours, suspends included, so that a client that runs for months honours changes of
    /// the trust store. If the trust store cannot be read then, a warning is logged, and the old configuration is used for
    /// another hour.
    ///
    /// # Errors
    /// The platform's trust store cannot be read.
    pub fn platform() -> Result<Self, ConfigError> {
        platform::config()?;
        Ok(Self(Trust::Platform))
    }

    /// Those that a CA in this PEM file vouches for, and no others.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn ca_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let pem = std::fs::read(path).map_err(|error| {
            let limit = format!("must be a file that can be read: {error}");
            ConfigError::new("tls.ca_cert", path.display().to_string(), limit)
        })?;
        Self::ca_pem(&pem)
    }

    /// Those that a CA in this PEM text vouches for, and no others.
    ///
    /// # Errors
    /// The text holds no certificate, or one that cannot be read.
    pub fn ca_pem(pem: &[u8]) -> Result<Self, ConfigError> {
        let unreadable =
            |error: &dyn fmt::Display| wrong("tls.ca_cert", format!("must be PEM: {error}"));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() {
            return Err(wrong("tls.ca_cert", "must hold at least one certificate".to_owned()));
        }
        let config = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Trust::Given(Arc::new(config))))
    }

    /// Any certificate at all: whoever is on the way can read and change everything. For tests alone; the
    /// driver warns on each attempt.
    ///
    /// # Errors
    /// rustls cannot be set up.
    pub fn insecure() -> Result<Self, ConfigError> {
        let config = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAnyone(ring::default_provider())))
            .with_no_client_auth();
        Ok(Self(Trust::Anyone(Arc::new(config))))
    }

    /// Settings of rustls's own, for client certificates or another provider.
    #[must_use]
    pub const fn custom(config: Arc<ClientConfig>) -> Self {
        Self(Trust::Given(config))
    }

    /// rustls's settings, for the handshake that is about to begin. Ask again for the next one.
    ///
    /// This blocks while the platform's trust store is read: at most once in 24 hours, or once an hour after a failure. A driver
    /// that may not block asks [`try_config`](Self::try_config) first.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        match &self.0 {
            // Local invariant: this value was made only once there was one, and there always is from then on.
            Trust::Platform => platform::config().expect("a configuration that was built before"),
            Trust::Given(config) | Trust::Anyone(config) => Arc::clone(config),
        }
    }

    /// What [`config`](Self::config) returns, where that does not block. On `None`, call `config` on a thread that may block.
    #[must_use]
    pub fn try_config(&self) -> Option<Arc<ClientConfig>> {
        match &self.0 {
            Trust::Platform => platform::try_config(),
            Trust::Given(config) | Trust::Anyone(config) => Some(Arc::clone(config)),
        }
    }

    /// Whether certificates are not checked.
    #[must_use]
    pub const fn is_insecure(&self) -> bool {
        matches!(self.0, Trust::Anyone(_))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Trust::Platform => "Tls(platform)",
            Trust::Given(_) => "Tls(given)",
            Trust::Anyone(_) => "Tls(anyone)",
        })
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ConfigError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", format!("cannot be set up: {error}")))
}

fn wrong(field: &str, limit: String) -> ConfigError {
    ConfigError::new(field, "", limit)
}

/// Accepts every certificate. Signatures of the handshake are still checked.
#[derive(Debug)]
struct TrustAnyone(CryptoProvider);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
