//! Hides secrets in a text of the server's. Some servers repeat the address and headers of a
//! request, or the login.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};
use gateway_core::Secret;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::provider::Secrets;

/// What replaces a secret in a text.
const MARK: &str = "(hidden)";

/// A piece of this length is hidden anywhere in a text.
const SHORT: usize = 6;

/// A piece of this length is hidden as a word. Shorter ones are not secrets.
const SHORTEST: usize = 4;

/// The fields of a JSON login that say what the message is. Their values are not secrets.
const KINDS: [&str; 7] = ["type", "op", "event", "action", "method", "cmd", "command"];

/// The pieces of a request, or of a login message, that may be secret. The longest go first.
#[derive(Default)]
pub(crate) struct Hidden(Box<[String]>);

impl Hidden {
    /// The pieces of the query and of the headers' values. If a provider gave the URL, also the parts
    /// of its path.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let mut texts = Vec::new();
        if endpoint.is_path_hidden() {
            texts.extend(endpoint.target().path().split('/').map(str::to_owned));
        }
        if let Some(query) = endpoint.target().query() {
            texts.push(query.to_owned());
            texts
                .push(percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned());
        }
        for (_, value) in endpoint.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let basic =
                value.strip_prefix("Basic ").and_then(|pair| BASE64.decode(pair.as_bytes()).ok());
            texts.extend(basic.map(|pair| String::from_utf8_lossy(&pair).into_owned()));
            texts.push(value);
        }
        let pieces = texts.iter().flat_map(|text| words(text)).map(str::to_owned);
        Self::longest_first(pieces.filter(|piece| piece.len() >= SHORT).collect())
    }

    /// The pieces of a login message: the values of its fields if it is JSON, otherwise the whole
    /// message; each as a whole and in parts, and in the forms in which servers repeat them.
    pub(crate) fn of_login(login: &Secret) -> Self {
        let mut texts = Vec::new();
        match serde_json::from_str(login.reveal()) {
            Ok(message) => push_values(message, &mut texts),
            Err(_) => texts.push(login.reveal().to_owned()),
        }
        let mut pieces = Vec::new();
        for text in &texts {
            pieces.extend([
                BASE64_NOPAD.encode(text.as_bytes()),
                BASE64URL_NOPAD.encode(text.as_bytes()),
            ]);
            let decoded = BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok();
            pieces.extend(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
            for part in words(text).chain(unescaped_parts(text)).chain([text.as_str()]) {
                pieces.push(part.to_owned());
                pieces.extend(escaped_forms(part));
            }
        }
        Self::longest_first(pieces)
    }

    /// These pieces, and those of named secrets.
    pub(crate) fn and_secrets(self, secrets: &Secrets) -> Self {
        let forms = secrets.values().map(Self::of_login);
        let pieces = forms.flat_map(|hidden| hidden.0.into_vec()).collect::<Vec<_>>();
        if pieces.is_empty() {
            return self;
        }
        Self::longest_first(self.0.into_iter().chain(pieces).collect())
    }

    /// Hides this login message, too.
    pub(crate) fn and_login(self, login: &Secret) -> Self {
        let pieces = Self::of_login(login).0.into_vec();
        Self::longest_first(self.0.into_iter().chain(pieces).collect())
    }

    fn longest_first(mut pieces: Vec<String>) -> Self {
        pieces.retain(|piece| piece.len() >= SHORTEST);
        pieces.sort_unstable_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
        pieces.dedup();
        Self(pieces.into())
    }

    /// The length of the longest piece: so much of a text behind a cut must be looked at.
    pub(crate) fn longest(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// Replaces these pieces in a text. It also replaces the beginning of a piece at the text's
    /// end, where the text may have been cut.
    pub(crate) fn removed_from(&self, text: &str) -> String {
        let mut text = self.0.iter().fold(text.to_owned(), |text, piece| replaced(text, piece));
        let cut = |piece: &String| {
            let starts = (SHORT..piece.len()).filter(|end| piece.is_char_boundary(*end));
            starts.rev().find(|end| text.ends_with(&piece[..*end]))
        };
        if let Some(length) = self.0.iter().filter_map(cut).max() {
            text.replace_range(text.len() - length.., MARK);
        }
        text
    }
}

/// Replaces a piece in a text. A short one is replaced only as a word.
fn replaced(text: String, piece: &str) -> String {
    if !text.contains(piece) {
        return text;
    }
    if piece.len() >= SHORT {
        return text.replace(piece, MARK);
    }
    let in_word =
        |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut hidden, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some(at) = rest.find(piece) {
        let (before, behind) = (&rest[..at], &rest[at + piece.len()..]);
        hidden.push_str(before);
        let is_part = in_word(hidden.chars().next_back()) || in_word(behind.chars().next());
        hidden.push_str(if is_part { piece } else { MARK });
        rest = behind;
    }
    hidden.push_str(rest);
    hidden
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| {
        character.is_whitespace() || ['&', '=', ';', ',', ':', '"'].contains(&character)
    })
}

