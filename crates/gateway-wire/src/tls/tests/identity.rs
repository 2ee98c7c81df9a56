//! Which certificate the client presents.

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::reread::{TestFile, logged};
use super::*;

/// A server that requires certificates of this CA.
fn demanding(server: &Made, clients: &Made) -> [Arc<ServerConfig>; 2] {
    VERSIONS.map(|version| {
        let mut roots = RootCertStore::empty();
        roots.add(clients.certificate.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![server.certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    })
}

fn with(tls: Tls, client: &Made) -> Tls {
    let (cert, key) = (client.certificate.pem(), client.key.serialize_pem());
    tls.with_client_certificate(cert.as_bytes(), key.as_bytes()).unwrap()
}

fn shown(tls: &Tls, server: &Arc<ServerConfig>) -> Option<CertificateDer<'static>> {
    let shaken = shake_hands(tls.config().unwrap(), Arc::clone(server), "localhost");
    shaken.unwrap().client_certificate
}

#[test]
fn a_server_that_asks_is_shown_the_certificate_whatever_else_is_trusted() {
    let (server, ca) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    let client = issued_by(&ca, true);
    for tls in [server.tls(), Tls::insecure().unwrap(), Tls::custom(server.tls().config().unwrap())]
    {
        let tls = with(tls, &client);
        for server in demanding(&server, &ca) {
            assert_eq!(shown(&tls, &server).as_ref(), Some(client.certificate.der()));
        }
        assert!(Arc::ptr_eq(&tls.config().unwrap(), &tls.try_config().unwrap()));
    }
    let platform = with(Tls::platform().unwrap(), &client);
    assert!(Arc::ptr_eq(&platform.config().unwrap(), &platform.try_config().unwrap()));
    assert!(!Tls::platform().unwrap().config().unwrap().client_auth_cert_resolver.has_certs());
}

#[test]
fn what_the_server_says_of_the_clients_certificate_is_told_in_words() {
    let (server, ca) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    let stranger = issued_by(&server, true);
    for demanding in demanding(&server, &ca) {
        let words = |tls: &Tls| {
            let outcome = shake_hands(tls.config().unwrap(), Arc::clone(&demanding), "localhost");
            tls.failure(&outcome.err().unwrap()).detail().to_owned()
        };
        let without = words(&server.tls());
        assert!(without.contains("require"), "{without}");
        let with_another = words(&with(server.tls(), &stranger));
        assert!(with_another.contains("refuses the client's certificate"), "{with_another}");
    }
}

#[test]
fn files_that_have_changed_are_shown_at_the_next_handshake_and_no_session_is_resumed() {
    let (server, ca) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    let (first, second) = (issued_by(&ca, true), issued_by(&ca, true));
    for demanding in demanding(&server, &ca) {
        let cert = TestFile::new("identity-cert.pem", first.certificate.pem());
        let key = TestFile::new("identity-key.pem", first.key.serialize_pem());
        let tls = server.tls().with_client_certificate_files(&cert.0, &key.0).unwrap();
        assert_eq!(shown(&tls, &demanding).as_ref(), Some(first.certificate.der()));
        assert!(tls.try_config().is_none(), "the files are looked at");

        // Half of the new pair: the old pair stays in use.
        cert.write(second.certificate.pem());
        let lines = logged(|| {
            assert_eq!(shown(&tls, &demanding).as_ref(), Some(first.certificate.der()));
        });
        assert!(lines.contains("WARN") && lines.contains("identity-key.pem"), "{lines}");
        assert!(!lines.contains("BEGIN"), "{lines}");

        key.write(second.key.serialize_pem());
        assert_eq!(shown(&tls, &demanding).as_ref(), Some(second.certificate.der()));
    }
}

#[test]
fn each_certificate_has_sessions_of_its_own() {
    let (server, ca) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    for demanding in demanding(&server, &ca) {
        let trust = server.tls();
        let kind = |tls: &Tls| {
            shake_hands(tls.config().unwrap(), Arc::clone(&demanding), "localhost").unwrap().kind
        };
        let (first, second) = (issued_by(&ca, true), issued_by(&ca, true));
        let (first, second) = (with(trust.clone(), &first), with(trust, &second));
        assert_eq!([&first, &second].map(kind), [HandshakeKind::Full; 2]);
        assert_eq!([&first, &second].map(kind), [HandshakeKind::Resumed; 2]);
    }
}

#[test]
fn a_certificate_of_version_1_is_left_to_the_server() {
    let v1 = include_bytes!("version-1.pem");
    let key = key().serialize_pem();
    Tls::insecure().unwrap().with_client_certificate(v1, key.as_bytes()).unwrap();
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_in_words_without_the_key() {
    let (made, other) = (self_signed(false, |_| {}), self_signed(false, |_| {}));
    let (cert, key) = (made.certificate.pem(), made.key.serialize_pem());
    let other = other.key.serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let unusable = "-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n";
    for (cert, key, field, expected) in [
        (&*cert, &*other, "tls.key", "must be the key of the certificate in tls.cert"),
        (&cert, &cert, "tls.key", "holds a certificate"),
        (&cert, "", "tls.key", "is empty"),
        (&cert, "hello", "tls.key", "must contain a private key in PEM"),
        (&cert, &encrypted, "tls.key", "without a passphrase"),
        (&cert, unusable, "tls.key", "must be an RSA key of 2048 bits or more"),
        (&key, &key, "tls.cert", "holds a private key"),
        ("", &key, "tls.cert", "is empty"),
    ] {
        let tls = Tls::insecure().unwrap();
        let error = tls.with_client_certificate(cert.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(error.field(), field, "{error}");
        assert!(error.limit().contains(expected), "{error}");
        let secret = other.lines().nth(1).unwrap();
        assert!(!error.to_string().contains(secret), "{error}");
    }

    let both = format!("{key}{cert}");
    let tls = Tls::insecure().unwrap().with_client_certificate(both.as_bytes(), both.as_bytes());
    assert_eq!(format!("{:?}", tls.unwrap()), "Tls(anyone, client certificate)");
}
