//! Hides secrets in the text of a refusal. Some servers repeat the address and headers of a
//! request, or the login.

use data_encoding::BASE64;
use gateway_core::Secret;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::headers::Headers;

/// What replaces a secret in a text.
const MARK: &str = "(hidden)";

/// Shorter pieces are common words, and not secrets.
const SHORTEST: usize = 6;

/// The pieces of a request, or of a login message, that may be secret.
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// The pieces of the query and of the headers' values.
    pub(crate) fn of(endpoint: &Endpoint, credentials: &Headers) -> Self {
        let mut texts = Vec::new();
        if let Some(query) = endpoint.target().query() {
            texts.push(query.to_owned());
            texts
                .push(percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned());
        }
        for (_, value) in endpoint.headers().iter().chain(credentials.iter()) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let basic =
                value.strip_prefix("Basic ").and_then(|pair| BASE64.decode(pair.as_bytes()).ok());
            texts.extend(basic.map(|pair| String::from_utf8_lossy(&pair).into_owned()));
            texts.push(value);
        }
        Self::pieces_of(&texts)
    }

    /// The pieces of a login message. If it is JSON these are its strings, without the names of its
    /// fields; otherwise the whole message.
    pub(crate) fn of_login(login: &Secret) -> Self {
        let mut texts = Vec::new();
        match serde_json::from_str(login.reveal()) {
            Ok(message) => push_values(message, &mut texts),
            Err(_) => texts.push(login.reveal().to_owned()),
        }
        // Servers differ in which characters of a JSON string they escape, so the parts between these are hidden, too.
        let is_escaped =
            |character: char| !character.is_ascii_graphic() || r#""\/+<>&'"#.contains(character);
        let parts = texts.iter().flat_map(|text| text.split(is_escaped)).map(str::to_owned);
        texts.extend(parts.collect::<Vec<_>>());
        Self::pieces_of(&texts)
    }

    fn pieces_of(texts: &[String]) -> Self {
        let separators = |character: char| {
            character.is_whitespace() || ['&', '=', ';', ',', ':', '"'].contains(&character)
        };
        let pieces = texts.iter().flat_map(|text| text.split(separators));
        let mut pieces: Vec<String> =
            pieces.filter(|piece| piece.len() >= SHORTEST).map(str::to_owned).collect();
        // A piece that contains another one goes first.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces.dedup();
        Self(pieces)
    }

    /// Replaces these pieces in a text. It also replaces the beginning of a piece at the text's
    /// end, where the text may have been cut.
    pub(crate) fn removed_from(&self, text: &str) -> String {
        let mut text = self.0.iter().fold(text.to_owned(), |text, piece| text.replace(piece, MARK));
        let cut = |piece: &String| {
            let starts = (SHORTEST..piece.len()).filter(|end| piece.is_char_boundary(*end));
            starts.rev().find(|end| text.ends_with(&piece[..*end]))
        };
        if let Some(length) = self.0.iter().filter_map(cut).max() {
            text.replace_range(text.len() - length.., MARK);
        }
        text
    }
}

/// Collects the strings and numbers of a JSON text.
fn push_values(value: Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Number(number) => into.push(number.to_string()),
        Value::Array(items) => items.into_iter().for_each(|item| push_values(item, into)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| push_values(value, into)),
        Value::Null | Value::Bool(_) => {}
    }
}