/// The parts between characters that some servers escape in JSON.
fn unescaped_parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_graphic() || r#""\/+<>&'"#.contains(character))
}

/// The text as JSON with only ASCII has it, in lower and in upper hexadecimal digits, if that
/// differs.
fn escaped_forms(text: &str) -> impl Iterator<Item = String> {
    let forms = [|unit| format!("\\u{unit:04x}"), |unit: u16| format!("\\u{unit:04X}")];
    let is_ascii = text.is_ascii();
    forms.into_iter().filter(move |_| !is_ascii).map(move |escape: fn(u16) -> String| {
        let units = |character: char| {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().map(|unit| escape(*unit)).collect()
        };
        let shown = |character: char| match character {
            ascii if ascii.is_ascii() => ascii.to_string(),
            other => units(other),
        };
        text.chars().map(shown).collect()
    })
}

/// Collects the strings and numbers of a JSON text, without those that only name its kind.
fn push_values(value: Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Number(number) => into.push(number.to_string()),
        Value::Array(items) => items.into_iter().for_each(|item| push_values(item, into)),
        Value::Object(fields) => {
            let secret = fields.into_iter().filter(|(name, _)| !KINDS.contains(&name.as_str()));
            secret.for_each(|(_, value)| push_values(value, into));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(login: &str, text: &str) -> String {
        Hidden::of_login(&login.into()).removed_from(text)
    }

    #[test]
    fn a_login_is_hidden_in_every_form_in_which_servers_repeat_it() {
        for (login, text) in [
            (r#"{"password":"p\u00e4ssw\u00f6rd"}"#, r"wrong: p\u00e4ssw\u00f6rd"),
            (r#"{"password":"pässwörd-geheim"}"#, r"wrong: p\u00E4ssw\u00F6rd-geheim"),
            (r#"{"password":"пароль"}"#, r"wrong: \u043f\u0430\u0440\u043e\u043b\u044c"),
            (r#"{"password":"𝄞clef"}"#, r"wrong: \ud834\udd1eclef"),
            (r#"{"password":"tall blue frog jumps"}"#, "wrong: tall blue frog jumps"),
            (r#"{"key":"9f:a1:03:cc:7e:51:be"}"#, "wrong: 9f:a1:03:cc:7e:51:be"),
            (r#"{"key":"a,b;c:d=e"}"#, "wrong: a,b;c:d=e"),
            (r#"{"pin":83721}"#, "wrong: 83721"),
            ("PASS abc12", "wrong: abc12"),
            (r#"{"token":"a/b+c=def"}"#, r"wrong: a\/b+c=def"),
            (r#"{"token":"hunter2hunter"}"#, "wrong: aHVudGVyMmh1bnRlcg=="),
            (r#"{"token":"aHVudGVyMmh1bnRlcg=="}"#, "wrong: hunter2hunter"),
        ] {
            let shown = without(login, text);
            let kept = shown.strip_prefix("wrong: ").unwrap();
            let kept = kept.replace(MARK, "").replace([':', '=', '/', '\\', '+'], "");
            assert!(kept.len() < SHORTEST, "{login}: {shown}");
        }
    }

    #[test]
    fn a_short_piece_is_hidden_only_as_a_word_and_the_kind_of_the_message_is_not() {
        let login = r#"{"type":"authenticate","op":"login","pin":"1234","v":1}"#;
        assert_eq!(without(login, "authenticate: login 1"), "authenticate: login 1");
        assert_eq!(
            without(login, "1234, x1234, 1234_5, (1234)"),
            "(hidden), x1234, 1234_5, ((hidden))"
        );
    }

    #[test]
    fn a_piece_that_is_cut_off_at_the_end_is_hidden() {
        assert_eq!(without("open-sesame", "wrong: open-se"), "wrong: (hidden)");
    }
}
