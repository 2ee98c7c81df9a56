//! The settings that the core does not know: URL, headers, subprotocols, proxy, TLS.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gateway_dialects::Suggestions;
use gateway_tokio::{
    Client, ProviderError, Proxy, Request, Tls,
    core::{Config, ConfigError, Rule, parse_duration},
};
use serde_json::{Map, Value};

use crate::record::FileRecorder;

use super::{
    dialect::{self, Chosen, Source},
    metrics,
    proxy::ProxySettings,
    sending::Sending,
    tree::{Tree, read_text},
};

/// The fields of the root that the core does not know.
pub(crate) const OWN: [&str; 18] = [
    "name",
    "url",
    "metrics",
    "dialect",
    "on_ready",
    "secrets",
    "headers",
    "subprotocols",
    "require_subprotocol",
    "proxy",
    "no_proxy",
    "tls",
    "seed",
    "send_stall",
    "outbox",
    "rate",
    "lost_after",
    "behind",
];

/// The PEM files of TLS.
#[derive(Clone, Default)]
pub(crate) struct TlsFiles {
    pub(crate) ca_cert: Option<PathBuf>,
    /// For an `https://` proxy.
    pub(crate) proxy_ca_cert: Option<PathBuf>,
    /// The client's certificate and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// The program's own settings. It has no `Debug` form, which would show secrets.
#[derive(Clone, Default)]
pub(crate) struct Own {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    /// Where metrics are served.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) require_subprotocol: bool,
    pub(crate) proxy: ProxySettings,
    pub(crate) tls: TlsFiles,
    pub(crate) insecure: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) send_stall: Option<Duration>,
    pub(crate) sending: Sending,
    pub(crate) dialect: Option<Chosen>,
    /// The rules for close codes that the dialect added.
    pub(crate) policy_of_dialect: Vec<Rule>,
    pub(crate) on_ready: Vec<String>,
    pub(crate) secrets: Vec<(String, Source)>,
    /// The file from which the login is read again for each attempt.
    pub(crate) login_file: Option<PathBuf>,
}

/// How the client trusts the server, and the proxy to it.
pub(crate) struct Peers {
    tls: Option<Tls>,
    proxy: Option<Proxy>,
}

impl Own {
    /// Takes them out of the tree, and adds their errors to it.
    pub(crate) fn take_from(tree: &mut Tree) -> Self {
        let mut tls = match tree.take("tls") {
            Some(Value::Object(tls)) => tls,
            None => Map::new(),
            Some(other) => {
                tree.error("tls", other.to_string(), "must be a table");
                Map::new()
            }
        };
        if let Some(dialect) = tree.field_mut("login", "dialect") {
            *dialect = Value::Bool(false);
            tree.error("login.dialect", "", "is set by --dialect alone");
        }
        let dialect = Chosen::take_from(tree);
        let secrets = dialect::secrets(tree);
        let mut policy_of_dialect = Vec::new();
        if let Some(chosen) = &dialect {
            chosen.check_secrets(&secrets, tree);
            dialect::check_login(chosen, tree);
            policy_of_dialect = chosen.suggest_policy(tree);
        } else {
            for (name, _) in &secrets {
                let limit = "is for a dialect: set --dialect as well";
                tree.error(format!("secrets.{name}"), "(hidden)", limit);
            }
        }
        let mut own = Self {
            on_ready: dialect::on_ready(tree),
            dialect,
            policy_of_dialect,
            secrets,
            name: name(tree),
            url: url(tree),
            metrics: metrics::take_from(tree),
            headers: headers(tree),
            subprotocols: subprotocols(tree),
            require_subprotocol: require_subprotocol(tree),
            proxy: ProxySettings::take_from(tree),
            tls: TlsFiles::take_from(&mut tls, tree),
            insecure: switch("tls.insecure", tls.remove("insecure"), tree),
            seed: seed(tree),
            send_stall: send_stall(tree),
            sending: Sending::take_from(tree),
            login_file: login_file(tree),
        };
        own.take_suggestions();
        if own.insecure && own.tls.ca_cert.is_some() {
            tree.error("tls.insecure", "true", "must not be set together with tls.ca_cert");
        }
        for name in tls.keys() {
            let limit =
                "unknown field; the known fields are ca_cert, proxy_ca_cert, cert, key, insecure";
            tree.error(format!("tls.{name}"), "", limit);
        }
        let only_for_libraries = "is only for programs that embed the library";
        if let Some(external) = tree.field_mut("login", "external") {
            *external = Value::Bool(false);
            tree.error("login.external", "", only_for_libraries);
        }
        for name in ["ask_provider", "shared_budget"] {
            if tree.take(name).is_some() {
                tree.error(name, "", only_for_libraries);
            }
        }
        own
    }

