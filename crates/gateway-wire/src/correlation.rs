//! How a request and its answer find each other.

mod place;

use std::fmt::{self, Write as _};

use gateway_core::{ConfigError, JsonRule, json_pointer};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use self::place::{NotJson, Place};
use crate::message::Message;

/// The greatest integer that JavaScript reads exactly.
const GREATEST: u64 = (1 << 53) - 1;

/// How requests and their answers find each other. Implement it for protocols that
/// [`JsonCorrelator`] does not fit.
///
/// A client calls [`attach`](Self::attach) for each request, and [`answered`](Self::answered) for
/// each message that it receives. These run where an observer runs: under the lock of a spawned client
/// of `gateway-tokio`. They must not block, and a call of a client from within them fails. If `attach`
/// panics, the request ends with [`CorrelationError::Other`]. If `answered` panics, the message is an
/// ordinary one.
///
/// In this example, a message begins with its id in decimal:
///
/// ```
/// use gateway_wire::{CorrelationError, Correlator, Message};
///
/// struct Numbered;
///
/// impl Correlator for Numbered {
///     fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
///         let text = request.as_text().ok_or(CorrelationError::Binary)?;
///         Ok(Message::text(format!("{id} {text}")))
///     }
///
///     fn answered(&mut self, message: &Message) -> Option<u64> {
///         let (id, _) = message.as_text()?.split_once(' ')?;
///         id.parse().ok()
///     }
/// }
///
/// let request = Numbered.attach(7, &"status".into())?;
/// assert_eq!(request.as_text(), Some("7 status"));
/// assert_eq!(Numbered.answered(&"7 all is well".into()), Some(7));
/// # Ok::<(), CorrelationError>(())
/// ```
pub trait Correlator: Send + Sync + 'static {
    /// Returns the request with this id in it.
    ///
    /// # Errors
    /// The request has no place for an id. Then it is not sent.
    fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError>;

    /// Returns the id of the request that `message` answers. `None` means that the message is no
    /// answer.
    fn answered(&mut self, message: &Message) -> Option<u64>;

    /// Returns the greatest id. After it, ids start again at 1, and ids of pending requests are
    /// skipped. The client calls this once, when it is built.
    ///
    /// By default it is 2⁵³ − 1, the greatest integer that JavaScript reads exactly.
    fn greatest_id(&self) -> u64 {
        GREATEST
    }
}

/// Why a request has no place for an id. The error never contains text of the request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorrelationError {
    /// The request is a binary message, and the protocol's requests are texts.
    #[error("the request is a binary message")]
    Binary,
    /// The request is not JSON.
    #[error("the request is not JSON")]
    NotJson,
    /// The object that should contain the id does not exist in the request, or is not an object. Or
    /// it is a list that has no item with this index.
    #[error("the request has no place for an id at {pointer}")]
    NoPlace {
        /// The pointer of the id.
        pointer: String,
    },
    /// Another reason, which a [`Correlator`] of the application gives. Do not put text of the
    /// request into it, because errors are logged.
    #[error("the request cannot have an id: {0}")]
    Other(String),
}

/// A [`Correlator`] for messages in JSON, whose id is at a JSON pointer
/// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)).
///
/// It writes the id into the request's text, and changes no other byte of the text. If there is a
/// value at the pointer, the id replaces it. Otherwise, the id becomes the first member of its
/// object, which must exist. If an object has a name twice, the last one counts.
///
/// In an answer, the id is a whole number, or a string of decimal digits without a sign or leading
/// zeros. A message with anything else at the pointer is no answer.
///
/// ```
/// use gateway_wire::core::JsonRule;
/// use gateway_wire::{Correlator, JsonCorrelator};
///
/// let result = JsonRule::parse("/type=result").unwrap();
/// let mut correlator = JsonCorrelator::new("/id")?.only(result);
///
/// let request = correlator.attach(7, &r#"{"type": "get_states"}"#.into())?;
/// assert_eq!(request.as_text(), Some(r#"{"id":7,"type": "get_states"}"#));
/// assert_eq!(correlator.answered(&r#"{"type":"result","id":7}"#.into()), Some(7));
/// assert_eq!(correlator.answered(&r#"{"type":"event","id":7}"#.into()), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonCorrelator {
    /// The pointer in requests.
    request: String,
    /// The tokens of `request`, unescaped.
    tokens: Vec<String>,
    /// The last token as a name in JSON, with a colon.
    name: String,
    /// The pointer in answers.
    answer: String,
    /// Around the id in requests: nothing, or a quotation mark.
    quote: &'static str,
    greatest: u64,
    only: Vec<JsonRule>,
    except: Vec<JsonRule>,
}

impl JsonCorrelator {
    /// The most tokens of a pointer, which is the most levels of nesting around an id.
    pub const DEEPEST: usize = 100;

