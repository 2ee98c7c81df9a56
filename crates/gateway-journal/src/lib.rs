//! Records all events and actions of a connection into a file, and replays them anywhere. So a bug
//! report can be a file.
//!
//! The core is a pure function of its settings, its seed and its events. A [`Recorder`] writes
//! these three while a driver runs. A [`Replay`] passes them to a new
//! [`Connection`](gateway_core::Connection), without sockets and clocks, and compares its actions
//! with the recorded ones. They only differ if the core has changed.
//!
//! ```
//! use gateway_core::{Config, Connection, Event, Instant, Observer};
//! use gateway_journal::{Journal, Recorder};
//!
//! // A driver does this part: gateway-tokio's `Builder::observer` takes the recorder.
//! let mut bytes = Vec::new();
//! let mut recorder = Recorder::new(&mut bytes, |error| panic!("{error}"));
//! let (config, seed) = (Config::default(), 7);
//! recorder.begin(&config, seed);
//! let mut connection = Connection::from_seed(config.into(), seed);
//! let (now, event) = (Instant::ZERO, Event::ConnectRequested);
//! let actions = connection.handle(now, event);
//! recorder.observe(&connection.observed(now, event, &actions));
//! drop(recorder); // writes the end
//!
//! // Later, elsewhere: the same actions.
//! for step in Journal::read(bytes.as_slice())?.replay() {
//!     let step = step?;
//!     println!("{}", step.description());
//!     assert!(step.is_as_recorded());
//! }
//! # Ok::<(), gateway_journal::JournalError>(())
//! ```
//!
//! # What does a journal contain?
//!
//! A journal contains only what the core received and returned, and what the driver did with messages
//! and requests:
//!
//! - **A message:** its kind and its length, never its content.
//! - **A request:** its length, its timeout, and the id that the client gave it.
//! - **The login:** whether there is one, and its timeout.
//! - **A Close frame:** the code, without the reason.
//! - **The seed.** It predicts the delays to come, and nothing else.
//!
//! It contains nothing of the URL, the headers and the credentials, and nothing of a provider's
//! request.
//!
//! # The format
//!
//! A journal is UTF-8 text with one JSON object in each line. The recorder writes and flushes each
//! line at once, so a crash loses nothing that was recorded before. The first line is the head:
//!
//! | field | what it is |
//! |---|---|
//! | `journal` | `"gateway"` |
//! | `version` | the format's version: 2 |
//! | `seed` | the connection's seed, an integer up to 2^64 − 1 |
//! | `config` | all settings, as [`Config`](gateway_core::Config) is serialized, without the login's secret |
//!
//! Every line between the first and the last is a [`Line`]. Most are an [`Entry`], with one event:
//!
//! | field | what it is |
//! |---|---|
//! | `n` | the line's number, counted from 1; a gap means that lines are missing |
//! | `t_ns` | the time of the event, in nanoseconds since the driver's epoch; it may run backwards |
//! | `event` | the event that the core received, see below |
//! | `actions` | the [`Action`](gateway_core::Action)s that the core returned, in order |
//! | `state` | the state after the event, in capitals |
//! | `dialect` | the calls of the dialect and what it asked for, without its texts; absent if there were none |
//!
//! The others are a [`SendingEntry`], with a fact about messages or requests. They have `n` and `t_ns`
//! as well, and `sending` in place of the other fields. A replay does not need them, but the reader
//! checks that they agree with each other.
//!
//! The last line is the end, `{"end":{"events":12}}`, with the number of lines between. The recorder
//! writes it when it is dropped. A journal without it breaks off: the program was killed, a write
//! failed, or the file was cut. A replay then replays the entries that exist, and ends with an
//! error.
//!
//! An event or action is a name, such as `"tick"`, or a name with fields, such as
//! `{"socket_opened":{"socket":1}}`. A number has its unit in its name (`_ns`, `_ms`, `_s`,
//! `bytes`), and is exact.
//!
//! | event | fields |
//! |---|---|
//! | `connect_requested`, `reconnect_requested`, `login_accepted`, `tick` | – |
//! | `open_reserved` | `at_ns` |
//! | `close_requested` | `code`; `reason_bytes` unless 0 |
//! | `send_requested` | `kind` (`text`, `binary`), `bytes` |
//! | `login_rejected` | `verdict` (`retry`, `retry_no_sooner_than_ns`, `refresh_credentials`, `fatal`) |
//! | `provider_failed` | `socket`; `verdict`, as for `login_rejected` |
//! | `provider_answered`, `socket_opened`, `bytes_received`, `write_blocked`, `flushed`, `reading_paused`, `reading_resumed`, `write_progressed`, `drained` | `socket` |
//! | `ping_held` | `socket`; `bytes`, those before the ping when it was queued; `idle_ns`, for how long the transport had taken none |
//! | `ping_handed` | `socket`, `unproven_bytes` |
//! | `open_failed` | `socket`; `error`, where `http` has `status` and, if there was one, `retry_after` (`delay_s`, `date_unix_ms`) |
//! | `socket_failed` | `socket`, `failure` |
//! | `frame_received` | `socket`; `frame`, see below |
//! | `wall_clock` | `unix_ms` |
//! | `network_changed` | `network` (`online`, `offline`) |
//!
//! | `sending` | fields |
//! |---|---|
//! | `message_queued` | `number`, that of its outcome; `bytes` |
//! | `message_buffered` | `number`; the message left the outbox for the write buffer |
//! | `messages_returned` | `first`, `last`; the socket was lost, and they are in the outbox again |
//! | `messages_settled` | `first`, `last`; `fate` (`maybe_sent`, `rejected`, `expired`; `sent` only if the application asked for it) |
//! | `message_refused` | `bytes`; `why`. A message that the core refused has its event instead |
//! | `request_made` | `request`, `bytes`, `idempotent`, `timeout_ns` |
//! | `request_buffered` | `request`, `id` |
//! | `request_ended` | `request`; `end` (`answered`, `timed_out`, `not_sent`, `maybe_sent`, `correlation`, `forgotten`) |
//! | `answer_unmatched` | – |
//! | `rate_limited`, `drain_started` | `until_ns` |
//!
//! | frame | fields |
//! |---|---|
//! | `text` | `bytes`; `recognised`, unless `other`: whether it is a heartbeat in JSON, `ping` or `pong`, with the timestamp or null; `login`, unless `not_an_answer`: `accepted`, `accepted_and_delivered`, or `refused` with its verdict |
//! | `binary`, `ping` | `bytes` |
//! | `pong` | `bytes`; `number`, if the payload is a decimal number, as a heartbeat's is |
//! | `close` | `code`, unless the frame had none; `reason_bytes` unless 0 |
//!
//! An unknown field is an error, so that no journal of a later version is half understood.
//!
//! A setting that the head does not name has its default.
//!
//! A journal of another version is refused. Version 1 was recorded under other rules of the
//! heartbeat, and without `ping_held`, `write_progressed` and `ping_handed`, so it would not replay
//! as recorded. Replay it with the version of the program that recorded it, or record it again.
#![warn(clippy::pedantic, clippy::exhaustive_enums)]
#![allow(clippy::module_name_repetitions)] // `JournalError` reads well where it is used

mod description;
mod entry;
mod error;
mod fact;
mod history;
mod ranges;
mod read;
mod record;
mod replay;

pub use description::{Description, action_words, sending_words};
pub use entry::{
    Entry, Head, Line, SendingEntry, VERSION, end_line, entry_line, head_line, sending_line,
};
pub use error::{JournalError, Problem};
pub use fact::{Fact, FrameFact, Kind};
pub use read::{Journal, MAX_LINE};
pub use record::{RecordError, Recorder};
pub use replay::{MAX_PAYLOAD, Replay, Replayed, Step};
