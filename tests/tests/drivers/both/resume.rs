//! A server names another place, where the next socket resumes the session.

use gateway_tests::{Driver, Frame, Listener, calm, client, disconnected, refuse, serve};
use gateway_tokio::ClientEvent;
use gateway_tokio::core::{
    Dialect, DisconnectCause, Exchange, Interest, Message, Notice, OpenError, Received,
};

gateway_tests::on_every_driver! {
    a_socket_at_the_place_that_the_server_named_has_no_credentials_and_a_failure_leads_home
}

/// Resumes at the URL in each text.
struct Moves;

impl Dialect for Moves {
    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        if let Message::Text(url) = message {
            exchange.resume_at(url);
        }
        Received::Consume
    }
}

fn a_socket_at_the_place_that_the_server_named_has_no_credentials_and_a_failure_leads_home(
    driver: Driver,
) {
    let server = serve(async |home: Listener| {
        let away = Listener::bind().await;
        let mut first = home.peer().await;
        first.send(Frame::text(format!("{}/there", away.url()))).await;
        drop(first.stream);

        let mut second = away.peer().await;
        second.send(Frame::text(format!("{}/and/back", away.url()))).await;
        drop(second.stream);

        let third = refuse(away.tcp().await, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await;
        let fourth = home.peer().await;
        [first.head, second.head, third, fourth.head].map(|head| {
            let secrets = ["authorization", "cookie"].map(|name| head.header(name).is_some());
            (head.target().to_owned(), secrets)
        })
    });
    let mut client = client!(driver, format!("{}/home", server.url), calm(),
        .header("Authorization", "Bearer t").header("Cookie", "c=1").dialect(|| Box::new(Moves)));

    let mut readies = 0;
    let events = client.until(|event| {
        readies += u32::from(matches!(event, ClientEvent::Notice(Notice::Ready { .. })));
        readies == 3
    });

    let refused = DisconnectCause::OpenFailed(OpenError::Http { status: 500, retry_after: None });
    assert_eq!(disconnected(&events).last(), Some(&refused));
    let seen = |path: &str, has_secrets| (path.to_owned(), [has_secrets; 2]);
    let expected = [("/home", true), ("/there", false), ("/and/back", false), ("/home", true)];
    assert_eq!(server.join(), expected.map(|(path, has_secrets)| seen(path, has_secrets)));
}
