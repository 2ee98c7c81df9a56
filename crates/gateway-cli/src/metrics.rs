//! `--metrics ADDR`: the connection's metrics for a Prometheus server, over HTTP.
//!
//! A thread of its own renders and serves them, so that a scrape neither slows the connection nor
//! delays the end of the program.

use std::{
    convert::Infallible,
    future, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use gateway_tokio::{METRICS, MetricKind};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use thiserror::Error;
use tokio::{net::TcpStream, runtime, sync::Semaphore};

use crate::clock;

/// The version of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of a histogram's buckets, in seconds: from a round trip in a data centre to the
/// longest usual delay.
const BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 40.0, 300.0];

/// The most connections at a time. Others wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 8;
/// The longest that a connection may last. Each serves one request.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);
/// The longest wait for a request's head, so that connections without one soon free their places.
const LONGEST_HEAD_WAIT: Duration = Duration::from_secs(1);
/// The most bytes of a request's head. hyper allows no less.
const LONGEST_HEAD: usize = 8 << 10;
/// The recorder keeps each value of a histogram until then. It does so without scrapes, too.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failed accept, for example without free file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Why metrics cannot be served.
#[derive(Debug, Error)]
pub(crate) enum CannotServe {
    #[error("--metrics {address} cannot listen: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("--metrics cannot be served: {0}")]
    Start(#[from] io::Error),
    #[error("--metrics cannot be served: {0}")]
    Buckets(#[from] BuildError),
}

/// Listens at this address, and serves what the returned recorder gets until the program ends.
///
/// # Errors
/// If the address cannot be bound, or no thread can be started.
pub(crate) fn serve(address: SocketAddr) -> Result<PrometheusRecorder, CannotServe> {
    let listener =
        TcpListener::bind(address).map_err(|source| CannotServe::Listen { address, source })?;
    let bound = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let recorder = recorder()?;
    let handle = recorder.handle();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, handle).await,
                Err(error) => tracing::error!(%error, "metrics are not served"),
            }
        });
    })?;
    tracing::info!("metrics are at http://{bound}/metrics");
    Ok(recorder)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let histograms = METRICS.iter().filter(|metric| metric.kind == MetricKind::Histogram);
    let builder =
        histograms.into_iter().try_fold(PrometheusBuilder::new(), |builder, metric| {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), &BUCKETS)
        })?;
    Ok(builder.build_recorder())
}

async fn accept(listener: tokio::net::TcpListener, handle: PrometheusHandle) {
    tokio::spawn(upkeep(handle.clone()));
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return }; // never closed
        match listener.accept().await {
            Ok((stream, _)) => {
                let handle = handle.clone();
                tokio::spawn(async move {
                    let _place = place;
                    // A scraper that is slow or gone concerns nobody else.
                    let _ = clock::within(LONGEST_CONNECTION, connection(stream, handle)).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a scrape was not accepted");
                clock::until(Some(clock::after(PAUSE))).await;
            }
        }
    }
}

async fn upkeep(handle: PrometheusHandle) {
    loop {
        clock::until(Some(clock::after(UPKEEP_EVERY))).await;
        handle.run_upkeep();
    }
}

async fn connection(stream: TcpStream, handle: PrometheusHandle) -> hyper::Result<()> {
    let service =
        service_fn(|request| future::ready(Ok::<_, Infallible>(answer(&request, &handle))));
    http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEAD_WAIT)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// The body of a request is not read.
fn answer<B>(request: &Request<B>, handle: &PrometheusHandle) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/metrics" if is_read => {
            let response = Response::builder().header(CONTENT_TYPE, TEXT_FORMAT);
            body(response, handle.render())
        }
        "/metrics" => {
            let response = Response::builder().status(StatusCode::METHOD_NOT_ALLOWED);
            body(response.header(ALLOW, "GET, HEAD"), String::new())
        }
        _ => {
            let response = Response::builder().status(StatusCode::NOT_FOUND);
            body(response, "metrics are at /metrics\n".to_owned())
        }
    }
}

fn body(response: hyper::http::response::Builder, text: String) -> Response<Full<Bytes>> {
    response.body(Full::from(text)).expect("its headers are constants")
}