    /// Reports what a connection cannot do without.
    pub(super) fn check_complete(&self, tree: &mut Tree) {
        if self.url.is_none() {
            tree.error("url", "", "must be given: as <URL>, in GATEWAY_URL, or as url in the file");
        }
        for name in self.missing_secrets() {
            let limit = format!(
                "must be given, as --secret {name}=TEXT or {name}=@FILE: the dialect needs it"
            );
            tree.error(format!("secrets.{name}"), "", limit);
        }
    }

    /// The secrets that the dialect cannot do without and that are not given.
    pub(super) fn missing_secrets(&self) -> Vec<String> {
        self.dialect.iter().flat_map(|dialect| dialect.missing_secrets(&self.secrets)).collect()
    }

    /// What the dialect suggests, where the user has set nothing.
    fn take_suggestions(&mut self) {
        let Some(dialect) = &self.dialect else { return };
        let Suggestions { subprotocols, path, .. } = dialect.suggestions();
        if self.subprotocols.is_empty() {
            self.subprotocols = subprotocols;
        }
        if let (Some(url), Some(path)) = (&mut self.url, path) {
            *url = dialect::with_path(url, &path);
        }
    }

    /// A client with these settings, or with a placeholder URL if there is none.
    ///
    /// # Errors
    /// Every error that the driver finds.
    pub(crate) fn client(
        &self,
        config: Arc<Config>,
        peers: &Peers,
        recorder: Option<FileRecorder>,
    ) -> Result<Client, Vec<ConfigError>> {
        let mut builder = Client::builder(self.url.as_deref().unwrap_or("ws://localhost"))
            .config(config)
            .report_sent(true);
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if self.metrics.is_some() {
            builder = builder.metrics();
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        for name in &self.subprotocols {
            builder = builder.subprotocol(name);
        }
        builder = builder.require_subprotocol(self.require_subprotocol);
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(span) = self.send_stall {
            builder = builder.send_stall(span);
        }
        builder = self.sending.set_in(builder);
        if let Some(dialect) = &self.dialect {
            builder = dialect.set_in(builder);
        }
        for (number, text) in self.on_ready.iter().enumerate() {
            builder = builder.on_ready(number.to_string(), text.as_str());
        }
        if self.login_file.is_some() || !self.secrets.is_empty() {
            let (login, secrets) = (self.login_file.clone(), self.secrets.clone());
            builder = builder.attempt(move |_| request(login.clone(), secrets.clone()));
        }
        if let Some(recorder) = recorder {
            builder = builder.observer(recorder);
        }
        if let Some(tls) = &peers.tls {
            builder = builder.tls(tls.clone());
        }
        if let Some(proxy) = &peers.proxy {
            builder = builder.proxy(proxy.clone());
        }
        builder.build().map_err(|errors| self.all_named(errors.into_vec()))
    }

    /// Reads the files of TLS. Also returns the errors. Call this once: a file may be a pipe.
    pub(crate) fn peers(&self) -> (Peers, Vec<ConfigError>) {
        let mut errors = Vec::new();
        let tls = self.tls(&mut errors);
        let proxy = self.proxy.proxy(&self.tls, self.insecure, &mut errors);
        (Peers { tls, proxy }, self.all_named(errors))
    }

    fn all_named(&self, errors: Vec<ConfigError>) -> Vec<ConfigError> {
        errors.into_iter().map(|error| self.named(error)).collect()
    }

    /// The TLS settings; `None` if the client needs none, or they are invalid.
    fn tls(&self, errors: &mut Vec<ConfigError>) -> Option<Tls> {
        let TlsFiles { ca_cert, identity, .. } = &self.tls;
        let is_secure = self.url.as_deref().is_some_and(|url| {
            url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("wss:"))
        });
        let trusted = match ca_cert {
            _ if self.insecure => Some(Tls::insecure()),
            Some(path) => Some(Tls::pem_file(path)),
            // If the trust store cannot be read, the builder reports it.
            None => (is_secure || identity.is_some()).then(Tls::platform).filter(Result::is_ok),
        };
        let trusted = trusted?.map_err(|error| errors.push(error)).ok();
        let tls = match identity {
            None => trusted?,
            Some((cert, key)) => trusted
                .map_or_else(Tls::insecure, Ok) // never used, because of the error above
                .and_then(|tls| tls.with_client_certificate_files(cert, key))
                .map_err(|error| errors.push(error))
                .ok()?,
        };
        Some(tls.with_setting_name("--ca-cert"))
    }

