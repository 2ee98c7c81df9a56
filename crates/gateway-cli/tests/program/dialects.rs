//! `gateway dialects`, and what `gateway connect` sends on every ready.

use gateway_tests::{Frame, Listener};

use super::common::{Client, Ended, Server, file, gateway, run, words};

#[tokio::test]
async fn the_presets_are_listed_and_each_can_be_printed() {
    let Ended { status, stdout, stderr } = run(gateway(&["dialects"]), b"").await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let names: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"json") && names.contains(&"mqtt"), "{stdout}");

    for name in names {
        let printed = run(gateway(&["dialects", name]), b"").await;
        assert_eq!((printed.status, printed.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(!printed.stdout.trim().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_preset_in_rust_tells_what_it_sets() {
    let printed = run(gateway(&["dialects", "mqtt"]), b"").await.stdout;

    for fact in [
        "# It can use the secrets: client_id, password, username\n",
        "# It offers the subprotocols: mqtt\n",
        "# It adds to a URL without a path: /mqtt\n",
        "# Its rules for close codes: 1000 = refresh\n",
    ] {
        assert!(printed.contains(fact), "{fact}: {printed}");
    }
    assert!(printed.lines().all(|line| line.starts_with("# ")), "{printed}");
    let printed = run(gateway(&["dialects", "discord"]), b"").await.stdout;
    assert!(printed.contains("# It needs the secrets: token\n"), "{printed}");
}

#[tokio::test]
async fn a_printed_preset_is_a_dialect_of_its_own() {
    let printed = run(gateway(&["dialects", "ping"]), b"").await;
    let mine = file("mine.toml", &printed.stdout);
    let server = Server::start(&["--dialect", "ping"]).await;
    let fast = words("--heartbeat-interval 100ms --heartbeat-timeout 100ms --dialect");
    let mut client =
        Client::start(&server.url, &[&fast[..], &[mine.to_str().expect("text")]].concat());

    let pong = client.event("pong").await;

    assert!(pong["rtt_ms"].is_f64(), "{pong}");
}

#[tokio::test]
async fn a_preset_that_does_not_exist_is_an_error_with_near_names() {
    let Ended { status, stdout, stderr } = run(gateway(&["dialects", "homeassistant"]), b"").await;

    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("no preset \"homeassistant\"; near it: home-assistant"), "{stderr}");
}

/// In their order, before anything from standard input, and again after a loss.
#[tokio::test]
async fn messages_for_every_ready_are_sent_again_after_a_loss() {
    let second = file("second.txt", "two");
    let second = format!("@{}", second.display());
    let arguments = ["--on-ready", "one", "--on-ready", &second, "--initial-delay", "10ms"];
    let listener = Listener::bind().await;
    let mut client = Client::start(&listener.url(), &arguments);
    client.send("three\n").await;

    let mut peer = listener.peer().await;
    for expected in ["one", "two", "three"] {
        assert_eq!(peer.frame().await, Frame::text(expected));
    }

    drop(peer);
    let mut peer = listener.peer().await;
    for expected in ["one", "two"] {
        assert_eq!(peer.frame().await, Frame::text(expected));
    }
}

#[tokio::test]
async fn a_secret_without_a_dialect_is_an_error_and_is_not_shown() {
    let line = ["connect", "ws://h", "--secret", "token=hunter2"];

    let Ended { status, stderr, .. } = run(gateway(&line), b"").await;

    assert_eq!(status, Some(2));
    assert!(stderr.contains("secrets.token = (hidden): is for a dialect"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}
