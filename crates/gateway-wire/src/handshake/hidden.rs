//! What the words of a refusal must not show: some servers repeat the address and the headers of a request.

use data_encoding::BASE64;

use crate::endpoint::Endpoint;
use crate::headers::Headers;

/// What replaces a secret in a text.
const MARK: &str = "(hidden)";

/// Shorter pieces are words of any text, and no secrets.
const SHORTEST: usize = 6;

/// The pieces of the query and of the headers' values that may be secret.
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    pub(super) fn of(endpoint: &Endpoint, credentials: &Headers) -> Self {
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
        let separators = ['&', '=', ';', ',', ':', ' '];
        let pieces = texts.iter().flat_map(|text| text.split(separators));
        let mut pieces: Vec<String> =
            pieces.filter(|piece| piece.len() >= SHORTEST).map(str::to_owned).collect();
        // A piece that contains another goes first.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces.dedup();
        Self(pieces)
    }

    pub(super) fn removed_from(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, piece| text.replace(piece.as_str(), MARK))
    }
}
