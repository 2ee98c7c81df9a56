//! A bug report is a file: what a connection was told and answered, recorded in the field and replayed anywhere.
//!
//! The core is a pure function of its settings, its seed and its events. A [`Recorder`] writes these three while
//! a driver runs; a [`Replay`] hands them to a new [`Connection`](gateway_core::Connection), without sockets and
//! clocks, and shows where its actions are others than the recorded ones: none, unless the core has changed.
//!
//! ```
//! use gateway_core::{Config, Connection, Event, Instant, Observed, Observer};
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
//! let (state, deadline) = (connection.state(), connection.next_deadline());
//! let observed = Observed { now, event, actions: actions.as_slice(), state, deadline };
//! recorder.observe(&observed, connection.dialect());
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
//! # What is in a journal, and what is not
//!
//! What the core was told, and no more: the kind and the length of a message, never its content; nothing of URL, headers
//! and credentials; of the login only that there is one, and its timeout; of a Close frame the code, without the reason.
//! The seed is in it: it foretells the delays to come, nothing else.
//!
//! # The format
//!
//! One JSON object a line, in UTF-8, each line written and flushed at once: what was recorded before a crash is there.
//! The first line is the head:
//!
//! | field | what it is |
//! |---|---|
//! | `journal` | `"gateway"` |
//! | `version` | the format's version: 2 |
//! | `seed` | the connection's seed, an integer up to 2^64 − 1 |
//! | `config` | the settings, as [`Config`](gateway_core::Config) is written: every one of them, and of a login no secret |
//!
//! Every line after it but the last is an [`Entry`], one event:
//!
//! | field | what it is |
//! |---|---|
//! | `n` | its number among the events, counted from 1: where one is left out, lines are missing |
//! | `t_ns` | the time that the core was told, in nanoseconds since the driver's epoch; it may run backwards |
//! | `event` | what the core was told, see below |
//! | `actions` | what it answered, in order: [`Action`](gateway_core::Action)s |
//! | `state` | the state after it, in capitals |
//!
//! The last line is the end, `{"end":{"events":12}}`, with the number of the events. It is written when the recorder is dropped: a journal
//! without it breaks off, because the program was killed, a write failed, or the file was cut. What is there is replayed, and then that is told.
//!
//! An event or an action is a name, `"tick"`, or a name with what belongs to it, `{"socket_opened":{"socket":1}}`. A number has its
//! unit in its name (`_ns`, `_ms`, `_s`, `bytes`), and is exact.
//!
//! | event | fields |
//! |---|---|
//! | `connect_requested`, `login_accepted`, `tick` | – |
//! | `close_requested` | `code`; `reason_bytes` unless 0 |
//! | `send_requested` | `kind` (`text`, `binary`), `bytes` |
//! | `login_rejected` | `verdict` (`retry`, `retry_no_sooner_than_ns`, `refresh_credentials`, `fatal`) |
//! | `socket_opened`, `bytes_received`, `write_blocked`, `flushed`, `reading_paused`, `reading_resumed`, `write_progressed` | `socket` |
//! | `ping_held` | `socket`; `bytes`, those before the ping when it was queued; `idle_ns`, the time for which the transport had taken none |
//! | `ping_handed` | `socket`, `unproven_bytes` |
//! | `open_failed` | `socket`; `error`, where `http` has `status` and, if there was one, `retry_after` (`delay_s`, `date_unix_ms`) |
//! | `socket_failed` | `socket`, `failure` |
//! | `frame_received` | `socket`; `frame`, see below |
//! | `wall_clock` | `unix_ms` |
//! | `network_changed` | `network` (`online`, `offline`) |
//!
//! | frame | fields |
//! |---|---|
//! | `text` | `bytes`; `recognised`, what the dialect takes it for, unless it is `other`: `ping` or `pong`, with the timestamp or null; `login`, unless `not_an_answer`: `accepted`, `accepted_and_delivered`, or `refused` with its verdict |
//! | `binary`, `ping` | `bytes` |
//! | `pong` | `bytes`; `number`, where the payload is a decimal number as a heartbeat's is |
//! | `close` | `code`, unless the frame had none; `reason_bytes` unless 0 |
//!
//! A field that is not known is an error: a journal of a later version is not half understood.
//!
//! A journal of another version is refused. Version 1 was recorded under other rules of the heartbeat, and without
//! `ping_held`, `write_progressed` and `ping_handed`: it would not replay as recorded. Replay it with the version of the
//! program that recorded it, or record it again.
#![warn(clippy::pedantic, clippy::exhaustive_enums)]
#![allow(clippy::module_name_repetitions)] // `JournalError` reads well where it is used

mod description;
mod entry;
mod error;
mod fact;
mod read;
mod record;
mod replay;

pub use description::{Description, action_words};
pub use entry::{Entry, Head, VERSION, end_line, entry_line, head_line};
pub use error::{JournalError, Problem};
pub use fact::{Fact, FrameFact, Kind};
pub use read::{Journal, MAX_LINE};
pub use record::{RecordError, Recorder};
pub use replay::{MAX_PAYLOAD, Replay, Replayed, Step};
