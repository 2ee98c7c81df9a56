//! Every line that `gateway connect` reads has an outcome, also in the exit status. What happens at
//! the end of stdin.

use std::io;

use super::common::{Client, SHORT, Server, rest, soon};
use gateway_tests::{Frame, Peer};
use tokio::net::TcpStream;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

/// The next frame with this first byte.
pub(super) async fn next(peer: &mut Peer<TcpStream>, first: u8) -> Frame {
    loop {
        let frame = peer.frame().await;
        if frame.first == first {
            return frame;
        }
        if frame.first == PING {
            peer.send(Frame::pong(frame.payload)).await;
        }
    }
}

/// Waits for the client's Close and answers it, as far as the client still reads.
pub(super) async fn closed(peer: &mut Peer<TcpStream>) {
    let close = next(peer, CLOSE).await;
    peer.send(close).await;
}

/// A line that is longer than what the system takes of it, whose peer does not read, and then the
/// peer is gone.
async fn away_with_a_line(arguments: &[&str]) -> io::Result<Client> {
    let arguments = [&["--heartbeat", "off"], arguments].concat();
    let (mut client, peer) = Client::with_peer(&arguments).await;
    client.event("ready").await;
    client.send(&format!("{}\n", "x".repeat(14 << 20))).await;
    // It has been read once its first byte is here.
    assert_eq!(soon(peer.stream.peek(&mut [0])).await?, 1);
    Ok(client)
}

#[tokio::test]
async fn a_line_without_an_outcome_fails_the_end_by_a_signal_and_by_giving_up() -> io::Result<()> {
    let away = ["--initial-delay", "10m", "--max-delay", "10m"];
    for (flags, is_signalled) in [(away.as_slice(), true), (&["--max-attempts", "0"], false)] {
        let mut client = away_with_a_line(flags).await?;
        if is_signalled {
            client.event("retry").await;
            client.signal("-INT").await;
        }

        let (status, events) = client.end().await;

        assert_eq!(status.code(), Some(1), "{events:?}");
        let sends = events.iter().filter(|event| event["event"] == "send");
        assert_eq!(sends.filter(|event| event["outcome"] != "sent").count(), 1, "{events:?}");
    }
    Ok(())
}

/// A client whose only line has come to the peer, and whose stdin is at its end.
async fn asked(flags: &[&str]) -> (Client, Peer<TcpStream>) {
    let arguments = [&["--heartbeat-interval", "100ms"], flags].concat();
    let (mut client, mut peer) = Client::with_peer(&arguments).await;
    client.send("question\n").await;
    client.stdin = None;
    next(&mut peer, TEXT).await;
    (client, peer)
}

#[tokio::test]
async fn answers_that_come_late_are_waited_for_by_number() {
    let (mut client, mut peer) = asked(&["--wait-for", "2"]).await;
    peer.send(Frame::text("one")).await;
    // A ping comes only where it did not close.
    next(&mut peer, PING).await;
    peer.send(Frame::text("two")).await;

    closed(&mut peer).await;

    assert_eq!((client.line().await, client.line().await), ("one".to_owned(), "two".to_owned()));
    assert_eq!(client.end().await.0.code(), Some(0));
}

#[tokio::test]
async fn answers_that_come_late_are_waited_for_by_time() {
    let (mut client, mut peer) = asked(&["--linger", "10m"]).await;
    next(&mut peer, PING).await;
    peer.send(Frame::text("late")).await;
    assert_eq!(client.line().await, "late");
    client.signal("-TERM").await;
    closed(&mut peer).await;
    assert_eq!(client.end().await.0.code(), Some(0));

    let server = Server::start(&[]).await;
    for flags in [["--linger", "1ms"].as_slice(), &["--linger", "1ms", "--wait-for", "1000"]] {
        let mut client = Client::start(&server.url, &[SHORT.as_slice(), flags].concat());
        client.send("question\n").await;
        client.stdin = None;
        assert_eq!(client.end().await.0.code(), Some(0));
    }
}

