use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::task::Poll;

use gateway_core::OpenError;

use super::tunnel::Step;
use super::*;
use crate::open_failure::OpenFailure;
use crate::route::{Layer, Router};

fn endpoint(url: &str) -> Endpoint {
    Endpoint::builder(url).build().unwrap()
}

fn tunnel(proxy: &str, url: &str) -> Tunnel {
    let server = Arc::new(ProxyServer::parse(proxy).unwrap());
    Tunnel::start(&server, &endpoint(url)).unwrap()
}

/// Has a proxy answer. Returns what the client wrote, and the outcome; no outcome means that it waits.
fn talk(mut tunnel: Tunnel, answers: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Result<(), OpenFailure>>) {
    let mut written = vec![taken(&mut tunnel)];
    for answer in answers {
        let mut rest = *answer;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(tunnel.wants().min(rest.len()));
            rest = later;
            match tunnel.received(now) {
                Ok(Step::More) => {}
                Ok(Step::Done) => return (written, Some(Ok(()))),
                Err(failure) => return (written, Some(Err(failure))),
            }
        }
        written.push(taken(&mut tunnel));
    }
    (written, None)
}

fn taken(tunnel: &mut Tunnel) -> Vec<u8> {
    let bytes = tunnel.pending().to_vec();
    tunnel.wrote(bytes.len());
    bytes
}

fn failure(tunnel: Tunnel, answers: &[&[u8]]) -> (OpenError, String) {
    let (_, outcome) = talk(tunnel, answers);
    let failure = outcome.expect("an outcome").expect_err("a failure");
    (failure.error(), failure.detail().to_owned())
}

const SERVER: &str = "wss://server.example:8443/secret/path?token=secret";
const OK: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

#[test]
fn a_connect_request_has_the_servers_host_and_port_and_nothing_else_of_it() {
    for (proxy, url, expected) in [
        (
            "http://p:1",
            SERVER,
            "CONNECT server.example:8443 HTTP/1.1\r\nHost: server.example:8443\r\n",
        ),
        (
            "p:1",
            "ws://[2001:db8::1]",
            "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n",
        ),
        (
            "https://us%40er:p%3Aw@p",
            "wss://s.example",
            "CONNECT s.example:443 HTTP/1.1\r\nHost: s.example:443\r\n\
             Proxy-Authorization: Basic dXNAZXI6cDp3\r\n",
        ),
    ] {
        let (written, outcome) = talk(tunnel(proxy, url), &[OK]);
        let agent = format!("User-Agent: gateway/{}\r\n\r\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8(written[0].clone()).unwrap(), format!("{expected}{agent}"));
        assert_eq!(outcome, Some(Ok(())), "{proxy}");
    }
}

#[test]
fn each_answer_to_connect_has_its_class_and_its_words() {
    let (refused, login) = (OpenError::Proxy, OpenError::ProxyCredentials);
    for (proxy, answer, class, words) in [
        (
            "p:1",
            "HTTP/1.1 403 no\r\nContent-Length: 3\r\n\r\nno!",
            refused,
            "the proxy p:1 answered 403: no!",
        ),
        (
            "p:1",
            "HTTP/1.1 502 x\r\nContent-Length: 7\r\n\r\na\x1b[2J\nb",
            refused,
            "answered 502: a\\u{1b}[2J b",
        ),
        (
            "p:1",
            "HTTP/1.1 302 x\r\nLocation: http://portal/?t=s\r\n\r\n",
            refused,
            "302, Location: http://portal/",
        ),
        ("p:1", "HTTP/1.1 101 x\r\n\r\n", refused, "answered 101"),
        (
            "p:1",
            "HTTP/1.1 407 x\r\n\r\n",
            login,
            "asks for a user and a password; give them in its URL, as in http://USER:PASSWORD@p:1",
        ),
        (
            "u:secret-pw@p:1",
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest a=b, basic realm=\"x\"\r\n\r\n",
            login,
            "does not accept the user and the password of its URL",
        ),
        (
            "u:secret-pw@p:1",
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\n\r\n",
            login,
            "another authentication than Basic",
        ),
        (
            "user-1:secret-pw@p:1",
            "HTTP/1.1 403 x\r\nContent-Length: 20\r\n\r\nuser-1 and secret-pw",
            refused,
            "(hidden) and (hidden)",
        ),
        ("p:1", "SSH-2.0-OpenSSH", refused, "broke HTTP: it does not speak HTTP"),
        ("p:1", "HTTP/1.1 999 x\r\n\r\n", refused, "is not an HTTP status"),
        ("p:1", "HTTP/1.1 \u{1}\r\n\r\n", refused, "the answer is not HTTP"),
    ] {
        let (error, detail) = failure(tunnel(proxy, SERVER), &[answer.as_bytes()]);
        assert_eq!(error, class, "{answer}");
        assert!(
            detail.starts_with("the proxy p:1 ") && detail.contains(words),
            "{answer}: {detail}"
        );
        assert!(!detail.contains("secret") && !detail.contains(char::is_control), "{detail}");
    }
}

#[test]
fn interim_answers_are_skipped_and_what_a_success_says_of_its_body_means_nothing() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\nContent-Length: 9\nTransfer-Encoding: chunked\n\n";
    assert_eq!(talk(tunnel("p:1", SERVER), &[answer]).1, Some(Ok(())));
}