    /// The driver's error as the program shows it: with a redacted URL, or the header's name.
    fn named(&self, error: ConfigError) -> ConfigError {
        match error.field() {
            "url" => {
                let shown = redacted(self.url.as_deref().unwrap_or(""));
                ConfigError::new("url", shown, error.limit())
            }
            "headers" if !error.value().is_empty() => {
                ConfigError::new(format!("headers.{}", error.value()), "", error.limit())
            }
            _ => error,
        }
    }
}

/// Reads the login and the secrets from their files, which may have changed since the last attempt. A
/// separate thread reads them, because a file may hang.
async fn request(
    login: Option<PathBuf>,
    secrets: Vec<(String, Source)>,
) -> Result<Request, ProviderError> {
    let read = tokio::task::spawn_blocking(move || {
        let mut request = Request::new();
        if let Some(path) = login {
            let wrong =
                |error| format!("the login file {} cannot be read: {error}", path.display());
            request = request.login(read_login(&path).map_err(wrong)?);
        }
        for (name, source) in secrets {
            let wrong = |error| format!("the file of --secret {name} cannot be read: {error}");
            let secret = source.read().map_err(wrong)?;
            request = request.secret(&name, secret);
        }
        Ok::<_, String>(request)
    });
    Ok(read.await??)
}

/// A URL without its secret parts: the userinfo, the query and the fragment.
pub(crate) fn redacted(url: &str) -> String {
    let shown = url.split(['?', '#']).next().unwrap_or("");
    match shown.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let slashes = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{slashes}{host}")
        }
        None => shown.to_owned(),
    }
}

/// The driver checks its characters.
fn name(tree: &mut Tree) -> Option<String> {
    match tree.take("name")? {
        Value::String(name) => Some(name),
        other => {
            tree.error("name", other.to_string(), "must be a string");
            None
        }
    }
}

fn url(tree: &mut Tree) -> Option<String> {
    match tree.take("url") {
        Some(Value::String(url)) => Some(url),
        // Already an error: it was given more than once.
        Some(Value::Null) => Some(String::new()),
        Some(_) => {
            tree.error("url", "", "must be a string");
            Some(String::new())
        }
        None => None,
    }
}

/// A table of names and values, or a list of `Name: value`.
fn headers(tree: &mut Tree) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    match tree.take("headers") {
        None => {}
        Some(Value::Object(table)) => {
            for (name, value) in table {
                match value {
                    Value::String(value) => headers.push((name, value)),
                    _ => tree.error(format!("headers.{name}"), "", "must be a string"),
                }
            }
        }
        Some(Value::Array(list)) => {
            for entry in list {
                match entry.as_str().and_then(|entry| entry.split_once(':')) {
                    Some((name, value)) => headers.push((name.trim().into(), value.trim().into())),
                    None => tree.error("headers", "", "must be a list of \"Name: value\""),
                }
            }
        }
        Some(_) => tree.error("headers", "", "must be a table of names and values"),
    }
    headers
}

