//! A user's own `Dial` under the client's TLS.

use std::net::SocketAddr;

use gateway_tests::{Certificates, Driver, Either, Listener, Peer, calm, serve};
use gateway_tokio::core::{CloseFrame, DisconnectCause, OpenError};
use gateway_tokio::{OpenFailure, OpenStep, Tls};
use tokio::io::{AsyncWriteExt as _, BufStream};

gateway_tests::on_every_driver! {
    the_client_performs_tls_over_a_stream_that_the_user_opened
    a_stream_of_the_users_to_a_server_without_tls_fails_in_tls
}

/// Connects to this address, whatever the endpoint is.
struct To(SocketAddr);

impl gateway_tokio::Dial for To {
    fn dial(&self, _: &gateway_tokio::Endpoint) -> gateway_tokio::Dialing {
        let address = self.0;
        Box::pin(async move {
            let tcp = tokio::net::TcpStream::connect(address).await;
            let tcp = tcp.map_err(|error| OpenFailure::classify(OpenStep::Connect, &error))?;
            // A type of which the client knows nothing.
            Ok(Box::new(BufStream::new(tcp)) as Box<dyn gateway_tokio::Transport>)
        })
    }
}

impl gateway_std::Dial for To {
    fn dial(
        &self,
        _: &gateway_std::Endpoint,
    ) -> Result<Box<dyn gateway_std::Transport>, OpenFailure> {
        let tcp = std::net::TcpStream::connect(self.0)
            .and_then(|tcp| tcp.set_nonblocking(true).map(|()| tcp));
        let tcp = tcp.map_err(|error| OpenFailure::classify(OpenStep::Connect, &error))?;
        Ok(Box::new(mio::net::TcpStream::from_std(tcp)))
    }
}

/// A client of a server that its name does not lead to.
fn client(driver: Driver, tls: Tls, url: &str) -> Either {
    let to = To(url.strip_prefix("ws://").unwrap().parse().unwrap());
    let config = || calm().max_attempts(Some(0)).build().unwrap();
    let url = "wss://server.invalid";
    let tokio = || gateway_tokio::Client::builder(url).config(config()).tls(tls.clone());
    match driver {
        Driver::Tokio => Either::from(tokio().dial_under_tls(to)),
        Driver::Spawned => Either::spawned(tokio().dial_under_tls(to)),
        Driver::Std => {
            let builder = gateway_std::Client::builder(url).config(config()).tls(tls.clone());
            Either::from(builder.dial_under_tls(to))
        }
    }
}

fn the_client_performs_tls_over_a_stream_that_the_user_opened(driver: Driver) {
    let certificates = Certificates::new("server.invalid");
    let tls = certificates.trusted();
    let server = serve(async move |listener: Listener| {
        let stream = listener.tls(certificates.acceptor()).await.unwrap();
        Peer::accept(stream).await.echo().await;
    });
    let mut client = client(driver, tls, &server.url);
    let large = vec![7; 900_000];

    client.until_ready();
    client.send(large.clone()).unwrap();

    assert!(client.message().as_bytes() == large);
    client.close(CloseFrame::NORMAL);
    assert_eq!(client.lost(), DisconnectCause::Requested);
    server.join();
}

fn a_stream_of_the_users_to_a_server_without_tls_fails_in_tls(driver: Driver) {
    let server = serve(async |listener: Listener| {
        let mut tcp = listener.tcp().await;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let mut client = client(driver, Certificates::new("x").trusted(), &server.url);
    assert_eq!(client.lost(), DisconnectCause::OpenFailed(OpenError::Tls));
}
