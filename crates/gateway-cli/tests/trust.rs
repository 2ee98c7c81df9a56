//! Which certificates `gateway connect` accepts and presents, and what it reports about others.

mod common;

use std::{
    io,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
};

use common::{file, gateway, soon};
use futures_util::StreamExt as _;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

struct Made {
    certificate: Certificate,
    key: KeyPair,
}

impl Made {
    /// A self-signed certificate for `localhost` and 127.0.0.1.
    fn new(is_ca: bool) -> Self {
        Self::with(is_ca, |_| {})
    }

    fn with(is_ca: bool, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("names");
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        Self { certificate: params.self_signed(&key).expect("a certificate"), key }
    }

    fn acceptor(&self, clients: Option<&Self>) -> TlsAcceptor {
        showing(self.certificate.der().clone(), &self.key, clients)
    }
}

/// A server that shows this certificate, and may require one that `clients` has issued.
fn showing(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    clients: Option<&Made>,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS12, &TLS13])
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
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    TlsAcceptor::from(Arc::new(builder.with_cert_resolver(Arc::new(shown))))
}

/// A server that shows what it is given for the next connections; a change ends those that are open.
struct Server {
    port: u16,
    shown: Arc<Mutex<TlsAcceptor>>,
    changes: watch::Sender<()>,
}

impl Server {
    async fn start(acceptor: TlsAcceptor) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shown = Arc::new(Mutex::new(acceptor));
        let changes = watch::Sender::new(());
        let (current, changed) = (Arc::clone(&shown), changes.subscribe());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = current.lock().expect("whole").clone();
                let mut changed = changed.clone();
                tokio::spawn(async move {
                    changed.mark_unchanged();
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let Ok(socket) = tokio_tungstenite::accept_async(tls).await else { return };
                    tokio::select! {
                        _ = changed.changed() => {}
                        () = socket.for_each(|_| async {}) => {}
                    }
                });
            }
        });
        Ok(Self { port, shown, changes })
    }

    fn show(&self, acceptor: TlsAcceptor) {
        *self.shown.lock().expect("whole") = acceptor;
        self.changes.send_replace(());
    }
}

/// A `gateway connect` whose log is read.
struct Program {
    _process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(server: &Server, arguments: &[&str], variables: &[(&str, &str)]) -> io::Result<Self> {
        let url = format!("wss://localhost:{}", server.port);
        let delays = ["--initial-delay", "10ms", "--max-delay", "20ms"];
        let mut command = gateway(&["connect", &url, "--heartbeat", "off"]);
        command.args(delays).args(arguments).envs(variables.iter().copied());
        let mut process = command
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        Ok(Self { _process: process, log })
    }

    /// Waits for a line with all these words.
    async fn says(&mut self, words: &[&str]) -> String {
        let mut last = String::new();
        // A client that is refused retries without end.
        for _ in 0..100 {
            let line = soon(self.log.next_line()).await.expect("it is text");
            let line = line.unwrap_or_else(|| panic!("it ended without {words:?}: {last}"));
            assert!(!line.contains("Other("), "{line}");
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            last = line;
        }
        panic!("no {words:?}, but {last}");
    }

    async fn is_connected(&mut self) {
        self.says(&["CONNECTING -> CONNECTED"]).await;
    }
}

fn pem(name: &str, content: &str) -> (PathBuf, String) {
    let path = file(name, content);
    let shown = path.to_str().expect("its name is text").to_owned();
    (path, shown)
}

#[tokio::test]
async fn ca_cert_takes_the_self_signed_certificate_of_a_server() -> io::Result<()> {
    for is_ca in [true, false] {
        let made = Made::new(is_ca);
        let server = Server::start(made.acceptor(None)).await?;
        let (_, path) = pem("self-signed.pem", &made.certificate.pem());
        Program::start(&server, &["--ca-cert", &path], &[])?.is_connected().await;
    }
    Ok(())
}