#[test]
fn a_head_without_end_is_refused_at_its_limit() {
    let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
    endless.resize(64 << 10, b'x');
    let (error, detail) = failure(tunnel("p:1", SERVER), &[&endless]);
    assert_eq!(error, OpenError::Proxy);
    assert!(detail.contains("longer than 16 KiB"), "{detail}");

    let interim = b"HTTP/1.1 100 x\r\n\r\n".repeat(2_000);
    let (_, detail) = failure(tunnel("p:1", SERVER), &[&interim]);
    assert!(detail.contains("longer than 16 KiB"), "{detail}");
}

const SOCKS_OK: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

#[test]
fn socks5_asks_for_the_host_as_the_url_has_it() {
    let name = b"\x05\x01\x00\x03\x0eserver.example\x20\xfb".to_vec();
    let v4 = vec![5, 1, 0, 1, 192, 0, 2, 7, 0, 80];
    let v6 = [&[5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1, 0, 80]].concat();
    for (url, expected) in [(SERVER, name), ("ws://192.0.2.7", v4), ("ws://[2001:db8::1]", v6)] {
        for proxy in ["socks5://p", "socks5h://p"] {
            let (written, outcome) = talk(tunnel(proxy, url), &[&[5, 0], SOCKS_OK]);
            assert_eq!(written, [vec![5, 1, 0], expected.clone()], "{url}");
            assert_eq!(outcome, Some(Ok(())), "{url}");
        }
    }
}

#[test]
fn socks5_answers_with_every_type_of_address_and_ends_where_the_answer_ends() {
    let v6 = [&[5, 0, 0, 4][..], &[0; 18]].concat();
    let name = b"\x05\x00\x00\x03\x03abc\x00\x50";
    let no_name = b"\x05\x00\x00\x03\x00\x00\x50";
    for answer in [SOCKS_OK, &v6, name, no_name] {
        assert_eq!(talk(tunnel("socks5://p", SERVER), &[&[5, 0], answer]).1, Some(Ok(())));
        let all_but_one = &answer[..answer.len() - 1];
        assert_eq!(talk(tunnel("socks5://p", SERVER), &[&[5, 0], all_but_one]).1, None);
    }
}

#[test]
fn socks5_logs_in_if_it_is_asked_to() {
    let proxy = "socks5://us%40er:p%3Aw@p";
    let (written, outcome) = talk(tunnel(proxy, "ws://192.0.2.7"), &[&[5, 2], &[1, 0], SOCKS_OK]);
    assert_eq!(written[0], [5, 2, 0, 2]);
    assert_eq!(written[1], b"\x01\x05us@er\x03p:w");
    assert_eq!(written[2][..4], [5, 1, 0, 1]);
    assert_eq!(outcome, Some(Ok(())));
    let (written, outcome) = talk(tunnel(proxy, "ws://192.0.2.7"), &[&[5, 0], SOCKS_OK]);
    assert_eq!((written[1][1], outcome), (1, Some(Ok(()))), "it need not");
}

