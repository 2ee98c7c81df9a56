//! Certificates that the user gives. The client accepts each of them, and also every certificate
//! that a CA among them has issued.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::validity::{Validity, signed_by_none};

/// Accepts the given certificates, and those that the CAs among them have issued.
#[derive(Debug)]
pub(super) struct GivenVerifier {
    given: Vec<CertificateDer<'static>>,
    /// The certificates that may issue others.
    authorities: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl GivenVerifier {
    /// # Errors
    /// A requirement that the text does not meet.
    pub(super) fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let mut given = Vec::new();
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("must be PEM: {error}"))?;
            if is_authority(&certificate) {
                authorities
                    .add(certificate.clone())
                    .map_err(|_| "must contain certificates that can be read")?;
            }
            given.push(certificate);
        }
        if given.is_empty() {
            return Err(without_certificate(pem).to_owned());
        }
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Ok(Self { given, authorities, algorithms })
    }
}

/// The error text for a PEM text without a certificate.
pub(super) fn without_certificate(pem: &[u8]) -> &'static str {
    let holds = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
    match pem {
        [] => "must contain a certificate, but is empty",
        _ if holds(b"PRIVATE KEY-----") => "must contain a certificate, but holds a private key",
        [0x30, 0x80..=0xff, ..] => {
            "must be PEM, but looks like DER: convert it with `openssl x509`"
        }
        _ => "must contain at least one certificate in PEM",
    }
}

/// Whether a certificate may issue others. A certificate that is no CA may not: its key must not
/// sign for other names.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    // A certificate of version 1 cannot say whether it is a CA. webpki reads it only as a root.
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return true };
    let Some(validity) = Validity::of(&parsed) else { return true };
    match signed_by_none(&parsed, validity.from) {
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(error)))) => {
            matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

impl ServerCertVerifier for GivenVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        if self.given.iter().any(|given| given == certificate) {
            // webpki refuses a CA certificate here, but the user has given exactly this
            // certificate.
            Validity::of(&parsed).ok_or(CertificateError::BadEncoding)?.check(now)?;
        } else {
            let (authorities, algorithms) = (&self.authorities, self.algorithms.all);
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                authorities,
                intermediates,
                now,
                algorithms,
            )?;
        }
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
