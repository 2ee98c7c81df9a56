//! Certificates that a test makes, and servers that show them.

use std::sync::Arc;

use gateway_tokio::Tls;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ALL_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
#[allow(missing_debug_implementations, reason = "keys")]
#[allow(clippy::exhaustive_structs, reason = "tests take both")]
pub struct Made {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: KeyPair,
}

/// A certificate authority, and a server with a certificate of it.
#[allow(missing_debug_implementations, reason = "keys")]
pub struct Certificates {
    ca: Made,
    acceptor: TlsAcceptor,
}

/// The content of a certificate for `localhost` and 127.0.0.1.
///
/// # Panics
/// Never: these are names.
#[must_use]
pub fn params(is_ca: bool, name: &str) -> CertificateParams {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

impl Made {
    /// A self-signed one for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn new(is_ca: bool) -> Self {
        Self::with(is_ca, |_| {})
    }

    /// The same with a change.
    #[must_use]
    pub fn with(is_ca: bool, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = params(is_ca, "a test");
        change(&mut params);
        Self::signed(&params, key())
    }

    /// A self-signed one with this content and key.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn signed(params: &CertificateParams, key: KeyPair) -> Self {
        Self { certificate: params.self_signed(&key).expect("a certificate"), key }
    }

    /// A server's certificate, issued by this CA, with a change.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (ca, mut leaf, key) = (params(true, "a test"), params(false, "a leaf"), key());
        change(&mut leaf);
        let issuer = Issuer::from_params(&ca, &self.key);
        Self { certificate: leaf.signed_by(&key, &issuer).expect("a certificate"), key }
    }

    /// A client that trusts this one, and no other.
    ///
    /// # Panics
    /// Never: the certificate is one.
    #[must_use]
    pub fn tls(&self) -> Tls {
        Tls::pem(self.certificate.pem().as_bytes()).expect("a certificate")
    }

    /// A server that shows this one, and may require one that `clients` has issued.
    #[must_use]
    pub fn acceptor(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Self>,
    ) -> TlsAcceptor {
        showing(self.certificate.der(), &self.key, versions, clients)
    }
}

impl Certificates {
    /// For a server of this name.
    ///
    /// # Panics
    /// It is no name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let ca = Made::new(true);
        let name = SanType::DnsName(name.try_into().expect("a name"));
        let server = ca.leaf(|params| params.subject_alt_names = vec![name]);
        Self { ca, acceptor: server.acceptor(ALL_VERSIONS, None) }
    }

    /// The server's side.
    #[must_use]
    pub const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// A client that trusts this authority, and no other.
    #[must_use]
    pub fn trusted(&self) -> Tls {
        self.ca.tls()
    }
}

/// A server that shows this certificate, whether its key fits or not.
///
/// # Panics
/// The key or the CA of the clients cannot be used.
#[must_use]
pub fn showing(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&Made>,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.certificate.der().clone()).expect("a root");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider.key_provider.load_private_key(key).expect("a key");
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate.clone()], key));
    TlsAcceptor::from(Arc::new(builder.with_cert_resolver(Arc::new(shown))))
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
