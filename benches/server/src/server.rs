//! Accepts connections on one thread, and gives each a task: an upgrade, or one of the two plain requests.

use std::cell::RefCell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink, stdin};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tungstenite::handshake::derive_accept_key;

use crate::connection::{Connection, Shared};

const HEADERS: usize = 100;

type Common = Rc<RefCell<Shared>>;

/// Serves until stdin ends.
pub(crate) fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = listen()?;
        println!("listening {}", listener.local_addr()?.port());
        tokio::select! {
            served = serve(listener) => served,
            ended = async { copy(&mut stdin(), &mut sink()).await } => ended.map(drop),
        }
    })
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
    socket.listen(4096)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let shared = Common::default();
    let (ask, mut asked) = mpsc::unbounded_channel();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn_local(attend(stream, Rc::clone(&shared), ask.clone()));
                }
                // Out of descriptors or memory: those who wait are accepted when some have left.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
            Some(stream) = asked.recv() => {
                connections.shutdown().await;
                shared.borrow_mut().pings = Vec::new();
                connections.spawn_local(answer(stream, "reset\n".to_owned()));
            }
        }
    }
}

/// Reads the request. One for the reset of all others is passed on.
async fn attend(
    mut stream: TcpStream,
    shared: Common,
    ask: mpsc::UnboundedSender<TcpStream>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    let (size, request) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(read) = Request::parse(&bytes)? {
            break read;
        }
    };
    match request {
        Request::Statistics => {
            let pings = serde_json::to_string(&shared.borrow().pings)?;
            answer(stream, pings).await
        }
        Request::Reset => {
            let _ = ask.send(stream); // its receiver lives as long as the server
            Ok(())
        }
        Request::Upgrade(accept) => {
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await?;
            Connection::new(stream, shared, bytes.split_off(size)).live().await
        }
    }
}

/// What a request asks for.
enum Request {
    /// A WebSocket; with the value of `Sec-WebSocket-Accept`.
    Upgrade(String),
    Statistics,
    Reset,
}

impl Request {
    /// Reads the request that `bytes` begin with, and how long its head is; `None` while it is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<(usize, Self)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(bytes).map_err(io::Error::other)?;
        let httparse::Status::Complete(size) = parsed else { return Ok(None) };
        let asked = match request.path {
            Some("/statistics") => Self::Statistics,
            Some("/reset") => Self::Reset,
            _ => {
                let mut headers = request.headers.iter();
                let key = headers.find(|it| it.name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
                Self::Upgrade(derive_accept_key(key.ok_or(io::ErrorKind::InvalidData)?.value))
            }
        };
        Ok(Some((size, asked)))
    }
}

/// Answers a plain request, and waits for the client's end: a socket closed before that would be reset.
async fn answer(mut stream: TcpStream, body: String) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await?;
    copy(&mut stream, &mut sink()).await.map(drop)
}
