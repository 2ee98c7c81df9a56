//! The configurations to search: each has the settings of a connection and the bounds of its
//! environment.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    AcceptanceRule, Config, ConfigBuilder, ConfigErrors, HeartbeatKind, Instant, JsonRule, Login,
    RefusalRule, Secret,
};

use crate::message::Message;
use crate::speech::{Ask, Asks};
use crate::step::What;

/// The settings of a connection, and the bounds of its environment.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// The settings.
    pub settings: Arc<Config>,
    /// The possible events of a socket.
    pub(crate) messages: &'static [Message],
    /// How many messages may be in flight at once.
    pub(crate) in_flight: u32,
    /// How many pings may be unanswered at once.
    pub(crate) pings: u32,
    /// How late an event may be, past its deadline.
    pub(crate) stall: Duration,
    /// Anything longer ago than this counts as exactly this long ago. It is longer than any span in the settings.
    pub(crate) horizon: Instant,
    /// Other events: hints of the operating system, and an application or a socket that stalls.
    pub(crate) extras: &'static [What],
    /// What the dialect may ask for in a call. The first choice is nothing.
    pub(crate) speech: &'static [Asks],
    /// The longest histories to search, if all would be too many.
    pub(crate) depth: Option<usize>,
    /// What a complete search must have seen: kinds of news, each with a list of words.
    pub(crate) expected: &'static [(&'static str, &'static str)],
}

/// All of them.
///
/// # Errors
/// If a setting is out of its limits.
pub fn configurations() -> Result<Vec<Configuration>, ConfigErrors> {
    Ok(vec![
        heartbeat()?,
        login()?,
        pressure()?,
        held()?,
        slow()?,
        data()?,
        online()?,
        suspend()?,
        probe()?,
        renewal()?,
        asking()?,
        budget()?,
        dialect()?,
    ])
}

/// What most of them share.
fn world(name: &'static str, settings: ConfigBuilder) -> Result<Configuration, ConfigErrors> {
    Ok(Configuration {
        name,
        settings: Arc::new(settings.build()?),
        messages: &[],
        in_flight: 1,
        pings: 2,
        stall: Duration::from_secs(7),
        horizon: Instant::from_millis(12_000),
        extras: &[],
        speech: &[&[]],
        depth: None,
        expected: &[],
    })
}

/// A heartbeat with a timeout shorter than its interval; a connect timeout that grows; two retries.
fn heartbeat() -> Result<Configuration, ConfigErrors> {
    let settings = short().connect_timeout_max(Duration::from_secs(8));
    Ok(Configuration {
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
        in_flight: 3,
        expected: &[
            (
                "disconnected",
                "close_received close_timeout connect_timeout lost open_failed pong_timeout requested",
            ),
            ("gave_up", "attempts_spent close_code"),
            ("order", "abort_socket"),
            ("rejected", "closed not_ready"),
            ("stale", "frame_received open_failed socket_failed socket_opened"),
        ],
        ..world("heartbeat", settings.max_attempts(Some(2)))?
    })
}

/// A login, and a heartbeat whose timeout is its interval; two retries.
fn login() -> Result<Configuration, ConfigErrors> {
    let settings = short().login(message_login()).heartbeat_timeout(Duration::from_secs(10));
    Ok(Configuration {
        messages: &[
            Message::Opened,
            Message::Unauthorized,
            Message::Data,
            Message::Pong,
            Message::LoginAccepted,
            Message::LoginRefused,
            Message::CloseGoingAway,
            Message::CloseRestart,
            Message::Reset,
        ],
        in_flight: 2,
        expected: &[
            ("disconnected", "login_refused login_timeout pong_timeout"),
            ("refused", "softened not_softened without_a_close"),
            ("gave_up", "attempts_spent http_status login_refused"),
            ("stale", "socket_opened"),
        ],
        ..world("login", settings.max_attempts(Some(2)))?
    })
}

/// A strict heartbeat, and an application and a socket that stall; one retry.
fn pressure() -> Result<Configuration, ConfigErrors> {
    let settings = short().heartbeat_strict(true);
    Ok(Configuration {
        messages: &[Message::Opened, Message::Data, Message::Pong, Message::Reset],
        in_flight: 2,
        extras: &[What::Pause, What::Resume, What::Block, What::Flush],
        expected: &[
            ("disconnected", "pong_timeout"),
            ("rejected", "write_blocked"),
            ("stale", "socket_opened"),
        ],
        ..world("pressure", settings.max_attempts(Some(1)))?
    })
}

