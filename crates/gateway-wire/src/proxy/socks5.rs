//! SOCKS5 (RFC 1928), with user and password (RFC 1929). Every length is known before it is read.

use gateway_core::OpenError;

use super::server::{ProxyLogin, ProxyServer};
use super::tunnel::{Step, Target};
use crate::open_failure::OpenFailure;

const VERSION: u8 = 5;

// The methods of authentication (RFC 1928 section 3).
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

/// The version of the exchange of user and password (RFC 1929 section 2).
const PASSWORD_VERSION: u8 = 1;

const CONNECT: u8 = 1;

// The types of addresses (RFC 1928 section 5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The answers of a proxy.
pub(super) struct Socks5 {
    /// The request for the server.
    request: Vec<u8>,
    state: State,
    /// The bytes of the current part.
    part: Vec<u8>,
}

/// The part of the answers that comes next.
#[derive(Clone, Copy)]
enum State {
    /// Version, method.
    Method,
    /// Version, status of the login.
    Login,
    /// Version, reply.
    Reply,
    /// Reserved, type of the address.
    Kind,
    /// The length of a name.
    Length,
    /// The address and the port that the proxy uses, of this length. They mean nothing to a client.
    Address(usize),
}

impl State {
    const fn length(self) -> usize {
        match self {
            Self::Method | Self::Login | Self::Reply | Self::Kind => 2,
            Self::Length => 1,
            Self::Address(length) => length,
        }
    }
}

impl Socks5 {
    /// Returns the bytes to write first, and what reads the answers.
    pub(super) fn start(
        proxy: &ProxyServer,
        target: &Target,
    ) -> Result<(Vec<u8>, Self), OpenFailure> {
        let mut request = vec![VERSION, CONNECT, 0];
        match target.address {
            Some(std::net::IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend(address.octets());
            }
            Some(std::net::IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend(address.octets());
            }
            None => {
                let length = u8::try_from(target.host.len()).map_err(|_| {
                    let why = "speaks SOCKS5, which carries no name of more than 255 bytes";
                    proxy.failure(OpenError::Configuration, why)
                })?;
                request.extend([NAME, length]);
                request.extend(target.host.bytes());
            }
        }
        request.extend(target.port.to_be_bytes());
        let greeting = match proxy.login() {
            None => vec![VERSION, 1, NO_LOGIN],
            Some(_) => vec![VERSION, 2, NO_LOGIN, PASSWORD],
        };
        Ok((greeting, Self { request, state: State::Method, part: Vec::new() }))
    }

    /// How many bytes may be read: no more than the current part still has.
    pub(super) fn wants(&self) -> usize {
        self.state.length() - self.part.len()
    }

    /// Processes bytes of an answer. Appends what is to be written next to `output`.
    pub(super) fn received(
        &mut self,
        bytes: &[u8],
        output: &mut Vec<u8>,
        proxy: &ProxyServer,
    ) -> Result<Step, OpenFailure> {
        self.part.extend_from_slice(bytes);
        if self.part.len() < self.state.length() {
            return Ok(Step::More);
        }
        let part = std::mem::take(&mut self.part);
        let broken = |why: &str| proxy.failure(OpenError::Proxy, &format!("broke SOCKS5: {why}"));
        let login = |why: &str| proxy.failure(OpenError::ProxyCredentials, why);
        self.state = match (self.state, part.as_slice(), proxy.login()) {
            (State::Method, [VERSION, NO_LOGIN], _) => self.ask(output),
            (State::Method, [VERSION, PASSWORD], Some(login)) => {
                output.extend(credentials(login));
                State::Login
            }
            (State::Method, [VERSION, PASSWORD | NO_METHOD], None) => {
                let how = proxy.how_to_log_in();
                return Err(login(&format!("asks for a user and a password; {how}")));
            }
            (State::Method, [VERSION, NO_METHOD], Some(_)) => {
                return Err(login("does not accept authentication by user and password"));
            }
            (State::Method, [VERSION, _], _) => {
                return Err(broken("it chose an authentication that was not offered"));
            }
            // The version is not checked: some proxies send 5.
            (State::Login, [_, 0], _) => self.ask(output),
            (State::Login, _, _) => {
                return Err(login("does not accept the user and the password of its URL"));
            }
            (State::Reply, [VERSION, 0], _) => State::Kind,
            (State::Reply, [VERSION, reply], _) => {
                return Err(proxy.failure(OpenError::Proxy, &refusal(*reply)));
            }
            (State::Method | State::Reply, _, _) => {
                return Err(broken("it speaks another version"));
            }
            (State::Kind, [_, IPV4], _) => State::Address(4 + 2),
            (State::Kind, [_, IPV6], _) => State::Address(16 + 2),
            (State::Kind, [_, NAME], _) => State::Length,
            (State::Kind, _, _) => return Err(broken("the type of its address is unknown")),
            (State::Length, length, _) => {
                State::Address(length.iter().map(|byte| usize::from(*byte)).sum::<usize>() + 2)
            }
            (State::Address(_), _, _) => return Ok(Step::Done),
        };
        Ok(Step::More)
    }

    /// The failure if the stream has ended.
    pub(super) fn ended(&self, proxy: &ProxyServer) -> OpenFailure {
        match self.state {
            State::Login => {
                let what = "closed the connection when it got the user and the password of its URL";
                proxy.failure(OpenError::ProxyCredentials, what)
            }
            _ => proxy.failure(OpenError::Proxy, "closed the connection before it answered"),
        }
    }

    fn ask(&self, output: &mut Vec<u8>) -> State {
        output.extend_from_slice(&self.request);
        State::Reply
    }
}

/// The exchange of RFC 1929. [`ProxyServer`] limits the lengths to 255.
fn credentials(login: &ProxyLogin) -> Vec<u8> {
    let mut bytes = vec![PASSWORD_VERSION];
    for text in [login.user.reveal(), login.password.reveal()] {
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend(text.bytes());
    }
    bytes
}

/// The meaning of a reply (RFC 1928 section 6).
fn refusal(reply: u8) -> String {
    let meaning = match reply {
        1 => "general failure",
        2 => "its rules do not allow a connection to this server",
        3 => "the server's network is unreachable",
        4 => "the server is unreachable, or the proxy cannot resolve its name",
        5 => "the server refused the connection",
        6 => "the connection took too many hops",
        7 => "it does not support CONNECT",
        8 => "it does not support this type of address",
        _ => "the reply has no meaning",
    };
    format!("opened no connection to the server: {meaning} (SOCKS5 reply {reply})")
}
