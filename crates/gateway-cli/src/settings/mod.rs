//! The settings of a connection. Flags override environment variables, which override the file.
//!
//! [`table`] lists the settings. [`flags`] and [`tree`] merge the sources as text. Then [`own`] validates
//! the program's settings and the core validates the rest, so that every error is reported at once.

mod dialect;
mod errors;
mod flags;
mod metrics;
mod origin;
mod own;
pub(crate) mod probe;
mod proxy;
mod sending;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::{ffi::OsString, net::SocketAddr, path::Path, sync::Arc};

use gateway_tokio::{
    Client,
    core::{Config, ConfigBuilder, ConfigError, ConfigErrors, Rule},
};
use serde::Deserialize as _;
use serde_json::Value;

pub(crate) use self::{
    errors::SettingsErrors,
    flags::Flags,
    tree::{MAX_FILE, not_toml, read_text},
};
use self::{
    own::{Own, Peers},
    summary::Summary,
    tree::{Layer, Tree},
};
use crate::record::FileRecorder;

/// Settings that are valid.
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    /// A client with these settings that has not started to connect. Unusable without a URL.
    pub(crate) client: Client,
    pub(crate) summary: Summary,
    own: Own,
    peers: Peers,
}

/// What settings are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They must have a URL, and the secrets that the dialect cannot do without.
    Connect,
    /// What is missing may come later, as a flag of `gateway connect`.
    Inspect,
}

impl Settings {
    /// Reads all sources and merges them.
    ///
    /// # Errors
    /// Every error in any of them.
    pub(crate) fn load(
        file: Option<&Path>,
        flags: Flags,
        purpose: Purpose,
    ) -> Result<Self, SettingsErrors> {
        let tree = file.map_or_else(Tree::default, Tree::of_file);
        Self::of(tree, flags.into_layers(), purpose, &|name| std::env::var_os(name))
    }

    /// Builds the client again: recorded by `recorder`, and with metrics, if they are set, for the
    /// recorder of this thread.
    ///
    /// # Errors
    /// If the platform's trust store can no longer be read.
    pub(crate) fn rebuilt(self, recorder: Option<FileRecorder>) -> Result<Self, ConfigErrors> {
        let client = self.own.client(Arc::clone(&self.config), &self.peers, recorder);
        match client {
            Ok(client) => Ok(Self { client, ..self }),
            Err(errors) => Err(ConfigErrors::check(errors).expect_err("there is an error")),
        }
    }

    /// The connection's name, if it has one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.own.name.as_deref()
    }

    /// Where metrics are served, if they are.
    pub(crate) fn metrics(&self) -> Option<SocketAddr> {
        self.own.metrics
    }

    /// Whether lines are kept while the connection is not ready.
    pub(crate) fn has_outbox(&self) -> bool {
        self.own.sending.has_outbox()
    }

    /// The secrets that the dialect cannot do without and that are not given.
    pub(crate) fn missing_secrets(&self) -> Vec<String> {
        self.own.missing_secrets()
    }

    /// Whether the dialect added this rule, and not the user.
    pub(crate) fn is_of_dialect(&self, rule: &Rule) -> bool {
        self.own.policy_of_dialect.contains(rule)
    }

    /// The URL without its secret parts.
    pub(crate) fn shown_url(&self) -> String {
        own::redacted(self.own.url.as_deref().unwrap_or_default())
    }

    /// The proxy through which the server is reached, without user and password.
    pub(crate) fn shown_proxy(&self) -> Option<String> {
        self.client.proxy().map(ToString::to_string)
    }

    /// Merges the other sources into a file's tree, and validates the result. `variable` reads the
    /// environment's variables for proxies.
    fn of(
        mut tree: Tree,
        layers: Vec<Layer>,
        purpose: Purpose,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsErrors> {
        let is_login = |layer: &Layer| layer.setting.path == "login.send";
        let has_login = tree.value("login.send").is_some() || layers.iter().any(is_login);
        for layer in layers {
            // A variable may be exported for another server, one with a login.
            if has_login || !layer.is_exported_login_rule() {
                tree.lay(layer);
            }
        }
        proxy::lay_environment(&mut tree, variable);
        let summary = Summary::of(&tree);
        let own = Own::take_from(&mut tree);
        if purpose == Purpose::Connect {
            own.check_complete(&mut tree);
        }
        let (rest, mut errors) = tree.parts();
        let config = judge(rest).map(Arc::new);
        let stand_in = config.as_ref().map(Arc::clone).unwrap_or_default();
        let (peers, wrong) = own.peers();
        errors.extend(wrong);
        match (config, own.client(stand_in, &peers, None)) {
            (Ok(config), Ok(client)) if errors.is_empty() => {
                let summary = summary.with_defaults_of(&config);
                return Ok(Self { config, client, summary, own, peers });
            }
            (config, client) => {
                let is_known = errors.iter().any(|error| error.field() == "url");
                let more = client.err().into_iter().flatten();
                errors.extend(more.filter(|error| !(is_known && error.field() == "url")));
                errors.extend(config.err().into_iter().flatten());
            }
        }
        Err(SettingsErrors::of(errors, &tree))
    }
}

/// Validates with the core. The error of an unknown field lists the fields of the core and the program.
fn judge(tree: Value) -> Result<Config, Vec<ConfigError>> {
    let builder = ConfigBuilder::deserialize(tree).expect("the core reads any tree");
    builder.build().map_err(|errors| {
        errors.into_vec().into_iter().map(with_own_fields).map(with_flag).collect()
    })
}

/// `login.send` requires `login.accepted`: the error names the flag.
fn with_flag(error: ConfigError) -> ConfigError {
    if error.field() != "login.accepted" || !error.value().is_empty() {
        return error;
    }
    let limit = "must be set if login.send is: --login-ok POINTER=VALUE is the answer that accepts, such \
                 as /type=login_ok; --login-ok any accepts the first text";
    ConfigError::new(error.field(), "", limit)
}

fn with_own_fields(error: ConfigError) -> ConfigError {
    let is_of_root = !error.field().contains('.') && error.limit().starts_with("unknown field");
    if !is_of_root {
        return error;
    }
    let limit = format!("{}, {}", error.limit(), own::OWN.join(", "));
    ConfigError::new(error.field(), error.value(), limit)
}
