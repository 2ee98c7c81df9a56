//! A scripted proxy on loopback: it reads what a client asks for, then does what the test says.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "each test runs with all of them")]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Connect,
    /// SOCKS5.
    Socks5,
}

/// What a client asked a proxy for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests take it apart")]
pub struct Asked {
    /// The host and the port, as the client wrote them.
    pub place: String,
    /// The user and the password: as SOCKS5 has them, or the value of `Proxy-Authorization`.
    pub login: Option<String>,
    /// All that the client wrote, for CONNECT.
    pub head: String,
}

impl ProxyKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Connect, Self::Socks5];

    /// The URL of such a proxy.
    #[must_use]
    pub fn url(self, place: &str) -> String {
        match self {
            Self::Connect => format!("http://{place}"),
            Self::Socks5 => format!("socks5h://{place}"),
        }
    }

    /// The answer that opens a tunnel.
    #[must_use]
    pub const fn accepts(self) -> &'static [u8] {
        match self {
            Self::Connect => b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n",
            Self::Socks5 => b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50",
        }
    }

    /// Reads a client's request. A SOCKS5 proxy asks for a user and a password if the client has
    /// some.
    ///
    /// # Panics
    /// The client hangs up, or breaks the protocol.
    pub async fn read(self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Asked {
        match self {
            Self::Connect => connect(stream).await,
            Self::Socks5 => socks5(stream).await,
        }
    }
}

async fn connect(stream: &mut (impl AsyncRead + Unpin)) -> Asked {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    let head = String::from_utf8(head).expect("visible characters");
    let place = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' '));
    let place = place.expect("CONNECT").0.to_owned();
    let login = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
    Asked { place, login: login.map(str::to_owned), head: head.clone() }
}

async fn socks5(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Asked {
    assert_eq!(stream.read_u8().await.expect("a version"), 5);
    let methods = bytes(stream).await;
    let login = if methods.contains(&2) {
        stream.write_all(&[5, 2]).await.expect("a client");
        assert_eq!(stream.read_u8().await.expect("a version"), 1);
        let (user, password) = (text(stream).await, text(stream).await);
        stream.write_all(&[1, 0]).await.expect("a client");
        Some(format!("{user}:{password}"))
    } else {
        stream.write_all(&[5, 0]).await.expect("a client");
        None
    };
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.expect("a request");
    let host = match request {
        [5, 1, 0, 3] => text(stream).await,
        [5, 1, 0, 1] => {
            std::net::Ipv4Addr::from(stream.read_u32().await.expect("an address")).to_string()
        }
        other => panic!("a request of another kind: {other:?}"),
    };
    let port = stream.read_u16().await.expect("a port");
    Asked { place: format!("{host}:{port}"), login, head: String::new() }
}

/// Bytes with their length before them.
async fn bytes(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await.expect("a length"))];
    stream.read_exact(&mut bytes).await.expect("so many bytes");
    bytes
}

async fn text(stream: &mut (impl AsyncRead + Unpin)) -> String {
    String::from_utf8(bytes(stream).await).expect("a text")
}

/// Passes bytes between a client and a server on this port, until one of them ends.
pub async fn relay(mut client: impl AsyncRead + AsyncWrite + Unpin, port: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