    /// Creates a correlator whose id is at this pointer, in requests and in answers.
    ///
    /// # Errors
    /// An error in `requests.id`: the pointer is empty, because an id cannot be the whole request;
    /// it does not start with `/`; it has a `~` that is not `~0` or `~1`; or it has more than
    /// [`DEEPEST`](Self::DEEPEST) tokens.
    pub fn new(pointer: impl Into<String>) -> Result<Self, ConfigError> {
        const FIELD: &str = "requests.id";
        let request = checked(FIELD, pointer.into())?;
        let tokens = tokens(&request);
        let Some(last) = tokens.last() else {
            let limit = "must not be empty: an id cannot be the whole request";
            return Err(ConfigError::new(FIELD, "", limit));
        };
        let name = format!("{}:", serde_json::Value::from(last.as_str()));
        Ok(Self {
            answer: request.clone(),
            request,
            name,
            tokens,
            quote: "",
            greatest: GREATEST,
            only: Vec::new(),
            except: Vec::new(),
        })
    }

    /// Sets another pointer for answers. It may be empty: then the whole answer is
    /// the id.
    ///
    /// # Errors
    /// An error in `requests.answer`, for the same reasons as in [`new`](Self::new).
    pub fn answer(self, pointer: impl Into<String>) -> Result<Self, ConfigError> {
        Ok(Self { answer: checked("requests.answer", pointer.into())?, ..self })
    }

    /// Writes the id as a string, such as `"7"`, instead of a number.
    #[must_use]
    pub fn text_ids(self) -> Self {
        Self { quote: "\"", ..self }
    }

    /// Sets the [greatest id](Correlator::greatest_id). It is at least 1.
    #[must_use]
    pub fn greatest(self, id: u64) -> Self {
        Self { greatest: id.max(1), ..self }
    }

    /// Accepts only answers that match this rule. If you call it again, answers must match one of
    /// the rules.
    #[must_use]
    pub fn only(mut self, rule: JsonRule) -> Self {
        self.only.push(rule);
        self
    }

    /// Accepts no answer that matches this rule, such as one that only acknowledges a request. You
    /// can call it again with further rules.
    #[must_use]
    pub fn except(mut self, rule: JsonRule) -> Self {
        self.except.push(rule);
        self
    }

    /// Writes the id at its place.
    fn splice(&self, text: &str, place: Place, id: u64) -> String {
        let (replaced, name, comma) = match place {
            Place::Value(value) => (value, "", ""),
            Place::Member { at, is_only } => (at..at, &*self.name, if is_only { "" } else { "," }),
        };
        let digits = id.checked_ilog10().map_or(1, |digits| digits as usize + 1);
        let written = name.len() + 2 * self.quote.len() + digits + comma.len();
        // With the exact capacity, the text becomes a message without a further allocation.
        let mut spliced = String::with_capacity(text.len() - replaced.len() + written);
        spliced.push_str(&text[..replaced.start]);
        spliced.push_str(name);
        spliced.push_str(self.quote);
        let _ = write!(spliced, "{id}"); // writing to a String cannot fail
        spliced.push_str(self.quote);
        spliced.push_str(comma);
        spliced.push_str(&text[replaced.end..]);
        spliced
    }
}

impl Correlator for JsonCorrelator {
    fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
        let text = request.as_text().ok_or(CorrelationError::Binary)?;
        match place::find(text, &self.tokens) {
            Ok(Some(place)) => Ok(Message::text(self.splice(text, place, id))),
            Ok(None) => Err(CorrelationError::NoPlace { pointer: self.request.clone() }),
            Err(NotJson) => Err(CorrelationError::NotJson),
        }
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        let text = message.as_text()?;
        let id = json_pointer::find(text, &self.answer, Id)??;
        let matches = |rule: &JsonRule| rule.matches_text(text);
        let is_answer = self.only.is_empty() || self.only.iter().any(matches);
        (is_answer && !self.except.iter().any(matches)).then_some(id)
    }

    fn greatest_id(&self) -> u64 {
        self.greatest
    }
}

fn checked(field: &str, pointer: String) -> Result<String, ConfigError> {
    let most = JsonCorrelator::DEEPEST;
    let limit = if !pointer.is_empty() && !pointer.starts_with('/') {
        "must be a JSON pointer, which starts with /, such as /id".to_owned()
    } else if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        "must write ~ as ~0, and / in a name as ~1".to_owned()
    } else if pointer.matches('/').count() > most {
        format!("must have at most {most} tokens")
    } else {
        return Ok(pointer);
    };
    Err(ConfigError::new(field, pointer, limit))
}

fn tokens(mut pointer: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    while let Some((token, rest)) = json_pointer::split_first(pointer) {
        tokens.push(token.into_owned());
        pointer = rest;
    }
    tokens
}

/// Reads the id of an answer.
#[derive(Clone, Copy)]
struct Id;

impl<'de> DeserializeSeed<'de> for Id {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Option<u64>, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Id {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E>(self, id: u64) -> Result<Option<u64>, E> {
        Ok(Some(id))
    }

    fn visit_str<E>(self, id: &str) -> Result<Option<u64>, E> {
        let is_canonical = id == "0" || !id.starts_with(['0', '+']);
        Ok(if is_canonical { id.parse().ok() } else { None })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Option<u64>, A::Error> {
        IgnoredAny.visit_seq(items).map(|IgnoredAny| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Option<u64>, A::Error> {
        IgnoredAny.visit_map(entries).map(|IgnoredAny| None)
    }
}

#[cfg(test)]
mod tests;
