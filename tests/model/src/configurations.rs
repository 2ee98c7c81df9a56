//! The configurations that are searched: each the settings of a connection, and the bounds of its world.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{Config, ConfigBuilder, ConfigErrors, Instant, JsonRule, Login, Secret};

use crate::message::Message;
use crate::sights::Sight;

/// The settings of a connection, and the bounds of the world around it.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// The settings.
    pub settings: Arc<Config>,
    /// What may be said of a socket.
    pub(crate) messages: &'static [Message],
    /// How many messages may be in flight at once.
    pub(crate) in_flight: u32,
    /// How many pings may be unanswered at once.
    pub(crate) pings: u32,
    /// How late an event may be, past its deadline.
    pub(crate) stall: Duration,
    /// What is longer ago than this counts as just so long ago: more than any span by which the settings judge the past.
    pub(crate) horizon: Instant,
    /// Whether the network is told to be back, and the application and the socket hold up what is read and written.
    pub(crate) hints: bool,
    /// What must have been seen once all histories are searched.
    pub(crate) expected: &'static [Sight],
}

/// All of them.
///
/// # Errors
/// A setting out of its limits.
pub fn configurations() -> Result<Vec<Configuration>, ConfigErrors> {
    Ok(vec![heartbeat()?, login()?, pressure()?])
}

/// A heartbeat whose timeout is shorter than its interval; two retries.
fn heartbeat() -> Result<Configuration, ConfigErrors> {
    Ok(Configuration {
        name: "heartbeat",
        settings: Arc::new(short().max_attempts(Some(2)).build()?),
        messages: &[
            Message::Opened,
            Message::Refused,
            Message::Unavailable,
            Message::Data,
            Message::Pong,
            Message::CloseNormal,
            Message::CloseRestart,
            Message::Reset,
        ],
        in_flight: 2,
        pings: 2,
        stall: Duration::from_secs(7),
        horizon: Instant::from_millis(12_000),
        hints: false,
        expected: &[
            ("disconnected", "close_received"),
            ("disconnected", "close_timeout"),
            ("disconnected", "connect_timeout"),
            ("disconnected", "lost"),
            ("disconnected", "open_failed"),
            ("disconnected", "pong_timeout"),
            ("disconnected", "requested"),
            ("gave_up", "attempts_spent"),
            ("gave_up", "close_code"),
            ("rejected", "closed"),
            ("rejected", "not_ready"),
            ("stale", "frame_received"),
            ("stale", "open_failed"),
            ("stale", "socket_failed"),
            ("stale", "socket_opened"),
        ],
    })
}

/// A login, and a heartbeat whose timeout is its interval; two retries.
fn login() -> Result<Configuration, ConfigErrors> {
    let login = Login::Message {
        send: Secret::new("login"),
        accepted: JsonRule::parse("/type=login_ok"),
        refused: JsonRule::parse("/type=login_refused"),
        timeout: Duration::from_secs(3),
    };
    let settings = short().login(login).heartbeat_timeout(Duration::from_secs(10));
    Ok(Configuration {
        name: "login",
        settings: Arc::new(settings.max_attempts(Some(2)).build()?),
        messages: &[
            Message::Opened,
            Message::Unauthorized,
            Message::Data,
            Message::Pong,
            Message::LoginAccepted,
            Message::LoginRefused,
            Message::CloseRestart,
            Message::Reset,
        ],
        in_flight: 2,
        pings: 2,
        stall: Duration::from_secs(7),
        horizon: Instant::from_millis(12_000),
        hints: false,
        expected: &[
            ("disconnected", "login_refused"),
            ("disconnected", "login_timeout"),
            ("disconnected", "pong_timeout"),
            ("gave_up", "attempts_spent"),
            ("gave_up", "http_status"),
            ("gave_up", "login_refused"),
            ("stale", "socket_opened"),
        ],
    })
}

/// A strict heartbeat, a watch over data, and an application and a socket that hold things up; one retry.
fn pressure() -> Result<Configuration, ConfigErrors> {
    let settings = short().heartbeat_strict(true).data_timeout(Some(Duration::from_secs(12)));
    Ok(Configuration {
        name: "pressure",
        settings: Arc::new(settings.max_attempts(Some(1)).build()?),
        messages: &[
            Message::Opened,
            Message::Refused,
            Message::Data,
            Message::Pong,
            Message::Reset,
        ],
        in_flight: 2,
        pings: 2,
        stall: Duration::from_secs(7),
        horizon: Instant::from_millis(31_000),
        hints: true,
        expected: &[
            ("disconnected", "data_timeout"),
            ("disconnected", "pong_timeout"),
            ("rejected", "write_blocked"),
            ("retry", "hint"),
            ("stale", "socket_opened"),
        ],
    })
}

/// Spans that are short beside each other, and differ.
fn short() -> ConfigBuilder {
    Config::builder()
        .initial_delay(Duration::from_secs(1))
        .max_delay(Duration::from_secs(4))
        .stable_after(Duration::from_secs(8))
        .heartbeat_interval(Duration::from_secs(10))
        .heartbeat_timeout(Duration::from_secs(4))
        .connect_timeout(Duration::from_secs(5))
        .close_timeout(Duration::from_secs(2))
}
