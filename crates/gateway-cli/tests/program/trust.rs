//! Which certificates `gateway connect` accepts and presents, and what it reports about others.

use std::{
    io,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
};

use super::common::{Logged, file, gateway, without_settings};
use gateway_tests::{Listener, Made, Peer, showing};
use rcgen::{KeyPair, date_time_ymd};
use rustls::{ALL_VERSIONS, pki_types::CertificateDer};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A server whose certificate can be changed. A change ends the open connections.
struct Server {
    url: String,
    shown: Arc<Mutex<TlsAcceptor>>,
    changes: watch::Sender<()>,
}

impl Server {
    async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = Listener::bind().await;
        let url = listener.secure_url();
        let shown = Arc::new(Mutex::new(acceptor));
        let changes = watch::Sender::new(());
        let (current, changed) = (Arc::clone(&shown), changes.subscribe());
        tokio::spawn(async move {
            loop {
                let tcp = listener.accept().await;
                let acceptor = current.lock().expect("whole").clone();
                let mut changed = changed.clone();
                tokio::spawn(async move {
                    changed.mark_unchanged();
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let mut peer = Peer::accept(tls).await;
                    tokio::select! {
                        _ = changed.changed() => {}
                        _ = peer.rest() => {}
                    }
                });
            }
        });
        Self { url, shown, changes }
    }

    fn show(&self, acceptor: TlsAcceptor) {
        *self.shown.lock().expect("whole") = acceptor;
        self.changes.send_replace(());
    }
}

/// A `gateway connect` at this server.
fn start(server: &Server, arguments: &[&str], variables: &[(&str, &str)]) -> io::Result<Logged> {
    let delays = ["--initial-delay", "10ms", "--max-delay", "20ms"];
    let mut command = gateway(&["connect", &server.url, "--heartbeat", "off"]);
    command.args(delays).args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped());
    Logged::start(command)
}

fn pem(name: &str, content: &str) -> (PathBuf, String) {
    let path = file(name, content);
    let shown = path.to_str().expect("its name is text").to_owned();
    (path, shown)
}

#[tokio::test]
async fn ca_cert_is_read_again_when_the_file_changes() -> io::Result<()> {
    let (first, second) = (Made::new(true), Made::new(true));
    let server = Server::start(first.acceptor(ALL_VERSIONS, None)).await;
    let (path, shown) = pem("changes.pem", &first.certificate.pem());
    let mut program = start(&server, &["--ca-cert", &shown], &[])?;
    program.is_connected().await;

    std::fs::write(&path, second.certificate.pem())?;
    server.show(second.acceptor(ALL_VERSIONS, None));
    program.is_connected().await;

    let key = second.key.serialize_pem();
    for (content, problem) in [("", "is empty"), (&*key, "holds a private key")] {
        std::fs::write(&path, content)?;
        server.show(second.acceptor(ALL_VERSIONS, None));
        let line = program.says(&["WARN", &shown, problem, "is still used"]).await;
        assert!(!line.contains("BEGIN"), "{line}");
        program.is_connected().await;
    }
    std::fs::remove_file(&path)?;
    server.show(second.acceptor(ALL_VERSIONS, None));
    program.says(&["WARN", &shown, "is still used"]).await;
    program.is_connected().await;
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_a_pipe_is_read_once_also_with_metrics_and_a_recording() -> io::Result<()> {
    let made = Made::new(true);
    let server = Server::start(made.acceptor(ALL_VERSIONS, None)).await;
    let (_, ca) = pem("piped.pem", &made.certificate.pem());
    let record = file("piped.journal", "");
    // The shell's end does not end the program behind the pipe, but the end of its stdin does.
    let arguments = ["--heartbeat", "off", "--metrics", "0", "--exit-on-eof"];
    let mut program = gateway(&["connect", &server.url]);
    program.args(arguments);
    let mut command = without_settings(tokio::process::Command::new("sh"));
    command.args(["-c", r#"exec 4<&0; cat "$0" | exec "$@" --ca-cert /dev/fd/3 3<&0 0<&4"#, &ca]);
    command.arg(program.as_std().get_program()).args(program.as_std().get_args());
    command.arg("--record").arg(record).stdin(Stdio::piped()).kill_on_drop(true);
    Logged::start(command)?.is_connected().await;
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
    let server = Server::start(other.acceptor(ALL_VERSIONS, None)).await;
    start(&server, &["--ca-cert", &path], &[])?.says(&[issuer]).await;

    let itself = "give this very certificate with --ca-cert";
    let server = Server::start(Made::new(true).acceptor(ALL_VERSIONS, None)).await;
    start(&server, &["--ca-cert", &path], &[])?.says(&[itself]).await;
    // The platform's trust store has it neither.
    start(&server, &[], &[])?.says(&[itself]).await;

    let old = Made::with(true, |params| {
        params.not_before = date_time_ymd(2001, 2, 3);
        params.not_after = date_time_ymd(2004, 5, 6);
    });
    let server = Server::start(old.acceptor(ALL_VERSIONS, None)).await;
    let dates = "from Sat, 03 Feb 2001 00:00:00 GMT to Thu, 06 May 2004 00:00:00 GMT";
    let advice = "check the server's certificate and this machine's clock";
    start(&server, &[], &[])?.says(&[dates, advice]).await;
    Ok(())
}

#[tokio::test]
async fn insecure_accepts_what_cannot_be_read_as_a_certificate_and_warns() -> io::Result<()> {
    let garbage = CertificateDer::from(b"no certificate".to_vec());
    let key = KeyPair::generate().expect("a key");
    let server = Server::start(showing(&garbage, &key, ALL_VERSIONS, None)).await;
    let mut program = start(&server, &["-k"], &[])?;
    program.says(&["WARN", "certificate is NOT checked"]).await;
    program.is_connected().await;
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_is_given_by_flags_variables_or_file() -> io::Result<()> {
    let (made, client) = (Made::new(true), Made::new(false));
    let server = Server::start(made.acceptor(ALL_VERSIONS, Some(&client))).await;
    let (_, ca) = pem("server.pem", &made.certificate.pem());
    let (_, cert) = pem("client.pem", &client.certificate.pem());
    let (_, key) = pem("client.key", &client.key.serialize_pem());

    let flags = ["--ca-cert", &ca, "--cert", &cert, "--key", &key];
    start(&server, &flags, &[])?.is_connected().await;
    let variables = [("GATEWAY_CERT", &*cert), ("GATEWAY_KEY", &*key)];
    start(&server, &["--ca-cert", &ca], &variables)?.is_connected().await;
    let settings = format!("[tls]\nca_cert = '{ca}'\ncert = '{cert}'\nkey = '{key}'\n");
    let (_, settings) = pem("client.toml", &settings);
    start(&server, &["--config", &settings], &[])?.is_connected().await;

    let words = "the server requires a client certificate; give this client one";
    start(&server, &["--ca-cert", &ca], &[])?.says(&[words]).await;
    Ok(())
}