/// A socket that accepts pings late or never; no retry. At most one ping is unanswered. With two, each timeout
/// could start a millisecond before the end of the other, and the number of states would be infinite.
fn held() -> Result<Configuration, ConfigErrors> {
    Ok(Configuration {
        messages: &[Message::Opened, Message::Pong, Message::Reset],
        pings: 1,
        horizon: Instant::from_millis(60_000),
        extras: &[
            What::Hold(0, 0),
            What::Hold(64 << 10, 3_000),
            What::Progress,
            What::Hand(0),
            What::WriteBehind(128 << 10),
        ],
        expected: &[
            ("disconnected", "pong_timeout write_stall"),
            ("held", "pong_received"),
            ("order", "abort_socket"),
            ("ping", "handed_over held progressed written_at_once"),
        ],
        ..world("held", short().max_attempts(Some(0)))?
    })
}

/// The same with data, and an application that stops reading. Data and a resume restart the timeout of a held
/// ping, each time at another distance to the next ping, so histories are cut off.
fn slow() -> Result<Configuration, ConfigErrors> {
    Ok(Configuration {
        name: "slow",
        messages: &[Message::Opened, Message::Data, Message::Pong],
        pings: 2,
        extras: &[
            What::Pause,
            What::Resume,
            What::Hold(64 << 10, 3_000),
            What::Progress,
            What::Hand(128 << 10),
        ],
        depth: Some(11),
        expected: &[
            ("disconnected", "pong_timeout write_stall"),
            ("held", "pong_received"),
            ("order", "abort_socket"),
            ("ping", "handed_over held progressed"),
        ],
        ..held()?
    })
}

/// A data timeout and the heartbeat; one retry. Two timers can interleave in too many ways, so histories are
/// cut off.
fn data() -> Result<Configuration, ConfigErrors> {
    let settings = short().data_timeout(Some(Duration::from_secs(6)));
    Ok(Configuration {
        messages: &[Message::Opened, Message::Data, Message::Pong, Message::Reset],
        depth: Some(20),
        expected: &[("disconnected", "data_timeout pong_timeout"), ("stale", "socket_opened")],
        ..world("data", settings.max_attempts(Some(1)))?
    })
}

/// A network that is reported back, and a spread after a ready connection; one retry. A hint is honoured once in
/// 30 s, so the past matters longer.
fn online() -> Result<Configuration, ConfigErrors> {
    let settings = short().spread(Duration::from_secs(3));
    Ok(Configuration {
        messages: &[Message::Opened, Message::Refused, Message::Pong, Message::Reset],
        horizon: Instant::from_millis(31_000),
        extras: &[What::Online],
        expected: &[
            ("retry", "backoff hint spread"),
            ("disconnected", "pong_timeout"),
            ("stale", "socket_opened"),
        ],
        ..world("online", settings.max_attempts(Some(1)))?
    })
}

/// A machine that sleeps, and a login; two retries. Wall-clock times never repeat, so histories are cut off.
fn suspend() -> Result<Configuration, ConfigErrors> {
    let settings = short().login(message_login());
    Ok(Configuration {
        messages: &[Message::Opened, Message::LoginAccepted, Message::Pong, Message::Reset],
        horizon: Instant::from_millis(31_000),
        extras: &[What::Wake, What::Sleep],
        depth: Some(7),
        expected: &[
            ("notice", "clock_jumped ready"),
            ("retry", "hint"),
            ("stale", "socket_opened"),
        ],
        ..world("suspend", settings.max_attempts(Some(2)))?
    })
}

/// A machine that sleeps, also while a ping is held; no retry. Histories are cut off as in `suspend`.
fn probe() -> Result<Configuration, ConfigErrors> {
    Ok(Configuration {
        messages: &[Message::Opened, Message::Pong],
        horizon: Instant::from_millis(60_000),
        extras: &[What::Wake, What::Sleep, What::Hold(0, 0), What::Hand(0)],
        depth: Some(7),
        expected: &[
            ("disconnected", "pong_timeout write_stall"),
            ("held", "clock_jumped"),
            ("order", "abort_socket"),
        ],
        ..world("probe", short().max_attempts(Some(0)))?
    })
}