#[tokio::test]
async fn ca_cert_is_read_again_when_the_file_changes() -> io::Result<()> {
    let (first, second) = (Made::new(true), Made::new(true));
    let server = Server::start(first.acceptor(None)).await?;
    let (path, shown) = pem("changes.pem", &first.certificate.pem());
    let mut program = Program::start(&server, &["--ca-cert", &shown], &[])?;
    program.is_connected().await;

    std::fs::write(&path, second.certificate.pem())?;
    server.show(second.acceptor(None));
    program.is_connected().await;

    let key = second.key.serialize_pem();
    for (content, problem) in [("", "is empty"), (&*key, "holds a private key")] {
        std::fs::write(&path, content)?;
        server.show(second.acceptor(None));
        let line = program.says(&["WARN", &shown, problem, "is still used"]).await;
        assert!(!line.contains("BEGIN"), "{line}");
        program.is_connected().await;
    }
    std::fs::remove_file(&path)?;
    server.show(second.acceptor(None));
    program.says(&["WARN", &shown, "is still used"]).await;
    program.is_connected().await;
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_names_the_programs_flag() -> io::Result<()> {
    let given = Made::new(true);
    let (_, path) = pem("given.pem", &given.certificate.pem());
    let issuer = "the issuer of the server's certificate is not trusted; give its CA or the \
                  certificate itself with --ca-cert";
    let other =
        Made::with(false, |params| params.distinguished_name = rcgen::DistinguishedName::new());
    let server = Server::start(other.acceptor(None)).await?;
    Program::start(&server, &["--ca-cert", &path], &[])?.says(&[issuer]).await;

    let itself = "give this very certificate with --ca-cert";
    let server = Server::start(Made::new(true).acceptor(None)).await?;
    Program::start(&server, &["--ca-cert", &path], &[])?.says(&[itself]).await;
    // The platform's trust store has it neither.
    Program::start(&server, &[], &[])?.says(&[itself]).await;

    let old = Made::with(true, |params| {
        params.not_before = date_time_ymd(2001, 2, 3);
        params.not_after = date_time_ymd(2004, 5, 6);
    });
    let (_, path) = pem("old.pem", &old.certificate.pem());
    let server = Server::start(old.acceptor(None)).await?;
    let dates = "from Sat, 03 Feb 2001 00:00:00 GMT to Thu, 06 May 2004 00:00:00 GMT";
    let advice = "check the server's certificate and this machine's clock";
    for arguments in [["--ca-cert", &path].as_slice(), &[]] {
        Program::start(&server, arguments, &[])?.says(&[dates, advice]).await;
    }

    let elsewhere = Made::with(true, |params| {
        let name = "elsewhere.example".try_into().expect("a name");
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
    });
    let (_, path) = pem("elsewhere.pem", &elsewhere.certificate.pem());
    let server = Server::start(elsewhere.acceptor(None)).await?;
    let names = "is not for localhost, but for elsewhere.example; connect by a name that it has";
    Program::start(&server, &["--ca-cert", &path], &[])?.says(&[names]).await;
    Ok(())
}

#[tokio::test]
async fn insecure_accepts_what_cannot_be_read_as_a_certificate_and_warns() -> io::Result<()> {
    let garbage = CertificateDer::from(b"no certificate".to_vec());
    let key = KeyPair::generate().expect("a key");
    let server = Server::start(showing(garbage, &key, None)).await?;
    let mut program = Program::start(&server, &["--insecure"], &[])?;
    program.says(&["WARN", "certificate is NOT checked"]).await;
    program.is_connected().await;
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_is_given_by_flags_variables_or_file() -> io::Result<()> {
    let (made, client) = (Made::new(true), Made::new(false));
    let server = Server::start(made.acceptor(Some(&client))).await?;
    let (_, ca) = pem("server.pem", &made.certificate.pem());
    let (_, cert) = pem("client.pem", &client.certificate.pem());
    let (_, key) = pem("client.key", &client.key.serialize_pem());

    let flags = ["--ca-cert", &ca, "--cert", &cert, "--key", &key];
    Program::start(&server, &flags, &[])?.is_connected().await;
    let variables = [("GATEWAY_CERT", &*cert), ("GATEWAY_KEY", &*key)];
    Program::start(&server, &["--ca-cert", &ca], &variables)?.is_connected().await;
    let settings = format!("[tls]\nca_cert = '{ca}'\ncert = '{cert}'\nkey = '{key}'\n");
    let (_, settings) = pem("client.toml", &settings);
    Program::start(&server, &["--config", &settings], &[])?.is_connected().await;

    let words = "the server requires a client certificate; give this client one";
    Program::start(&server, &["--ca-cert", &ca], &[])?.says(&[words]).await;
    Ok(())
}
