//! Files that change while a client uses them.

use std::path::PathBuf;

use super::*;
use crate::log::captured;

/// A file of one test, removed at its end.
pub(super) struct TestFile(pub(super) PathBuf);

impl TestFile {
    pub(super) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("gateway-wire-{}-{name}", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(content);
        file
    }

    pub(super) fn write(&self, content: impl AsRef<[u8]>) {
        std::fs::write(&self.0, content).unwrap();
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What `work` logs, without the lines of level debug.
pub(super) fn logged(work: impl FnOnce()) -> String {
    captured::logged(tracing::Level::INFO, work)
}

#[test]
fn a_file_that_has_changed_counts_for_the_next_handshake() {
    let (first, second) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    let file = TestFile::new("changes.pem", first.certificate.pem());
    let tls = Tls::pem_file(&file.0).unwrap();
    let clone = tls.clone();
    assert_eq!(localhost(&tls, &first.server()), Ok(()));
    let before = tls.config().unwrap();
    assert!(Arc::ptr_eq(&before, &tls.config().unwrap()), "it has not changed");

    file.write(second.certificate.pem());

    let lines = logged(|| drop(tls.config().unwrap()));
    assert!(lines.contains("INFO") && lines.contains("changes.pem"), "{lines}");
    assert_eq!(localhost(&clone, &second.server()), Ok(()));
    assert_words(localhost(&tls, &first.server()), &["not trusted"]);
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_old_certificates_and_a_warning_with_its_path() {
    let made = self_signed(true, |_| {});
    let file = TestFile::new("garbage.pem", made.certificate.pem());
    let tls = Tls::pem_file(&file.0).unwrap();
    let before = tls.config().unwrap();
    let path = format!("{:?}", file.0); // the log escapes the separators of Windows

    let unused = |what: &str, expected: &str| {
        let lines = logged(|| assert!(Arc::ptr_eq(&tls.config().unwrap(), &before), "{what}"));
        for expected in ["WARN", &path, expected, "is still used"] {
            assert!(lines.contains(expected), "no {expected:?} in {lines}");
        }
    };
    for (content, expected) in [
        (String::new(), "is empty"),
        (made.key.serialize_pem(), "holds a private key"),
        ("hello".to_owned(), "at least one certificate"),
    ] {
        file.write(&content);
        unused(&content, expected);
    }
    std::fs::remove_file(&file.0).unwrap();
    unused("gone", "must be a file that can be read");
    std::fs::create_dir(&file.0).unwrap();
    unused("a directory", "not a regular file");
    std::fs::remove_dir(&file.0).unwrap();

    file.write(made.certificate.pem());
    assert_eq!(logged(|| assert!(Arc::ptr_eq(&tls.config().unwrap(), &before))), "");
    assert_eq!(localhost(&tls, &made.server()), Ok(()));
}

#[test]
fn no_session_is_resumed_past_a_change_of_the_file() {
    let (made, other) = (self_signed(true, |_| {}), self_signed(true, |_| {}));
    for version in VERSIONS {
        let file = TestFile::new("sessions.pem", made.certificate.pem());
        let tls = Tls::pem_file(&file.0).unwrap();
        let server = made.server().config(version);
        let kind = || {
            let shaken = shake_hands(tls.config().unwrap(), Arc::clone(&server), "localhost");
            shaken.map(|shaken| shaken.kind)
        };
        assert_eq!(kind().unwrap(), HandshakeKind::Full);
        assert_eq!(kind().unwrap(), HandshakeKind::Resumed);

        file.write(other.certificate.pem());
        kind().unwrap_err();

        file.write(made.certificate.pem());
        assert_eq!(kind().unwrap(), HandshakeKind::Full);
    }
}

#[test]
fn what_may_not_block_reads_no_file() {
    let made = self_signed(true, |_| {});
    let file = TestFile::new("may-block.pem", made.certificate.pem());
    assert!(Tls::pem_file(&file.0).unwrap().try_config().is_none());
    assert!(made.tls().try_config().is_some());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let made = self_signed(true, |_| {});
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(made.certificate.pem().as_bytes()).unwrap();
    drop(writer);
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));

    let tls = Tls::pem_file(path).unwrap();

    assert_eq!(logged(|| assert_eq!(localhost(&tls, &made.server()), Ok(()))), "");
    assert!(tls.try_config().is_some());
}