/// A renewal before the second ping, and a user who reconnects, with a login; one retry.
fn renewal() -> Result<Configuration, ConfigErrors> {
    let settings = short().login(message_login()).renew_after(Some(Duration::from_secs(11)));
    Ok(Configuration {
        messages: &[
            Message::Opened,
            Message::LoginAccepted,
            Message::LoginRefused,
            Message::Pong,
            Message::Reset,
        ],
        extras: &[What::Reconnect, What::Drained],
        depth: Some(12),
        expected: &[
            ("disconnected", "reconnect renewal login_refused pong_timeout"),
            ("retry", "hint"),
        ],
        ..world("renewal", settings.max_attempts(Some(1)))?
    })
}

/// A provider that answers, fails with each verdict, or hangs, and may answer late or twice; a user who
/// reconnects, and a machine that sleeps; one retry. Histories are cut off as in `suspend`.
fn asking() -> Result<Configuration, ConfigErrors> {
    let settings = short().ask_provider(true).attempt_timeout(Duration::from_secs(6));
    Ok(Configuration {
        messages: &[
            Message::Provided,
            Message::ProviderFailed,
            Message::ProviderBusy,
            Message::ProviderClosed,
            Message::Opened,
            Message::Refused,
        ],
        horizon: Instant::from_millis(31_000),
        extras: &[What::Reconnect, What::Sleep],
        depth: Some(6),
        expected: &[
            (
                "disconnected",
                "attempt_timeout connect_timeout open_failed provider reconnect requested",
            ),
            ("gave_up", "attempts_spent provider"),
            ("notice", "clock_jumped ready"),
            ("rejected", "not_ready"),
            ("retry", "backoff hint policy"),
            ("stale", "provider_answered provider_failed socket_opened"),
        ],
        ..world("asking", settings.max_attempts(Some(1)))?
    })
}

/// A budget that allows an open at once or 4 s later; a user who reconnects, a network that comes back,
/// and a machine that sleeps; one retry. Histories are cut off as in `suspend`.
fn budget() -> Result<Configuration, ConfigErrors> {
    let settings = short().shared_budget(true);
    Ok(Configuration {
        messages: &[Message::Opened, Message::Refused, Message::Reset],
        horizon: Instant::from_millis(31_000),
        extras: &[
            What::Reserve(0),
            What::Reserve(4_000),
            What::Reconnect,
            What::Online,
            What::Sleep,
        ],
        depth: Some(6),
        expected: &[
            ("disconnected", "connect_timeout lost open_failed reconnect requested"),
            ("gave_up", "attempts_spent"),
            ("notice", "clock_jumped ready"),
            ("retry", "backoff budget hint"),
        ],
        ..world("budget", settings.max_attempts(Some(1)))?
    })
}

/// A dialect that pings, and may log in, refuse the login, leave, set the heartbeat and expect something
/// of the server; one retry. Its effects combine in too many ways, so histories are cut off.
fn dialect() -> Result<Configuration, ConfigErrors> {
    let settings = short().heartbeat(HeartbeatKind::Dialect).login(message_login());
    Ok(Configuration {
        messages: &[Message::Opened, Message::Data, Message::LoginAccepted, Message::Reset],
        extras: &[What::Reconnect],
        speech: &[
            &[],
            &[Ask::Send],
            &[Ask::Accept, Ask::Expect, Ask::Send],
            &[Ask::Refuse, Ask::Send],
            &[Ask::Leave, Ask::Accept],
            &[Ask::Pong, Ask::Faster],
            &[Ask::Zero],
        ],
        depth: Some(8),
        expected: &[
            ("disconnected", "dialect login_refused login_timeout pong_timeout reconnect"),
            ("notice", "effect_ignored ready"),
        ],
        ..world("dialect", settings.max_attempts(Some(1)))?
    })
}

fn message_login() -> Login {
    Login::Message {
        send: Secret::new("login"),
        accepted: JsonRule::parse("/type=login_ok")
            .map_or(AcceptanceRule::Any, AcceptanceRule::Json),
        refused: RefusalRule::parse("/type=login_refused").into_iter().collect(),
        timeout: Duration::from_secs(3),
    }
}

/// Short spans, all different.
fn short() -> ConfigBuilder {
    Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .initial_delay(Duration::from_secs(1))
        .max_delay(Duration::from_secs(4))
        .stable_after(Duration::from_secs(8))
        .heartbeat_interval(Duration::from_secs(10))
        .heartbeat_timeout(Duration::from_secs(4))
        .connect_timeout(Duration::from_secs(5))
        .close_timeout(Duration::from_secs(2))
}