#[test]
fn each_answer_of_socks5_has_its_class_and_its_words() {
    let (refused, login) = (OpenError::Proxy, OpenError::ProxyCredentials);
    let (open, private) = ("socks5://p", "socks5://u:secret@p");
    for (proxy, answers, class, words) in [
        (
            open,
            &[&[5, 0xff][..]][..],
            login,
            "give them in its URL, as in socks5://USER:PASSWORD@p:1080",
        ),
        (open, &[&[5, 2]], login, "asks for a user and a password"),
        (private, &[&[5, 0xff]], login, "does not accept authentication by user and password"),
        (
            private,
            &[&[5, 2], &[1, 1]],
            login,
            "does not accept the user and the password of its URL",
        ),
        (private, &[&[5, 2], &[5, 1]], login, "does not accept the user and the password"),
        (private, &[&[5, 2], &[5, 0], &[5, 1]], refused, "general failure"),
        (open, &[&[5, 1]], refused, "was not offered"),
        (open, &[b"HT"], refused, "speaks another version"),
        (open, &[&[4, 0]], refused, "speaks another version"),
        (open, &[&[5, 0], &[5, 1]], refused, "general failure (SOCKS5 reply 1)"),
        (open, &[&[5, 0], &[5, 2]], refused, "its rules do not allow"),
        (open, &[&[5, 0], &[5, 4]], refused, "unreachable"),
        (open, &[&[5, 0], &[5, 5]], refused, "the server refused the connection"),
        (open, &[&[5, 0], &[5, 99]], refused, "SOCKS5 reply 99"),
        (open, &[&[5, 0], &[4, 0]], refused, "speaks another version"),
        (open, &[&[5, 0], &[5, 0, 0, 9]], refused, "type of its address is unknown"),
    ] {
        let (error, detail) = failure(tunnel(proxy, SERVER), answers);
        assert_eq!(error, class, "{answers:?}");
        assert!(detail.starts_with("the proxy p:1080 ") && detail.contains(words), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
}

#[test]
fn a_name_that_socks5_cannot_carry_is_an_error_of_the_configuration() {
    let host = format!("{}.example", ["a"; 130].join("."));
    let server = Arc::new(ProxyServer::parse("socks5://p").unwrap());
    let failure = Tunnel::start(&server, &endpoint(&format!("ws://{host}"))).unwrap_err();
    assert_eq!(failure.error(), OpenError::Configuration);
}

/// A stream in memory. It has these bytes, then would block, or ends.
struct Stream {
    bytes: io::Cursor<Vec<u8>>,
    ends: bool,
    written: Vec<u8>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(buffer)? {
            0 if !self.ends => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(&bytes[..1]); // one at a time
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stream(bytes: &[u8], ends: bool) -> Stream {
    Stream { bytes: io::Cursor::new(bytes.to_vec()), ends, written: Vec::new() }
}

#[test]
fn what_comes_behind_the_answer_stays_in_the_stream() {
    let socks = [&[5, 0][..], SOCKS_OK].concat();
    for (proxy, answer) in [("p:1", OK), ("socks5://p", &socks)] {
        let mut stream = stream(&[answer, b"early"].concat(), false);
        assert_eq!(tunnel(proxy, SERVER).advance(&mut stream), Poll::Ready(Ok(())), "{proxy}");
        let mut rest = String::new();
        stream.bytes.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "early", "{proxy}");
    }
}

#[test]
fn a_proxy_that_is_slow_is_waited_for_and_one_that_hangs_up_is_not() {
    for proxy in ["p:1", "socks5://p"] {
        let mut waiting = tunnel(proxy, SERVER);
        assert_eq!(waiting.advance(&mut stream(b"", false)), Poll::Pending, "{proxy}");
        let Poll::Ready(Err(failure)) = waiting.advance(&mut stream(b"", true)) else {
            panic!("{proxy} hung up")
        };
        assert_eq!(failure.error(), OpenError::Proxy);
        assert!(failure.detail().ends_with("closed the connection before it answered"));
    }
}

#[test]
fn a_proxy_that_hangs_up_at_the_login_does_not_accept_it() {
    let outcome = tunnel("socks5://u:secret@p", SERVER).advance(&mut stream(&[5, 2], true));
    let Poll::Ready(Err(failure)) = outcome else { panic!("it hung up") };
    assert_eq!(failure.error(), OpenError::ProxyCredentials);
}

#[test]
fn the_body_of_a_refusal_is_not_waited_for() {
    let head = b"HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nbus";
    let outcome = tunnel("p:1", SERVER).advance(&mut stream(head, false));
    let Poll::Ready(Err(failure)) = outcome else { panic!("it waits") };
    assert_eq!(failure.detail(), "the proxy p:1 answered 503: bus");
}

#[test]
fn a_url_is_read_and_shown_without_user_and_password() {
    for (url, shown) in [
        ("http://user:secret@Proxy.example:3128/", "http://proxy.example:3128"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("user:secret@proxy.example", "http://proxy.example:80"),
        ("HTTPS://proxy.example", "https://proxy.example:443"),
        ("socks5://[2001:db8::1]", "socks5://[2001:db8::1]:1080"),
        ("socks5h://user:secret@PROXY.example:9", "socks5h://proxy.example:9"),
        (" http://127.1 ", "http://127.0.0.1:80"),
    ] {
        let server = ProxyServer::parse(url).unwrap();
        assert_eq!(server.to_string(), shown, "{url}");
        assert_eq!(format!("{server:?}"), format!("ProxyServer({shown})"));
    }
}

#[test]
fn a_wrong_url_is_refused_without_showing_it() {
    let long = format!("http://{}@p", "u".repeat(256));
    for (url, limit) in [
        ("", "must be a URL"),
        ("http://secret proxy", "must be a URL"),
        ("http://secret\nproxy", "must be a URL"),
        ("http://", "must be a URL"),
        ("socks4://secret", "must begin with http://"),
        ("ftp://secret", "must begin with http://"),
        ("http://secret:0", "port"),
        ("http://secret:65536", "port"),
        ("http://p/secret", "no path"),
        ("http://p?secret", "no path"),
        ("http://se%3Acret@p", "no colon"),
        ("http://secret%0a@p", "no control characters"),
        ("http://secret%ff@p", "UTF-8"),
        ("socks5://:secret@p", "must have a user"),
        (&long, "at most 255 bytes"),
    ] {
        let mut errors = Vec::new();
        Proxy::new(url).check(None, &mut errors);
        assert_eq!(errors.len(), 1, "{url}");
        let shown = errors[0].to_string();
        assert!(shown.starts_with("proxy: ") && shown.contains(limit), "{url}: {shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

/// The proxies for a `wss://` and a `ws://` server with these variables, and the errors.
fn of_variables(variables: &[(&str, &str)]) -> ([Option<String>; 2], Vec<String>) {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let proxy = Proxy::from_variables(|name| variables.get(name).map(|&value| value.into()));
    let mut errors = Vec::new();
    let proxies = proxy.check(None, &mut errors);
    let of = |url| proxies.of(&endpoint(url)).map(|proxy| proxy.host().to_owned());
    let errors = errors.iter().map(ToString::to_string).collect();
    ([of("wss://s.example"), of("ws://s.example")], errors)
}

#[test]
fn the_environment_names_proxies() {
    for (variables, secure, plain) in [
        (&[][..], None, None),
        (&[("HTTPS_PROXY", "a")], Some("a"), None),
        (&[("HTTP_PROXY", "a")], None, Some("a")),
        (&[("ALL_PROXY", "a")], Some("a"), Some("a")),
        (&[("https_proxy", "a"), ("HTTPS_PROXY", "b"), ("ALL_PROXY", "c")], Some("a"), Some("c")),
        (&[("https_proxy", ""), ("HTTPS_PROXY", "b")], Some("b"), None),
        (&[("all_proxy", "a"), ("ALL_PROXY", "b"), ("HTTP_PROXY", "c")], Some("a"), Some("c")),
        (&[("HTTP_PROXY", "a"), ("REQUEST_METHOD", "GET")], None, None),
        (&[("http_proxy", "a"), ("REQUEST_METHOD", "GET")], None, None),
        (&[("ALL_PROXY", "a"), ("REQUEST_METHOD", "GET")], Some("a"), Some("a")),
        (&[("ALL_PROXY", "a"), ("NO_PROXY", "s.example")], None, None),
        (&[("ALL_PROXY", "a"), ("no_proxy", "x"), ("NO_PROXY", "s.example")], Some("a"), Some("a")),
        (&[("ALL_PROXY", "a"), ("NO_PROXY", "http://x, 1.2, .example")], None, None),
    ] {
        let ([one, other], errors) = of_variables(variables);
        assert_eq!((one.as_deref(), other.as_deref()), (secure, plain), "{variables:?}");
        assert!(errors.is_empty(), "{variables:?}: {errors:?}");
    }
    let (_, errors) = of_variables(&[("ALL_PROXY", "socks4://secret")]);
    assert_eq!(errors.len(), 1);
    let (_, errors) = of_variables(&[("HTTPS_PROXY", "socks4://secret"), ("http_proxy", "h:0")]);
    assert_eq!(errors.len(), 2);
    assert!(errors[0].ends_with("(from the environment's HTTPS_PROXY)"), "{errors:?}");
    assert!(errors[1].ends_with("(from the environment's http_proxy)"), "{errors:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_no_missing_one() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let not_utf8 = || OsString::from_vec(b"secret\xff".to_vec());
    let read = |name: &str| ["ALL_PROXY", "NO_PROXY"].contains(&name).then(not_utf8);
    let mut errors = Vec::new();
    Proxy::from_variables(read).check(None, &mut errors);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "proxy: must be UTF-8 (from the environment's ALL_PROXY)",
            "no_proxy: must be UTF-8 (from the environment's NO_PROXY)",
        ]
    );

    let cgi = |name: &str| match name {
        "REQUEST_METHOD" => Some(not_utf8()),
        "HTTP_PROXY" => Some("p".into()),
        _ => None,
    };
    assert_eq!(Proxy::variable(false, cgi), None);
}

#[test]
fn every_wrong_part_is_an_error_of_its_own() {
    let mut errors = Vec::new();
    Proxy::new("ftp://p").no_proxy("a.example, 1.2.3.4/99, b:c").check(None, &mut errors);
    let fields: Vec<_> = errors.iter().map(|error| (error.field(), error.value())).collect();
    assert_eq!(fields, [("proxy", ""), ("no_proxy", "1.2.3.4/99"), ("no_proxy", "b:c")]);
}

/// Its comma splits the password.
#[test]
fn a_url_in_no_proxy_shows_no_part_of_its_password() {
    let mut errors = Vec::new();
    Proxy::new("http://p").no_proxy("http://u:hunt,er2@h").check(None, &mut errors);
    let shown: Vec<_> = errors.iter().map(ConfigError::to_string).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(errors.iter().all(|error| error.value().is_empty()), "{shown:?}");
}

/// The layers to a server: what they are, and the name of TLS.
fn layers(router: &Router, url: &str) -> Vec<String> {
    let layer = |layer: &Layer<crate::route::TlsLayer>| match layer {
        Layer::Tls(tls) => format!("TLS to {}", tls.name().to_str()),
        Layer::Tunnel(_) => "tunnel".to_owned(),
    };
    router.route(&endpoint(url)).unwrap().layers.iter().map(layer).collect()
}

fn router(proxy: Proxy, tls: &Tls) -> Router {
    let proxies = proxy.check(Some(tls), &mut Vec::new());
    Router::new(Some(tls.clone()), Some(proxies))
}

#[test]
fn each_peer_is_known_by_its_own_name() {
    let tls = Tls::insecure().unwrap();
    for (proxy, plain, secure) in [
        ("http://p", &["tunnel"][..], &["tunnel", "TLS to s.example"][..]),
        ("socks5://p", &["tunnel"], &["tunnel", "TLS to s.example"]),
        ("https://p", &["TLS to p", "tunnel"], &["TLS to p", "tunnel", "TLS to s.example"]),
    ] {
        let router = router(Proxy::new(proxy).no_proxy("direct.example"), &tls);
        assert_eq!(layers(&router, "ws://s.example"), plain, "{proxy}");
        assert_eq!(layers(&router, "wss://s.example"), secure, "{proxy}");
        assert_eq!(layers(&router, "wss://direct.example"), ["TLS to direct.example"], "{proxy}");
        let hop = |url| router.route(&endpoint(url)).unwrap().hop.host().to_owned();
        assert_eq!(
            (hop("wss://s.example"), hop("ws://direct.example")),
            ("p".into(), "direct.example".into())
        );
    }
}

#[test]
fn a_failure_of_tls_to_a_proxy_is_told_of_the_proxy() {
    let router = router("https://p".into(), &Tls::insecure().unwrap());
    let route = router.route(&endpoint("ws://s.example")).unwrap();
    let [Layer::Tls(tls), _] = &route.layers[..] else { panic!() };
    let unknown = rustls::Error::from(rustls::CertificateError::UnknownIssuer);
    let failure = tls.failure(&io::Error::new(io::ErrorKind::InvalidData, unknown));
    assert_eq!(
        failure.detail(),
        "TLS to the proxy p:443 failed: the issuer of the proxy's certificate is not trusted; give \
         its CA or the certificate itself with Proxy::tls"
    );
}

#[test]
fn a_proxy_gets_neither_the_clients_certificate_nor_the_servers_alpn_nor_its_missing_check() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let trusted = Tls::pem(cert.as_bytes()).unwrap();
    let identified = trusted.with_client_certificate(cert.as_bytes(), key.as_bytes()).unwrap();
    let mut custom = rustls::ClientConfig::clone(&identified.config().unwrap());
    custom.alpn_protocols = vec![b"http/1.1".to_vec()];

    for tls in [identified, Tls::custom(Arc::new(custom))] {
        let router = router("https://p".into(), &tls);
        let route = router.route(&endpoint("wss://s.example")).unwrap();
        let [Layer::Tls(proxy), _, Layer::Tls(server)] = &route.layers[..] else { panic!() };
        let (of_proxy, of_server) = (proxy.config().unwrap(), server.config().unwrap());
        assert!(!of_proxy.client_auth_cert_resolver.has_certs());
        assert!(of_proxy.alpn_protocols.is_empty());
        assert!(of_server.client_auth_cert_resolver.has_certs());
    }

    let insecure = router("https://p".into(), &Tls::insecure().unwrap());
    let route = insecure.route(&endpoint("wss://s.example")).unwrap();
    let [Layer::Tls(proxy), _, Layer::Tls(server)] = &route.layers[..] else { panic!() };
    assert!(!proxy.is_insecure() && server.is_insecure());
}

proptest::proptest! {
    #[test]
    fn an_answer_in_any_pieces_has_one_outcome(
        start in proptest::sample::select(vec![
            &b""[..], b"HTTP/1.1 ", b"HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\n", &[5, 0], &[5, 2, 1, 0, 5, 0, 0, 3],
        ]),
        rest in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        most in 1_usize..9,
        is_http in proptest::bool::ANY,
    ) {
        let answer = [start, &rest].concat();
        let proxy = if is_http { "u:secret@p" } else { "socks5://u:secret@p" };
        let whole = talk(tunnel(proxy, SERVER), &[&answer]).1;
        let pieces: Vec<_> = answer.chunks(most).collect();
        proptest::prop_assert_eq!(talk(tunnel(proxy, SERVER), &pieces).1, whole);
    }
}
