//! What a provider's request changes in an endpoint.

use gateway_core::{ConfigError, ConfigErrors, Secret};
use rustls_pki_types::ServerName;

use super::{Endpoint, Place, check_offer, error, place};
use crate::headers::Headers;

/// The parts of an endpoint that one attempt changes, not yet validated.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    pub(crate) url: Option<Secret>,
    pub(crate) headers: Vec<(String, Secret)>,
    /// These replace the endpoint's.
    pub(crate) subprotocols: Option<Vec<String>>,
    pub(crate) tls_name: Option<String>,
}

impl Changes {
    pub(crate) const fn is_empty(&self) -> bool {
        let Self { url, headers, subprotocols, tls_name } = self;
        url.is_none() && headers.is_empty() && subprotocols.is_none() && tls_name.is_none()
    }
}

impl Endpoint {
    /// Returns the endpoint with these changes.
    ///
    /// # Errors
    /// Each invalid part, by its name: `url`, `headers`, `subprotocols` or `tls_name`.
    pub(crate) fn changed(&self, changes: Changes) -> Result<Self, ConfigErrors> {
        let (mut changed, mut errors) = (self.clone(), Vec::new());
        if let Some(url) = &changes.url {
            match place(url.reveal()) {
                Ok(place) => changed.move_to(place),
                Err(limit) => errors.push(error("url", limit)),
            }
        }
        let headers = changes.headers.iter();
        let headers = Headers::new(headers.map(|(name, value)| (name.as_str(), value.reveal())));
        match headers.and_then(|own| self.headers.replaced_by(own)) {
            Ok(headers) => changed.headers = headers,
            Err(wrong) => errors.extend(wrong.into_vec()),
        }
        if let Some(names) = changes.subprotocols {
            match check_offer(&names) {
                Ok(()) => changed.subprotocols = names,
                // Some subprotocols carry tokens, so the value is not shown.
                Err(limit) => errors.push(error("subprotocols", limit)),
            }
        }
        if let Some(name) = changes.tls_name {
            match ServerName::try_from(name.as_str()) {
                Ok(_) => changed.tls_name = Some(name.into()),
                Err(_) => {
                    let shown: String = name.escape_debug().take(64).collect();
                    let limit = "must be a host name or an IP address";
                    errors.push(ConfigError::new("tls_name", shown, limit));
                }
            }
        }
        ConfigErrors::check(errors)?;
        Ok(changed)
    }

    /// Returns the endpoint at a URL that the server has named, to resume a session there. Another
    /// origin (scheme, host and port) gets nothing that may be a credential: no headers but
    /// `User-Agent` and `Origin`, no subprotocols, no userinfo, and no client certificate.
    ///
    /// # Errors
    /// The limit that the URL breaks. A URL that leads from `wss` to `ws` is refused.
    pub(crate) fn resumed(&self, url: &str) -> Result<Self, String> {
        let place = place(url)?;
        let own = self.authorization.clone();
        let mut resumed = self.clone();
        resumed.move_to(place);
        if self.is_secure() && !resumed.is_secure() {
            return Err("must be wss:// as the endpoint's URL is".to_owned());
        }
        let origin = |at: &Self| (at.is_secure(), at.host.to_ascii_lowercase(), at.port);
        if origin(&resumed) == origin(self) {
            resumed.authorization = resumed.authorization.or(own);
            return Ok(resumed);
        }
        resumed.is_foreign = true;
        Ok(resumed.without_credentials())
    }

    /// Returns this endpoint at the place of a resumed one.
    pub(crate) fn moved_to(&self, resumed: &Self) -> Self {
        let Self { scheme, host, port, target, authority, authorization, .. } = resumed.clone();
        let moved = Self {
            scheme,
            host,
            port,
            target,
            authority,
            authorization,
            is_path_hidden: true,
            is_foreign: resumed.is_foreign,
            ..self.clone()
        };
        if moved.is_foreign { moved.without_credentials() } else { moved }
    }

    /// Removes what may be a credential for this endpoint's own server. The userinfo stays, because
    /// it is that of the URL.
    fn without_credentials(self) -> Self {
        let headers = self.headers.only(&PUBLIC);
        Self {
            headers,
            subprotocols: Vec::new(),
            requires_subprotocol: false,
            tls_name: None,
            ..self
        }
    }

    fn move_to(&mut self, place: Place) {
        let Place { scheme, host, port, target, authority, authorization } = place;
        *self = Self {
            scheme,
            host,
            port,
            target,
            authority,
            authorization,
            is_path_hidden: true,
            ..self.clone()
        };
    }
}

