//! The proxy: of a flag, a variable of the program or the file, otherwise of the usual environment
//! variables.

use std::ffi::OsString;

use gateway_tokio::{Proxy, Tls, core::ConfigError};
use serde_json::Value;

use super::{
    origin::Origin,
    own::TlsFiles,
    table::SETTINGS,
    tree::{Layer, Tree},
};

/// The settings of the proxy. It has no `Debug` form, which would show secrets.
#[derive(Clone, Default)]
pub(crate) struct ProxySettings {
    url: Option<String>,
    no_proxy: Option<String>,
    /// Whether `no_proxy` is the environment's. Other programs know other entries.
    is_shared: bool,
}

/// Takes what is not set from the environment's variables. Which proxy counts depends on the URL.
pub(super) fn lay_environment(tree: &mut Tree, variable: &dyn Fn(&str) -> Option<OsString>) {
    let url = tree.value("url").and_then(Value::as_str).unwrap_or_default();
    let is_secure = url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("wss:"));
    for (path, known) in [
        ("proxy", Proxy::variable(is_secure, variable)),
        ("no_proxy", Proxy::no_proxy_variable(variable)),
    ] {
        let setting = SETTINGS.iter().find(|setting| setting.path == path);
        let (Some(setting), Some((name, value)), None) = (setting, known, tree.value(path)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => {
                tree.lay(Layer { setting, origin: Origin::Variable(name), values: vec![value] });
            }
            Err(_) => {
                tree.error(path, "", format!("must be UTF-8 (from the environment's {name})"))
            }
        }
    }
}

impl ProxySettings {
    /// Takes them out of the tree, and adds their errors to it.
    pub(super) fn take_from(tree: &mut Tree) -> Self {
        let shared = |origin| matches!(origin, Origin::Variable("no_proxy" | "NO_PROXY"));
        let is_shared = tree.origin("no_proxy").is_some_and(shared);
        let url = match tree.take("proxy") {
            None => None,
            Some(Value::String(url)) => Some(url).filter(|url| !url.trim().is_empty()),
            Some(_) => {
                tree.error("proxy", "", "must be a URL, or an empty string for no proxy");
                None
            }
        };
        let no_proxy = match tree.take("no_proxy") {
            None => None,
            Some(Value::String(list)) => Some(list),
            Some(Value::Array(entries)) if entries.iter().all(Value::is_string) => {
                let entries: Vec<_> = entries.iter().filter_map(Value::as_str).collect();
                Some(entries.join(","))
            }
            Some(_) => {
                tree.error("no_proxy", "", "must be a list of servers");
                None
            }
        };
        Self { url, no_proxy, is_shared }
    }

    /// The proxy; `None` if there is none, or the file of its certificates is not valid.
    pub(super) fn proxy(
        &self,
        files: &TlsFiles,
        insecure: bool,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Proxy> {
        let mut proxy = Proxy::new(self.url.as_deref()?);
        proxy = match &self.no_proxy {
            Some(list) if self.is_shared => proxy.shared_no_proxy(list),
            Some(list) => proxy.no_proxy(list),
            None => proxy,
        };
        let tls = match &files.proxy_ca_cert {
            Some(path) => Tls::pem_file(path).map_err(|error| {
                let limit = error.limit();
                errors.push(ConfigError::new("tls.proxy_ca_cert", error.value(), limit));
            }),
            // If the trust store cannot be read, the builder reports it.
            None if insecure => Tls::platform().map_err(drop),
            None => Err(()),
        };
        Some(match tls {
            Ok(tls) => proxy.tls(tls.with_setting_name("--proxy-ca-cert")),
            Err(()) => proxy,
        })
    }
}
