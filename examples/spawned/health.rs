//! A health endpoint: 200 while the client is ready, otherwise 503, with a snapshot in JSON. It asks the
//! client's handle, and keeps no state of its own.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example spawned_health -- ws://127.0.0.1:9001
//! curl -i http://127.0.0.1:8080/health
//! ```

use std::error::Error;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use gateway_tokio::{Client, ClientEvent, Events, Handle};
use tokio::net::TcpListener;

// ANCHOR: program
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let url = std::env::args().nth(1).ok_or("usage: spawned_health ws://HOST:PORT/PATH")?;
    let (handle, events) = Client::builder(url).name("feed").build()?.spawn();
    tokio::spawn(work(events));
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, router(handle)).await?;
    Ok(())
}

/// The endpoint `/health`.
pub(crate) fn router(client: Handle) -> Router {
    Router::new().route("/health", get(health)).with_state(client)
}

async fn health(State(client): State<Handle>) -> Response {
    let status = match client.status() {
        Ok(status) => status, // one snapshot: its fields belong together
        Err(gone) => return (StatusCode::INTERNAL_SERVER_ERROR, gone.to_string()).into_response(),
    };
    let code = match status.is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(status)).into_response()
}
// ANCHOR_END: program

/// Your application's work.
pub(crate) async fn work(mut events: Events) {
    while let Some(event) = events.next().await {
        if let ClientEvent::Message(message) = event {
            drop(message);
        }
    }
}
