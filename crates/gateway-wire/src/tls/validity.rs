//! The period in which a certificate is valid, and errors that show both of its dates.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use httpdate::HttpDate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The two dates of a certificate, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: UnixTime,
    pub(super) to: UnixTime,
}

impl Validity {
    /// webpki returns these dates only when it refuses a certificate because of them. So this
    /// verifies it at the end and at the beginning of time.
    pub(super) fn of(certificate: &ParsedCertificate<'_>) -> Option<Self> {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let refused = |now| signed_by_none(certificate, now).err();
        let Error::InvalidCertificate(CertificateError::ExpiredContext { not_after: to, .. }) =
            refused(at(u64::MAX))?
        else {
            return None;
        };
        let from = match refused(at(0))? {
            Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before, ..
            }) => not_before,
            _ => at(0), // it is valid from 1970 on
        };
        Some(Self { from, to })
    }

    /// # Errors
    /// [`OutOfDate`], inside rustls's error.
    pub(super) fn check(self, now: UnixTime) -> Result<(), Error> {
        if self.from <= now && now <= self.to {
            return Ok(());
        }
        let error = OtherError(Arc::new(OutOfDate { validity: self, now }));
        Err(CertificateError::Other(error).into())
    }
}

/// A certificate that has expired, or is not valid yet. rustls's own errors lack one of the two
/// dates.
#[derive(Debug)]
pub(super) struct OutOfDate {
    validity: Validity,
    now: UnixTime,
}

impl std::error::Error for OutOfDate {}

impl fmt::Display for OutOfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { validity: Validity { from, to }, now } = self;
        let (what, is) =
            if now < from { ("is not valid yet", "is") } else { ("has expired", "was") };
        write!(
            f,
            "the server's certificate {what}: it {is} valid from {} to {}, and this machine's \
             clock shows {}; check the server's certificate and this machine's clock",
            date(*from),
            date(*to),
            date(*now)
        )
    }
}

/// webpki's result for a server's certificate that no CA has signed. webpki reports other errors
/// first, and an unknown issuer last.
pub(super) fn signed_by_none(
    certificate: &ParsedCertificate<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let none = RootCertStore::empty();
    verify_server_cert_signed_by_trust_anchor(certificate, &none, &[], now, &[])
}

/// Formats a time as a date.
pub(super) fn date(time: UnixTime) -> String {
    const LAST: u64 = 253_402_300_799; // end of 9999, the last date of a certificate
    let since = Duration::from_secs(time.as_secs().min(LAST));
    HttpDate::from(SystemTime::UNIX_EPOCH + since).to_string()
}

/// Wraps a verifier. If that refuses a certificate because of a date, the error shows both dates.
#[derive(Debug)]
pub(super) struct Dated<V>(pub(super) V);

impl<V: ServerCertVerifier> ServerCertVerifier for Dated<V> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(certificate, intermediates, name, ocsp, now);
        verified.map_err(|error| dated(certificate, now).unwrap_or(error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The error for the dates of a certificate that was refused, if they are wrong.
fn dated(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<Error> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Validity::of(&parsed)?.check(now).err()
}
