//! The head of one answer: its status and its fields.

/// The most header fields of an answer that are read.
const MAX_FIELDS: usize = 124;

/// A complete head.
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    pub(crate) is_http_1_1: bool,
    fields: &'a [httparse::Header<'a>],
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHttp {
    /// They do not begin as HTTP does.
    Start,
    TooLong,
    Invalid(httparse::Error),
    Status,
}

impl NotHttp {
    /// The reason in words. `who` has sent the bytes, and `most` is the limit of the head in bytes.
    pub(crate) fn words(self, who: &str, most: usize) -> String {
        match self {
            Self::Start => format!("{who} does not speak HTTP"),
            Self::TooLong => format!("the answer's head is longer than {} KiB", most >> 10),
            Self::Invalid(error) => format!("the answer is not HTTP: {error}"),
            Self::Status => "the answer's status is not an HTTP status".to_owned(),
        }
    }
}

impl Head<'_> {
    /// Reads a head of at most `most` bytes. Returns its length, and what `with` returns for it.
    /// Returns `None` until the head is complete.
    ///
    /// # Errors
    /// The bytes are not HTTP.
    pub(crate) fn read<T>(
        answer: &[u8],
        most: usize,
        with: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<Option<(usize, T)>, NotHttp> {
        if !starts_like_http(answer) {
            return Err(NotHttp::Start);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(answer) {
            Ok(httparse::Status::Complete(length)) if length <= most => length,
            Ok(httparse::Status::Partial) if answer.len() < most => return Ok(None),
            // The limit holds however the head is split into reads.
            Ok(httparse::Status::Complete(_) | httparse::Status::Partial) => {
                return Err(NotHttp::TooLong);
            }
            Err(error) => return Err(NotHttp::Invalid(error)),
        };
        let status = head.code.unwrap_or(0);
        if !(100..=599).contains(&status) {
            return Err(NotHttp::Status);
        }
        let is_http_1_1 = head.version == Some(1);
        Ok(Some((length, with(&Head { status, is_http_1_1, fields: head.headers }))))
    }

    /// The value of the first field of this name, if it is text.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of the field of this name, if there is exactly one.
    pub(crate) fn one(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is a field of this name, and each such field has this value, ignoring case.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.values(name).next().is_some()
            && self.values(name).all(|own| own.eq_ignore_ascii_case(value.as_bytes()))
    }

    /// Whether the fields of this name, read as one list, contain `token`.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|value| {
            let mut tokens = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            tokens.any(|listed| listed.eq_ignore_ascii_case(token.as_bytes()))
        })
    }

    /// Every field, with its value without surrounding spaces.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| (field.name, field.value.trim_ascii()))
    }

    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii())
    }
}

pub(crate) fn starts_like_http(answer: &[u8]) -> bool {
    let start = b"HTTP/1.";
    answer.starts_with(start) || start.starts_with(answer)
}
