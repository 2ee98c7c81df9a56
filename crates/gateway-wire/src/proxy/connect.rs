//! HTTP CONNECT (RFC 9110 section 9.3.6): the request, and the proxy's answer.

use data_encoding::BASE64;
use gateway_core::OpenError;

use super::server::{ProxyLogin, ProxyServer};
use super::tunnel::{Step, Target};
use crate::handshake::USER_AGENT;
use crate::handshake::head::{Head, starts_like_http};
use crate::handshake::refusal::Refusal;
use crate::hidden::Hidden;
use crate::open_failure::OpenFailure;

/// The longest head that is read, in bytes, including the interim answers before it.
const MAX_HEAD: usize = 16 << 10;

/// The bytes that one read of a refusal's body takes.
const BODY: usize = 512;

/// An answer that is being read.
pub(super) struct Connect {
    answer: Vec<u8>,
    /// The length of the interim answers.
    skipped: usize,
    refusal: Option<Refusal>,
}

/// The meaning of a complete head.
enum Judged {
    Accepted,
    Interim,
    /// The proxy wants a user and a password. Whether it accepts Basic authorization.
    LogIn(bool),
    Refused(Refusal),
}

impl Connect {
    /// Returns the bytes to write, and what reads the answer.
    pub(super) fn start(proxy: &ProxyServer, target: &Target) -> (Vec<u8>, Self) {
        let authority = target.authority();
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(login) = proxy.login() {
            request += &format!("Proxy-Authorization: {}\r\n", basic(login));
        }
        request += &format!("User-Agent: {USER_AGENT}\r\n\r\n");
        (request.into_bytes(), Self { answer: Vec::new(), skipped: 0, refusal: None })
    }

    /// How many bytes may be read. The bytes behind the head are the server's, and stay in the
    /// socket. So the head is read byte by byte: some hundred short reads for each connection, which
    /// take less time than one round trip.
    pub(super) const fn wants(&self) -> usize {
        if self.refusal.is_some() { BODY } else { 1 }
    }

    pub(super) fn received(
        &mut self,
        bytes: &[u8],
        proxy: &ProxyServer,
    ) -> Result<Step, OpenFailure> {
        if let Some(refusal) = &mut self.refusal {
            refusal.received(bytes);
            return if refusal.is_whole() { Err(self.ended(proxy)) } else { Ok(Step::More) };
        }
        self.answer.extend_from_slice(bytes);
        let head = &self.answer[self.skipped..];
        let is_whole = head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n");
        if !is_whole && starts_like_http(head) && self.answer.len() < MAX_HEAD {
            return Ok(Step::More);
        }
        let broken = |why: &str| proxy.failure(OpenError::Proxy, &format!("broke HTTP: {why}"));
        let judged = Head::read(head, MAX_HEAD - self.skipped, |head| match head.status {
            200..=299 => Judged::Accepted, // its Content-Length and Transfer-Encoding mean nothing
            100..=199 if head.status != 101 => Judged::Interim,
            407 => Judged::LogIn(offers_basic(head)),
            _ => Judged::Refused(Refusal::new(head)),
        });
        let judged = judged.map_err(|why| broken(&why.words("it", MAX_HEAD)))?;
        match judged.map(|(_, judged)| judged) {
            None => Ok(Step::More),
            Some(Judged::Accepted) => Ok(Step::Done),
            Some(Judged::Interim) => {
                self.skipped = self.answer.len();
                Ok(Step::More)
            }
            Some(Judged::LogIn(is_basic)) => {
                Err(proxy.failure(OpenError::ProxyCredentials, &log_in(is_basic, proxy)))
            }
            Some(Judged::Refused(refusal)) => {
                self.answer = Vec::new();
                let is_whole = refusal.is_whole();
                self.refusal = Some(refusal);
                if is_whole { Err(self.ended(proxy)) } else { Ok(Step::More) }
            }
        }
    }

    /// Whether the proxy has refused, and only the body with the reason may still come.
    pub(super) const fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// The failure if nothing more comes.
    pub(super) fn ended(&self, proxy: &ProxyServer) -> OpenFailure {
        match &self.refusal {
            Some(refusal) => {
                let hidden = proxy.login().map_or_else(Hidden::default, hidden);
                proxy.failure(OpenError::Proxy, &refusal.words(&hidden))
            }
            None => proxy.failure(OpenError::Proxy, "closed the connection before it answered"),
        }
    }
}

/// Whether the answer offers Basic authentication. An answer that offers nothing does.
fn offers_basic(head: &Head<'_>) -> bool {
    let is_basic = |value: &[u8]| {
        let mut challenges = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        challenges.any(|challenge| {
            let scheme = challenge.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"Basic")
        })
    };
    let mut offers = head.values("Proxy-Authenticate").peekable();
    offers.peek().is_none() || offers.any(is_basic)
}

fn log_in(is_basic: bool, proxy: &ProxyServer) -> String {
    match (is_basic, proxy.login()) {
        (false, _) => "answered 407, and asks for another authentication than Basic, which this \
                       client does not know"
            .to_owned(),
        (true, None) => {
            format!("answered 407: it asks for a user and a password; {}", proxy.how_to_log_in())
        }
        (true, Some(_)) => {
            "answered 407: it does not accept the user and the password of its URL".to_owned()
        }
    }
}

fn pair(login: &ProxyLogin) -> String {
    format!("{}:{}", login.user.reveal(), login.password.reveal())
}

fn basic(login: &ProxyLogin) -> String {
    format!("Basic {}", BASE64.encode(pair(login).as_bytes()))
}

/// What a proxy's text must not show.
fn hidden(login: &ProxyLogin) -> Hidden {
    let ProxyLogin { user, password } = login;
    Hidden::of_login(user).and_login(password).and_login(&pair(login).into())
}
