//! Runs the example of a fleet, against the hostile server of this project.

use gateway_hostile::Server;
use gateway_tokio::EndKind;

#[allow(dead_code, reason = "its main is not run")]
#[path = "../fleet/feeds.rs"]
mod feeds;

#[tokio::test]
async fn the_feeds_run_until_they_are_stopped() {
    let server = Server::builder().start().unwrap();
    let (fleet, events) = feeds::start(20, &server.url()).unwrap();
    let names = fleet.names();
    for name in &names {
        let handle = fleet.handle(name.as_str()).unwrap();
        handle.send("hello").await.unwrap();
    }

    let account = feeds::run(fleet, events, std::future::ready(())).await;

    assert_eq!(names.first().unwrap().as_str(), "feed-000");
    assert!(account.clients.iter().all(|client| client.end == EndKind::Closed), "{account:?}");
    assert_eq!((account.total().accepted, account.total().sent), (20, 20));
}