#[tokio::test]
async fn with_1_one_message_is_written_of_several() {
    let (mut client, mut peer) = Client::with_peer(&["-1", "--output", "json"]).await;
    client.send("question\nanother\n").await;
    next(&mut peer, TEXT).await;
    let answers = ["one", "two", "three"].map(|answer| Frame::text(answer).bytes());
    peer.write(answers.concat()).await;

    let close = peer.frame().await;
    assert_eq!(close.first, CLOSE, "another line was sent: {close:?}");
    peer.send(close).await;
    let stdout = client.stdout.take().expect("it is open").into_inner();
    assert_eq!(rest(stdout).await, "{\"text\":\"one\"}\n");
    assert_eq!(client.end().await.0.code(), Some(0));
}

#[cfg(target_os = "linux")]
mod without_a_reader {
    use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream, process::Stdio};

    use gateway_tests::{Frame, Listener};
    use tokio::io::AsyncWriteExt as _;

    use super::super::common::{Client, gateway, soon};
    use super::{CLOSE, TEXT, closed, next};

    #[tokio::test]
    async fn it_ends_while_the_peer_says_nothing() {
        for is_ended in [false, true] {
            let (mut client, mut peer) = Client::with_peer(&["--heartbeat", "off"]).await;
            client.event("ready").await;
            if is_ended {
                client.stdin = None;
            }

            client.stdout = None;

            closed(&mut peer).await;
            assert_eq!(client.end().await.0.code(), Some(0), "stdin has ended: {is_ended}");
        }
    }

    /// Some programs read the output of others from a socket.
    #[tokio::test]
    async fn it_ends_if_stdout_is_a_socket() -> io::Result<()> {
        let listener = Listener::bind().await;
        let mut command = gateway(&["connect", &listener.url(), "--heartbeat", "off"]);
        let (reader, stdout) = UnixStream::pair()?;
        command.stdin(Stdio::piped()).stdout(OwnedFd::from(stdout)).stderr(Stdio::null());
        let mut client = command.spawn()?;
        drop(command); // it has the socket
        let mut peer = listener.peer().await;

        drop(reader);

        closed(&mut peer).await;
        assert_eq!(soon(client.wait()).await?.code(), Some(0));
        Ok(())
    }

    #[tokio::test]
    async fn lines_that_are_there_are_sent_and_half_a_line_is_told_of() {
        for flags in [["--heartbeat", "off"].as_slice(), &["--heartbeat", "off", "--outbox", "9"]] {
            let listener = Listener::bind().await;
            let mut client = Client::start(&listener.url(), flags);
            client.send("one\ntwo\nhalf").await;
            client.stdout = None;

            let mut peer = listener.peer().await;

            assert_eq!(next(&mut peer, TEXT).await.payload, b"one");
            let rest = [peer.frame().await, peer.frame().await];
            assert_eq!(rest.each_ref().map(|frame| frame.first), [TEXT, CLOSE], "{rest:?}");
            // The rest of the line is no line.
            let _ = client.stdin.as_mut().expect("it is open").write_all(b"rest\n").await;
            let [_, close] = rest;
            peer.send(close).await;
            let (status, events) = client.end().await;
            assert_eq!(status.code(), Some(1), "{events:?}");
            let outcomes = events.iter().filter(|event| event["event"] == "send");
            let outcomes: Vec<_> = outcomes.filter_map(|event| event["outcome"].as_str()).collect();
            let last = outcomes.iter().filter(|outcome| **outcome != "queued").collect::<Vec<_>>();
            assert!(last.contains(&&"rejected") && last.len() == 3, "{events:?}");
        }
    }

    #[tokio::test]
    async fn input_that_has_an_end_is_read_to_its_end() {
        for flags in
            [["--exit-on-eof"].as_slice(), &["--linger", "10m"], &["--wait-for", "9"], &["-1"]]
        {
            let arguments = [&["--heartbeat", "off"], flags].concat();
            let (mut client, mut peer) = Client::with_peer(&arguments).await;
            client.event("ready").await;
            client.stdout = None;
            // The program notices by a write, too.
            peer.send(Frame::text("to nobody")).await;
            peer.send(Frame::ping(b"?")).await;
            assert_eq!(peer.frame().await, Frame::pong(b"?"));

            client.send("late\n").await;

            assert_eq!(next(&mut peer, TEXT).await.payload, b"late", "{flags:?}");
            client.stdin = None;
            closed(&mut peer).await;
            assert_eq!(client.end().await.0.code(), Some(0), "{flags:?}");
        }
    }
}