/// The headers that another origin gets, too. Any other header may be a credential.
const PUBLIC: [&str; 2] = ["Origin", "User-Agent"];

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Endpoint {
        let builder = Endpoint::builder("ws://ann:pw@old.example:9000/path?key=old");
        builder.header("X-One", "1").header("X-Two", "2").subprotocol("a").build().unwrap()
    }

    fn header(name: &str, value: &str) -> (String, Secret) {
        (name.to_owned(), value.into())
    }

    fn values(endpoint: &Endpoint) -> Vec<String> {
        let shown = |(name, value): (&str, &http::HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        endpoint.headers().map(shown).collect()
    }

    #[test]
    fn a_url_changes_the_place_and_leaves_its_userinfo_and_path_behind() {
        let url = Some("wss://new.example/secret/path?key=new".into());
        let changed = base().changed(Changes { url, ..Changes::default() }).unwrap();

        assert_eq!((changed.host(), changed.port()), ("new.example", 443));
        assert!(changed.is_secure());
        assert_eq!(changed.target().as_str(), "/secret/path?key=new");
        assert_eq!(changed.authority(), "new.example");
        assert_eq!(values(&changed), ["X-One: 1", "X-Two: 2"]);
        assert_eq!(changed.to_string(), "wss://new.example");
        assert_eq!(format!("{changed:?}"), "Endpoint(wss://new.example)");
        assert_eq!(base().to_string(), "ws://old.example:9000/path");
    }

    #[test]
    fn a_url_that_the_server_names_gets_no_credentials_on_another_host() {
        let builder = Endpoint::builder("wss://ann:pw@own.example/path");
        let own = builder.header("X-Api-Key", "secret").header("origin", "https://own.example");
        let own = own.subprotocol("bearer.secret").build().unwrap();
        let shown = |url: &str| own.resumed(url).map(|at| (at.is_foreign(), values(&at)));

        let foreign = (true, vec!["origin: https://own.example".to_owned()]);
        assert_eq!(shown("wss://other.example/resume?id=7"), Ok(foreign));
        let (is_foreign, headers) = shown("wss://own.example:8443/resume").unwrap();
        assert!(is_foreign, "another port is another server");
        assert_eq!(headers.len(), 1, "{headers:?}");
        let (is_foreign, headers) = shown("wss://OWN.example:443/resume").unwrap();
        assert!(!is_foreign);
        assert_eq!(headers.len(), 3, "{headers:?}");
        let userinfo = shown("wss://bob:pw@other.example").unwrap();
        assert_eq!(userinfo.1.len(), 2, "the URL's own userinfo is for that host: {userinfo:?}");
        assert_eq!(
            shown("ws://own.example").unwrap_err(),
            "must be wss:// as the endpoint's URL is"
        );
        assert!(shown("resume").is_err());
        let asked = own.changed(Changes {
            headers: vec![header("Authorization", "Bearer t"), header("User-Agent", "2")],
            ..Changes::default()
        });
        let resumed = own.resumed("wss://other.example/resume").unwrap();
        let moved = asked.unwrap().moved_to(&resumed);
        assert_eq!(
            (moved.host(), values(&moved)),
            (
                "other.example",
                vec!["origin: https://own.example".to_owned(), "User-Agent: 2".to_owned()]
            )
        );
        assert!(moved.subprotocols().is_empty());
    }

    #[test]
    fn headers_replace_those_of_their_name_and_subprotocols_replace_all() {
        let changes = Changes {
            headers: vec![header("x-two", "II"), header("Authorization", "Bearer t")],
            subprotocols: Some(vec!["b".to_owned(), "c".to_owned()]),
            tls_name: Some("front.example".to_owned()),
            ..Changes::default()
        };
        let changed = base().changed(changes).unwrap();

        assert_eq!(values(&changed), ["X-One: 1", "x-two: II", "Authorization: Bearer t"]);
        assert_eq!(changed.subprotocols(), ["b", "c"]);
        assert_eq!((changed.host(), changed.tls_name()), ("old.example", "front.example"));
        assert_eq!(base().tls_name(), "old.example");
    }

    #[test]
    fn each_wrong_part_is_named_with_its_limit_and_no_secret_is_shown() {
        let refused = |changes| {
            let errors = base().changed(changes).unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let url = |url: &str| refused(Changes { url: Some(url.into()), ..Changes::default() });
        let headers = |headers| refused(Changes { headers, ..Changes::default() });

        assert!(url("secret").starts_with("url: must be a URL"));
        assert!(url("wss://host/\r\nX: y").starts_with("url: must have no control characters"));
        let long = format!("wss://host/{}", "x".repeat(70_000));
        assert_eq!(url(&long), "url: must be at most 65536 bytes");
        let many = (0..10_000).map(|number| header(&format!("X-{number}"), "secret")).collect();
        assert_eq!(headers(many), "headers = 10000 headers: must be at most 128");
        let some = (0..127).map(|number| header(&format!("Y-{number}"), "secret")).collect();
        assert_eq!(headers(some), "headers = 129 headers: must be at most 128");
        let large = vec![header("X-Large", &"s".repeat(70_000))];
        assert!(headers(large).ends_with(" bytes: must be at most 65536 bytes together"));
        assert_eq!(
            headers(vec![header("X", "line\r\nY: secret"), header("a\nb", "secret")]),
            "headers = X: must have a value without control characters, such as a line end; \
             headers = a\\nb: must have a name that HTTP allows"
        );
        let subprotocols = Some(vec!["a b".to_owned()]);
        let text = refused(Changes { subprotocols, ..Changes::default() });
        assert!(text.starts_with("subprotocols: must be tokens"), "{text}");
        let many = Some((0..33).map(|number| number.to_string()).collect());
        let text = refused(Changes { subprotocols: many, ..Changes::default() });
        assert_eq!(text, "subprotocols: must be at most 32");
        let tls_name = Some("no name\n".to_owned());
        let text = refused(Changes { tls_name, ..Changes::default() });
        assert_eq!(text, "tls_name = no name\\n: must be a host name or an IP address");
    }
}
