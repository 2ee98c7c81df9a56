//! Texts for TLS errors, which say what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

use super::validity::{OutOfDate, date};
use crate::escape::escaped;

/// The most names of a certificate that an error lists. A certificate may have hundreds.
const NAMES: usize = 8;

/// The text of a failed handshake; `None` if the failure is not TLS's. `roots` names the setting
/// for trusted certificates.
pub(crate) fn in_words(error: &io::Error, roots: &str) -> Option<String> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(error) => Some(escaped(&of_rustls(error, roots))), // the peer chooses the names
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Some("the server closed the connection during the TLS handshake".to_owned())
        }
        None => None,
    }
}

/// The same text for a proxy. [`in_words`] says "the server" for the peer.
pub(crate) fn of_proxy(text: &str) -> String {
    text.replace("the server", "the proxy").replace("wss://", "https://")
}

fn of_rustls(error: &Error, roots: &str) -> String {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error, roots),
        Error::NoCertificatesPresented => "the server presents no certificate".to_owned(),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) => {
            "the server's answer is not TLS: check the port, and whether the server expects \
             wss:// there"
                .to_owned()
        }
        Error::PeerIncompatible(why) => of_incompatible(why),
        Error::PeerMisbehaved(why) => format!("the server violates the TLS protocol ({why:?})"),
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn of_certificate(error: &CertificateError, roots: &str) -> String {
    use CertificateError as Wrong;
    match error {
        Wrong::Other(OtherError(error)) => of_other(error.as_ref(), roots),
        Wrong::ExpiredContext { time, not_after } => format!(
            "a certificate between the server's and its CA expired on {}, and this machine's \
             clock shows {}; check the server's certificates and this machine's clock",
            date(*not_after),
            date(*time)
        ),
        Wrong::NotValidYetContext { time, not_before } => format!(
            "a certificate between the server's and its CA is not valid before {}, and this \
             machine's clock shows {}; check the server's certificates and this machine's clock",
            date(*not_before),
            date(*time)
        ),
        Wrong::Expired | Wrong::NotValidYet => {
            "the server's certificate has expired or is not valid yet; check the server's \
             certificate and this machine's clock"
                .to_owned()
        }
        Wrong::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let names = listed(presented);
            format!(
                "the server's certificate is not for {expected}, {names}; connect by a name that \
                 it has, or give the server a certificate for {expected}"
            )
        }
        Wrong::NotValidForName => {
            "the server's certificate is for another name; connect by a name that it has".to_owned()
        }
        Wrong::UnknownIssuer => format!(
            "the issuer of the server's certificate is not trusted; give its CA or the \
             certificate itself with {roots}"
        ),
        Wrong::BadSignature | Wrong::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            format!(
                "the server's certificate is not signed by the key of the trusted CA of that \
                 name, or the handshake is not signed by the certificate's key, or an RSA key is \
                 shorter than 2048 bits; if the CA or the certificate is new, give it with {roots}"
            )
        }
        Wrong::UnsupportedSignatureAlgorithmContext { .. } => {
            "the server's certificate is signed with an algorithm that is not supported, such as \
             SHA-1; give the server a certificate with SHA-256"
                .to_owned()
        }
        Wrong::Revoked => "the server's certificate has been revoked; replace it".to_owned(),
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers; give the server one whose extended key \
             usage has serverAuth"
                .to_owned()
        }
        Wrong::BadEncoding => "the server's certificate cannot be read; replace it".to_owned(),
        Wrong::UnhandledCriticalExtension => {
            "the server's certificate has a critical extension that is not supported; give the \
             server another"
                .to_owned()
        }
        other => format!("the server's certificate is refused ({other})"),
    }
}

/// A verifier's own error, or an error of webpki that rustls has no name for.
fn of_other(error: &(dyn std::error::Error + Send + Sync + 'static), roots: &str) -> String {
    if let Some(out_of_date) = error.downcast_ref::<OutOfDate>() {
        return out_of_date.to_string();
    }
    match error.downcast_ref() {
        Some(webpki::Error::CaUsedAsEndEntity) => format!(
            "the server presents a CA certificate, such as a self-signed one, that is not \
             trusted itself; give this very certificate with {roots}"
        ),
        Some(webpki::Error::UnsupportedCertVersion) => {
            "the server's certificate is of X.509 version 1, which has no names that could be \
             checked; give the server one of version 3"
                .to_owned()
        }
        _ => match error.source() {
            Some(source) => format!("the server's certificate is refused ({error}: {source})"),
            None => format!("the server's certificate is refused ({error})"),
        },
    }
}

/// Lists the names of a certificate from webpki's format: `DnsName("a.example")`,
/// `IpAddress(127.0.0.1)`.
fn listed(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, name)| name.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    let mut names: Vec<String> = presented.iter().take(NAMES).map(bare).collect();
    if names.is_empty() {
        return "it has no names (subjectAltName)".to_owned();
    }
    if presented.len() > NAMES {
        names.push(format!("{} more", presented.len() - NAMES));
    }
    format!("but for {}", names.join(", "))
}

fn of_alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            "the server requires a client certificate; give this client one".to_owned()
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        | Alert::DecryptError => format!(
            "the server refuses the client's certificate (alert {alert:?}); give this client one \
             that the server trusts"
        ),
        Alert::HandshakeFailure => {
            "the server refuses the TLS handshake (alert HandshakeFailure): it may require a \
             client certificate, or supports no cipher of this client"
                .to_owned()
        }
        Alert::ProtocolVersion => {
            "the server supports neither TLS 1.2 nor 1.3; enable one of them there".to_owned()
        }
        Alert::UnrecognisedName => {
            "the server does not know the host's name; check the URL".to_owned()
        }
        other => format!("the server ended TLS with the alert {other:?}"),
    }
}

fn of_incompatible(why: &PeerIncompatible) -> String {
    format!(
        "the server and this client have no version, cipher or signature of TLS in common \
         ({why:?}); this client has TLS 1.2 and 1.3"
    )
}
