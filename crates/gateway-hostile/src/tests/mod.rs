//! The server on real loopback sockets, against tungstenite's client and against bare TCP.

mod accepts;
mod answers;
mod control;
mod dialects;
mod openings;
mod scripts;

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        error::ProtocolError,
        handshake::client::{Request, Response},
    },
};

use crate::{
    clock,
    control::Control,
    dialect::{ServedDialect, envelope},
    logins::LoginRules,
    options::Options,
    script::Script,
    server::{ServeError, Server},
};

type Client = WebSocketStream<TcpStream>;

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// For how long nothing must come, where nothing is to come.
const SILENCE: Duration = Duration::from_millis(150);
/// A beat that does not pass during a test.
const STILL: Duration = Duration::from_secs(600);

/// A server that runs in a task of its own.
struct Running {
    address: SocketAddr,
    control: Control,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

fn start(options: Options) -> Running {
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(loopback, options).expect("a free port");
    let (address, control) = (server.local_addr(), server.control());
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running { address, control, stop, task }
}

/// A server with a script, whose beats do not pass.
fn start_script(name: &str) -> Running {
    start(Options { script: script(name), beat: STILL, ..Options::default() })
}

fn script(name: &str) -> &'static Script {
    Script::named(name).expect("a script of the table")
}

impl Running {
    async fn dial(&self) -> io::Result<TcpStream> {
        soon(TcpStream::connect(self.address)).await
    }

    fn request(&self) -> Request {
        format!("ws://{}/", self.address).into_client_request().expect("a request")
    }

    async fn try_connect(&self, request: Request) -> Result<(Client, Response), Error> {
        let tcp = self.dial().await?;
        soon(client_async(request, tcp)).await
    }

    async fn connect(&self) -> Client {
        self.try_connect(self.request()).await.expect("an upgrade").0
    }

    /// Stops the server, and waits until it has ended.
    async fn stop(self) {
        let _ = self.stop.send(());
        soon(self.task).await.expect("no panic").expect("no error");
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    clock::within(PATIENCE, work).await.expect("it took too long")
}

async fn say(client: &mut Client, text: &str) {
    soon(client.send(Message::text(text))).await.expect("the connection is open");
}

/// The next thing that a client meets, in a word or two.
async fn hear(client: &mut Client) -> String {
    match soon(client.next()).await {
        Some(Ok(Message::Text(text))) => text.to_string(),
        Some(Ok(Message::Binary(bytes))) => format!("{bytes:?}"),
        Some(Ok(Message::Close(Some(frame)))) => format!("close {}", u16::from(frame.code)),
        Some(Ok(message)) => format!("{message:?}"),
        Some(Err(Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
            "lost".to_owned()
        }
        Some(Err(Error::Protocol(_))) => "protocol error".to_owned(),
        Some(Err(Error::Utf8(_))) => "bad UTF-8".to_owned(),
        Some(Err(Error::Capacity(_))) => "too large".to_owned(),
        Some(Err(error)) => format!("{error:?}"),
        None => "end".to_owned(),
    }
}

async fn is_silent<T>(work: impl Future<Output = T>) -> bool {
    clock::within(SILENCE, work).await.is_none()
}
