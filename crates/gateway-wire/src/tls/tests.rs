//! TLS handshakes in memory: which certificates are accepted, what the client presents to the
//! server, and the texts of refusals.

mod accepted;
mod identity;
mod reread;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::server::ServerConnection;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};

use super::Tls;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate with its key.
struct Made {
    certificate: Certificate,
    key: KeyPair,
}

impl Made {
    fn tls(&self) -> Tls {
        Tls::pem(self.certificate.pem().as_bytes()).unwrap()
    }

    fn server(&self) -> Server {
        Server { certificate: self.certificate.der().clone(), key: self.key.serialize_der() }
    }
}

/// The default certificate of a test: for `localhost`, 127.0.0.1 and ::1, from 1975 to 4096.
fn params(is_ca: bool) -> CertificateParams {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a test");
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn self_signed(is_ca: bool, change: impl FnOnce(&mut CertificateParams)) -> Made {
    let mut params = params(is_ca);
    change(&mut params);
    let key = key();
    Made { certificate: params.self_signed(&key).unwrap(), key }
}

/// A server's certificate, issued by the key of another self-signed one.
fn issued_by(issuer: &Made, is_ca: bool) -> Made {
    let issuer_params = params(is_ca);
    let issuer = Issuer::from_params(&issuer_params, &issuer.key);
    let mut params = params(false);
    params.distinguished_name.push(DnType::CommonName, "a leaf");
    let key = key();
    Made { certificate: params.signed_by(&key, &issuer).unwrap(), key }
}

/// The certificates that a server presents, and the key that it signs with.
struct Server {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Server {
    fn config(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let key = ring::default_provider().key_provider.load_private_key(key).unwrap();
        let shown = CertifiedKey::new(vec![self.certificate.clone()], key);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        Arc::new(config)
    }
}

/// A handshake that succeeded.
struct Shaken {
    kind: HandshakeKind,
    client_certificate: Option<CertificateDer<'static>>,
}

/// Returns the client's failure, even if it comes from the server's answer after the handshake.
fn shake_hands(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: &str,
) -> io::Result<Shaken> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    client.writer().write_all(b"hello").unwrap();
    loop {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut to_server)?;
        }
        let mut bytes = to_server.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes)?;
            let _ = server.process_new_packets(); // the client gets an alert
        }
        while server.wants_write() {
            server.write_tls(&mut to_client)?;
        }
        let is_over = to_server.is_empty() && to_client.is_empty();
        let mut bytes = to_client.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes)?;
            let moved = client.process_new_packets();
            moved.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
        if is_over {
            break;
        }
    }
    let mut received = [0; 5];
    server.reader().read_exact(&mut received)?;
    assert_eq!(&received, b"hello");
    Ok(Shaken {
        kind: client.handshake_kind().unwrap(),
        client_certificate: server.peer_certificates().map(|chain| chain[0].clone().into_owned()),
    })
}

/// Shakes hands by the given name with both versions of TLS. Both must give the same result, and
/// the same text if refused.
fn by_name(tls: &Tls, server: &Server, name: &str) -> Result<(), String> {
    let outcome = |version| match shake_hands(tls.config().unwrap(), server.config(version), name) {
        Ok(_) => Ok(()),
        Err(error) => Err(tls.failure(&error).detail().to_owned()),
    };
    let [first, second] = VERSIONS.map(outcome);
    // The seconds of a clock may differ.
    assert_eq!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
    if let Err(words) = &first {
        for riddle in ["Other(", "Error", " { ", "--"] {
            assert!(!words.contains(riddle), "{words}");
        }
    }
    first
}

fn localhost(tls: &Tls, server: &Server) -> Result<(), String> {
    by_name(tls, server, "localhost")
}

#[track_caller]
fn assert_words(outcome: Result<(), String>, expected: &[&str]) {
    let words = outcome.expect_err("it is accepted");
    for expected in expected {
        assert!(words.contains(expected), "no {expected:?} in {words:?}");
    }
}
