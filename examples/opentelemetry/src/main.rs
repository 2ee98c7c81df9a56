//! Sends the drivers' `tracing` events to OpenTelemetry, and prints the spans without a collector.
//!
//! ```sh
//! cargo run --manifest-path examples/opentelemetry/Cargo.toml
//! ```
//!
//! All events of a client are in its span `client`. OpenTelemetry exports a span when it ends, which
//! is when the client is dropped. A span keeps 128 events, unless you allow more. So for a client that
//! runs for days, send the events as logs instead (`opentelemetry-appender-tracing`), and use this for
//! clients whose life is a unit of work.

use std::error::Error;
use std::time::Duration;

use gateway_hostile::{Script, Server};
use gateway_std::core::{CloseFrame, Config, Notice};
use gateway_std::{Client, ClientEvent};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> Result<(), Box<dyn Error>> {
    // For a collector, replace this exporter by the one of `opentelemetry-otlp`.
    let exporter = opentelemetry_stdout::SpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter)
        .with_max_events_per_span(1_024)
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("gateway"));
    // Transitions are at info. At trace, each frame would be an event.
    let clients = Targets::new().with_target("gateway_wire", LevelFilter::INFO);
    tracing_subscriber::registry().with(layer.with_filter(clients)).init();

    // A server that closes the first connection with 1012, so that there is a reconnect to see.
    let server = Server::builder().script(Script::named("close-1012")?).faults(1).start()?;
    life_of_a_client(&server.url())?;
    provider.shutdown()?; // exports what is left
    Ok(())
}

/// Connects, reconnects, sends a message, receives its echo, and closes. The span ends with the client.
fn life_of_a_client(url: &str) -> Result<(), Box<dyn Error>> {
    let config = Config::builder().initial_delay(Duration::from_millis(50)).build()?;
    let mut client = Client::builder(url).name("traced").config(config).build()?;
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Notice(Notice::Ready { socket, .. }) if socket.number() > 1 => {
                client.send("hello")?;
            }
            ClientEvent::Message(_) => client.close(CloseFrame::NORMAL),
            _ => {}
        }
    }
    Ok(())
}
