//! The client's own certificate.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use gateway_core::ConfigError;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, Error, InconsistentKeys, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::files::{Named, OfFiles};
use super::given::without_certificate;
use super::wrong;

/// The setting of the certificate.
pub(super) const CERT: &str = "tls.cert";

/// The setting of its key.
pub(super) const KEY: &str = "tls.key";

/// A client's certificate with its key, and the TLS configuration that presents it.
pub(super) struct Identity {
    source: Source,
    kept: Mutex<Option<Kept>>,
}

enum Source {
    Given(Arc<CertifiedKey>),
    Files(OfFiles<CertifiedKey>),
}

/// A configuration, and the parts that it was made from.
struct Kept {
    base: Arc<ClientConfig>,
    key: Arc<CertifiedKey>,
    config: Arc<ClientConfig>,
}

impl Kept {
    fn config(
        &self,
        base: &Arc<ClientConfig>,
        key: &Arc<CertifiedKey>,
    ) -> Option<Arc<ClientConfig>> {
        let is_of_these = Arc::ptr_eq(&self.base, base) && Arc::ptr_eq(&self.key, key);
        is_of_these.then(|| Arc::clone(&self.config))
    }
}

impl Identity {
    pub(super) fn of_pem(cert: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self::of(Source::Given(Arc::new(certified(cert, key)?))))
    }

    pub(super) fn of_files(cert: Named, key: Named) -> Result<Self, ConfigError> {
        let files = OfFiles::read(vec![cert, key], |contents| {
            let [cert, key] = contents else { unreachable!("there are two files") };
            certified(cert, key)
        })?;
        Ok(Self::of(Source::Files(files)))
    }

    const fn of(source: Source) -> Self {
        Self { source, kept: Mutex::new(None) }
    }

    /// Returns `base` with this certificate added. This blocks while files are read.
    pub(super) fn config(&self, base: Arc<ClientConfig>) -> Arc<ClientConfig> {
        let key = match &self.source {
            Source::Given(key) => Arc::clone(key),
            Source::Files(files) => files.current(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = kept.as_ref().and_then(|kept| kept.config(&base, &key)) {
            return config;
        }
        let mut config = ClientConfig::clone(&base);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&key)));
        // A session belongs to the certificate that started it.
        config.resumption = Resumption::default();
        let config = Arc::new(config);
        *kept = Some(Kept { base, key, config: Arc::clone(&config) });
        config
    }

    /// The same, if that does not block.
    pub(super) fn try_config(&self, base: &Arc<ClientConfig>) -> Option<Arc<ClientConfig>> {
        let key = match &self.source {
            Source::Given(key) => Arc::clone(key),
            Source::Files(files) => files.without_reading()?,
        };
        let kept = match self.kept.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        kept.as_ref()?.config(base, &key)
    }
}

/// Presents no certificate.
#[derive(Debug)]
pub(super) struct NoIdentity;

impl ResolvesClientCert for NoIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Parses a certificate with its intermediates, and its key. No error shows any part of the key.
fn certified(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, ConfigError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let chain = chain.map_err(|error| wrong(CERT, format!("must be PEM: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(CERT, without_certificate(cert).to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| wrong(KEY, without_key(key).to_owned()))
        .and_then(|der| {
            let loaded = ring::default_provider().key_provider.load_private_key(der);
            loaded.map_err(|_| {
                let limit = "must be an RSA key of 2048 bits or more, an EC key on P-256 or P-384, or Ed25519";
                wrong(KEY, limit.to_owned())
            })
        })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        // webpki cannot read every certificate, such as one of version 1. Then the server decides.
        Err(Error::InconsistentKeys(InconsistentKeys::Unknown))
        | Err(Error::InvalidCertificate(CertificateError::Other(_))) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(wrong(
            KEY,
            "must be the key of the certificate in tls.cert, but belongs to another".to_owned(),
        )),
        Err(_) => Err(wrong(CERT, "must contain a certificate that can be read".to_owned())),
    }
}

/// The error text for a PEM text from which no key can be read.
fn without_key(pem: &[u8]) -> &'static str {
    let holds = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
    match pem {
        [] => "must contain a private key, but is empty",
        _ if holds(b"ENCRYPTED") => {
            "must contain a private key without a passphrase: decrypt it with `openssl pkey`"
        }
        _ if holds(b"PRIVATE KEY-----") => {
            "must contain a private key in PEM, but the PEM is damaged"
        }
        _ if holds(b"CERTIFICATE-----") => "must contain a private key, but holds a certificate",
        _ => "must contain a private key in PEM",
    }
}
