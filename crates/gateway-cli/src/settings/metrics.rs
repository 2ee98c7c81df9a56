//! The address of `--metrics`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::tree::Tree;

const LIMIT: &str = "must be a port of this computer, such as 9464, an IP address with a port, such as \
                     0.0.0.0:9464, or off";

/// The address at which metrics are served, unless they are off.
pub(crate) fn take_from(tree: &mut Tree) -> Option<SocketAddr> {
    let value = tree.take("metrics")?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if value == Value::Null || text == "off" {
        return None; // null: it was given more than once, which is an error already
    }
    let address = address(&text);
    if address.is_none() {
        tree.error("metrics", text, LIMIT);
    }
    address
}

/// A port alone is one of the loopback interface.
fn address(text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix(':').or_else(|| text.strip_prefix("localhost:")).unwrap_or(text);
    match port.parse() {
        Ok(port) => Some((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_the_loopback_interface() {
        for (text, expected) in [
            ("9464", "127.0.0.1:9464"),
            (":0", "127.0.0.1:0"),
            ("localhost:9464", "127.0.0.1:9464"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
            ("[::1]:9464", "[::1]:9464"),
        ] {
            assert_eq!(address(text), expected.parse().ok(), "{text}");
        }
        for text in ["", "off:1", "65536", "127.0.0.1", "metrics.example:80", "-1"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
