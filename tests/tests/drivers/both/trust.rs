//! Which certificates each driver accepts and presents on real sockets, and certificate files that
//! change while a client runs.

use std::path::PathBuf;

use gateway_tests::{Driver, Either, Listener, Made, Peer, calm, client, params, serve, showing};
use gateway_wire::core::Notice;
use gateway_wire::{ClientEvent, Tls};
use rcgen::KeyPair;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Waits until a connection is ready, or an attempt has failed with these words.
fn opened(client: &mut Either) -> Result<(), String> {
    loop {
        match client.event() {
            ClientEvent::Notice(Notice::Ready { .. }) => return Ok(()),
            ClientEvent::Disconnected { cause, detail, .. } => {
                return Err(format!("{cause:?}: {detail}"));
            }
            _ => {}
        }
    }
}

/// Serves one attempt: until the client leaves, or only its handshake.
async fn attempt(listener: &Listener, acceptor: &TlsAcceptor, stays: bool) {
    if let Ok(stream) = listener.tls(acceptor).await {
        let mut peer = Peer::accept(stream).await;
        if stays {
            peer.rest().await;
        }
    }
}

/// What both drivers make of a server, with both versions of TLS. They have to agree.
#[track_caller]
fn seen(
    acceptor: impl Fn(&'static SupportedProtocolVersion) -> TlsAcceptor,
    tls: &Tls,
    host: &str,
) -> Result<(), String> {
    let mut seen = Vec::new();
    for version in VERSIONS {
        let acceptor = acceptor(version);
        let server = serve(async move |listener| {
            for _ in 0..2 {
                attempt(&listener, &acceptor, true).await;
            }
        });
        let (_, port) = server.url.rsplit_once(':').unwrap();
        for driver in [Driver::Tokio, Driver::Std] {
            let url = format!("wss://{host}:{port}");
            seen.push(opened(&mut client!(driver, url, calm(), .tls(tls.clone()))));
        }
        server.join();
    }
    let is_accepted = seen[0].is_ok();
    assert!(seen.iter().all(|seen| seen.is_ok() == is_accepted), "{seen:?}");
    seen.swap_remove(0)
}

#[track_caller]
fn assert_refused(seen: Result<(), String>, expected: &str) {
    let words = seen.expect_err("it is accepted");
    assert!(words.contains(expected), "no {expected:?} in {words:?}");
    let is_of_the_server = words.starts_with("OpenFailed(Certificate)");
    assert!(is_of_the_server || expected == "client certificate", "{words}");
    assert!(!words.contains("Other("), "{words}");
}

#[test]
fn a_self_signed_certificate_that_was_given_is_accepted_by_name_and_by_address() {
    for is_ca in [true, false] {
        let made = Made::new(is_ca);
        for host in ["localhost", "127.0.0.1"] {
            let seen = seen(|version| made.acceptor(&[version], None), &made.tls(), host);
            assert_eq!(seen, Ok(()), "{is_ca} {host}");
        }
    }
}

#[test]
fn a_leaf_is_accepted_where_its_self_signed_ca_was_given() {
    let ca = Made::new(true);
    let leaf = ca.leaf(|_| {});
    assert_eq!(seen(|version| leaf.acceptor(&[version], None), &ca.tls(), "localhost"), Ok(()));

    let words = "issuer of the server's certificate is not trusted; give its CA or the certificate";
    let stranger = Made::signed(&params(true, "another"), KeyPair::generate().unwrap()).tls();
    assert_refused(seen(|version| leaf.acceptor(&[version], None), &stranger, "localhost"), words);
    let words = "not signed by the key of the trusted CA of that name";
    let namesake = Made::new(true).tls();
    assert_refused(seen(|version| leaf.acceptor(&[version], None), &namesake, "localhost"), words);
}

#[test]
fn the_insecure_mode_accepts_what_is_no_certificate_that_could_be_read() {
    let (key, tls) = (KeyPair::generate().unwrap(), Tls::insecure().unwrap());
    let garbage = CertificateDer::from(b"no certificate".to_vec());
    let acceptor = |version| showing(&garbage, &key, &[version], None);
    assert_eq!(seen(acceptor, &tls, "127.0.0.1"), Ok(()));
}

/// A file of one test's own, removed in the end.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, content: &str) -> Self {
        let name = format!("{}-{name}", std::process::id());
        let file = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.write(content);
        file
    }

    fn write(&self, content: &str) {
        std::fs::write(&self.0, content).unwrap();
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_client_that_runs_follows_its_file_and_keeps_what_it_has_while_the_file_is_of_no_use() {
    for driver in [Driver::Tokio, Driver::Std] {
        let (first, second) = (Made::new(true), Made::new(true));
        let file = TestFile::new("follows.pem", &first.certificate.pem());
        let tls = Tls::pem_file(&file.0).unwrap();
        let acceptors =
            [&first, &second, &second, &first].map(|made| made.acceptor(&[&TLS13], None));
        let (go, gone) = std::sync::mpsc::channel();
        let server = serve(async move |listener| {
            for acceptor in acceptors {
                attempt(&listener, &acceptor, false).await;
                gone.recv().unwrap(); // the test has changed the file
            }
        });
        let (_, port) = server.url.rsplit_once(':').unwrap();
        let mut client = client!(driver, format!("wss://localhost:{port}"), calm(), .tls(tls));

        assert_eq!(opened(&mut client), Ok(()));
        // The server leaves; no attempt reaches it before the file has changed.
        file.write(&second.certificate.pem());
        client.lost();
        go.send(()).unwrap();
        assert_eq!(opened(&mut client), Ok(()), "the new certificate");
        file.write("");
        client.lost();
        go.send(()).unwrap();
        assert_eq!(opened(&mut client), Ok(()), "the file is empty");
        client.lost();
        go.send(()).unwrap();
        assert_refused(opened(&mut client), "not trusted itself");
        go.send(()).unwrap();
        drop(client);
        server.join();
    }
}

#[test]
fn a_server_that_asks_is_shown_the_clients_certificate() {
    let (made, ca) = (Made::new(true), Made::new(true));
    let client = ca.leaf(|_| {});
    let acceptor = |version| made.acceptor(&[version], Some(&ca));
    let (cert, key) = (client.certificate.pem(), client.key.serialize_pem());
    let with = made.tls().with_client_certificate(cert.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(seen(acceptor, &with, "localhost"), Ok(()));
    let cert = TestFile::new("shown-cert.pem", &cert);
    let key = TestFile::new("shown-key.pem", &key);
    let with = made.tls().with_client_certificate_files(&cert.0, &key.0).unwrap();
    assert_eq!(seen(acceptor, &with, "localhost"), Ok(()));

    assert_refused(seen(acceptor, &made.tls(), "localhost"), "client certificate");
}