fn subprotocols(tree: &mut Tree) -> Vec<String> {
    let list = match tree.take("subprotocols") {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => vec![other],
    };
    let mut names = Vec::new();
    for entry in list {
        match entry {
            Value::String(name) => names.push(name),
            other => tree.error("subprotocols", other.to_string(), "must be a list of names"),
        }
    }
    names
}

impl TlsFiles {
    fn take_from(tls: &mut Map<String, Value>, tree: &mut Tree) -> Self {
        let is_given = |name| tls.contains_key(name);
        match (is_given("cert"), is_given("key")) {
            (true, false) => {
                tree.error(
                    "tls.key",
                    "",
                    "must be given together with tls.cert; one file may hold both",
                );
            }
            (false, true) => tree.error("tls.cert", "", "must be given together with tls.key"),
            (true, true) | (false, false) => {}
        }
        let ca_cert = pem_file("ca_cert", tls, tree);
        let (cert, key) = (pem_file("cert", tls, tree), pem_file("key", tls, tree));
        let proxy_ca_cert = pem_file("proxy_ca_cert", tls, tree);
        Self { ca_cert, proxy_ca_cert, identity: cert.zip(key) }
    }
}

fn pem_file(name: &str, tls: &mut Map<String, Value>, tree: &mut Tree) -> Option<PathBuf> {
    match tls.remove(name)? {
        Value::String(path) if !path.is_empty() => Some(path.into()),
        other => {
            tree.error(format!("tls.{name}"), other.to_string(), "must be the path of a PEM file");
            None
        }
    }
}

fn require_subprotocol(tree: &mut Tree) -> bool {
    let value = tree.take("require_subprotocol");
    switch("require_subprotocol", value, tree)
}

fn switch(field: &str, value: Option<Value>, tree: &mut Tree) -> bool {
    match value {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::String(text)) if text == "true" => true,
        Some(Value::String(text)) if text == "false" => false,
        Some(other) => {
            tree.error(field, other.to_string(), "must be true or false");
            false
        }
    }
}

fn seed(tree: &mut Tree) -> Option<u64> {
    let value = tree.take("seed")?;
    let seed = match &value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    if seed.is_none() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        tree.error("seed", shown, "must be a number from 0 to 18446744073709551615");
    }
    seed
}

/// The driver checks its length.
fn send_stall(tree: &mut Tree) -> Option<Duration> {
    let value = tree.take("send_stall")?;
    let span = match &value {
        Value::String(text) => parse_duration(text),
        other => other.as_u64().map(Duration::from_millis),
    };
    if span.is_none() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let limit = "must be a span such as 500ms, 30s or 5m, or a number of milliseconds";
        tree.error("send_stall", shown, limit);
    }
    span
}

/// Replaces `@FILE` by the file's content. Returns the file, to be read again for each attempt,
/// unless it is a pipe or a device, which can be read only once.
fn login_file(tree: &mut Tree) -> Option<PathBuf> {
    let value = tree.field_mut("login", "send")?;
    let path = PathBuf::from(value.as_str()?.strip_prefix('@')?);
    match read_login(&path) {
        Ok(login) => *value = Value::String(login),
        Err(error) => {
            // The value is hidden: it may be a secret that begins with @, and no file name.
            tree.error(
                "login.send",
                "(hidden)",
                format!("the file after @ cannot be read: {error}"),
            );
        }
    }
    path.is_file().then_some(path)
}

/// The login in a file, without the line end behind it.
pub(super) fn read_login(path: &Path) -> std::io::Result<String> {
    let text = read_text(path, Config::MAX_LOGIN as u64 + LINE_END)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    // A program that writes a new token may have emptied the file a moment ago.
    if line.is_empty() {
        return Err(std::io::Error::other("it is empty"));
    }
    Ok(line.to_owned())
}

/// The most bytes of a line end.
const LINE_END: u64 = 2;
