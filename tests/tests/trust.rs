//! Which certificates each driver accepts and presents on real sockets, and certificate files that
//! change while a client runs.

use std::path::PathBuf;

use gateway_tests::{Listener, Made, Peer, calm, params, serve, showing, within};
use gateway_wire::core::Notice;
use gateway_wire::{ClientEvent, Tls};
use rcgen::{KeyPair, date_time_ymd};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client of either driver.
enum Client {
    Tokio(Box<gateway_tokio::Client>, tokio::runtime::Runtime),
    Std(Box<gateway_std::Client>),
}

impl Client {
    fn each(url: &str, tls: &Tls) -> [Self; 2] {
        let config = || calm().build().unwrap();
        let tokio = gateway_tokio::Client::builder(url).config(config()).tls(tls.clone());
        let std = gateway_std::Client::builder(url).config(config()).tls(tls.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        [
            Self::Tokio(Box::new(tokio.build().unwrap()), runtime),
            Self::Std(Box::new(std.build().unwrap())),
        ]
    }

    fn next(&mut self) -> ClientEvent {
        let event = match self {
            Self::Tokio(client, runtime) => runtime.block_on(async { within(client.next()).await }),
            Self::Std(client) => client.next(),
        };
        event.expect("a connection that is not over")
    }

    /// Waits until a connection is ready, or an attempt has failed with these words.
    fn opened(&mut self) -> Result<(), String> {
        loop {
            match self.next() {
                ClientEvent::Notice(Notice::Ready { .. }) => return Ok(()),
                ClientEvent::Disconnected { detail, .. } => return Err(detail.into()),
                _ => {}
            }
        }
    }

    /// Waits until the server has left a ready connection.
    fn left(&mut self) {
        while !matches!(self.next(), ClientEvent::Disconnected { .. }) {}
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
        for mut client in Client::each(&format!("wss://{host}:{port}"), tls) {
            seen.push(client.opened());
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
fn a_given_certificate_that_has_expired_or_has_another_name_is_refused_in_words() {
    let old = Made::with(true, |params| {
        params.not_before = date_time_ymd(2001, 2, 3);
        params.not_after = date_time_ymd(2004, 5, 6);
    });
    let words = "valid from Sat, 03 Feb 2001 00:00:00 GMT to Thu, 06 May 2004 00:00:00 GMT";
    assert_refused(seen(|version| old.acceptor(&[version], None), &old.tls(), "localhost"), words);

    let named = Made::with(true, |params| params.subject_alt_names.truncate(1));
    let words = "is not for 127.0.0.1, but for localhost";
    assert_refused(
        seen(|version| named.acceptor(&[version], None), &named.tls(), "127.0.0.1"),
        words,
    );
}

#[test]
fn another_self_signed_certificate_with_the_same_key_or_name_is_refused() {
    let given = Made::new(true);
    let copied_key = || KeyPair::from_pem(&given.key.serialize_pem()).unwrap();
    let same_key = Made::signed(&params(true, "another"), copied_key());
    let both = Made::signed(&params(true, "a test"), copied_key());
    for other in [same_key, Made::new(true), both] {
        let seen = seen(|version| other.acceptor(&[version], None), &given.tls(), "localhost");
        assert_refused(seen, "not trusted itself; give this very certificate with Tls::pem_file");
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
    for driver in [0, 1] {
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
        let [tokio, std] = Client::each(&format!("wss://localhost:{port}"), &tls);
        let mut client = if driver == 0 { tokio } else { std };

        assert_eq!(client.opened(), Ok(()));
        // The server leaves; no attempt reaches it before the file has changed.
        file.write(&second.certificate.pem());
        client.left();
        go.send(()).unwrap();
        assert_eq!(client.opened(), Ok(()), "the new certificate");
        file.write("");
        client.left();
        go.send(()).unwrap();
        assert_eq!(client.opened(), Ok(()), "the file is empty");
        client.left();
        go.send(()).unwrap();
        assert_refused(client.opened(), "not trusted itself");
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
