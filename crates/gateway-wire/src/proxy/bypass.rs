//! The servers that are reached without a proxy: the list `NO_PROXY`.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

/// What an entry must be.
pub(super) const LIMIT: &str =
    "must be hosts, IP addresses, ranges such as 192.0.2.0/24, or *, with commas between them";

/// A list of servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypass(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    hosts: Hosts,
    /// `None` for all ports.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// This name, and all below it. In lower case, and without dots at either end.
    Name(String),
    Range(IpNet),
}

impl Bypass {
    /// Reads a list. Also returns the entries that cannot be read.
    pub(super) fn parse(list: &str) -> (Self, Vec<&str>) {
        let (mut entries, mut wrong) = (Vec::new(), Vec::new());
        let pieces = list.split(|character: char| character == ',' || character.is_whitespace());
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            match Entry::parse(piece) {
                Some(entry) => entries.push(entry),
                None => wrong.push(piece),
            }
        }
        (Self(entries), wrong)
    }

    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        let address = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        let name = host.trim_end_matches('.');
        self.0.iter().any(|entry| {
            let is_port = entry.port.is_none_or(|own| own == port);
            is_port && entry.hosts.cover(name, address)
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(text) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = text.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(host)?, port: Some(port.parse().ok()?) })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Ok(range) = text.parse() {
            return Some(Self::Range(canonical(range)));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Range(address.to_canonical().into()));
        }
        let name = text.strip_prefix("*.").unwrap_or(text).trim_matches('.');
        match Host::parse(name).ok()? {
            Host::Domain(name) if !name.is_empty() && name.bytes().all(is_of_name) => {
                Some(Self::Name(name))
            }
            Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    /// `address` is the host, if it is an IP address.
    fn cover(&self, host: &str, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::All, _) => true,
            (Self::Range(range), Some(address)) => range.contains(&address),
            (Self::Name(name), None) => {
                let before = host.len().checked_sub(name.len());
                before.is_some_and(|at| {
                    let (before, end) = host.as_bytes().split_at(at);
                    end.eq_ignore_ascii_case(name.as_bytes())
                        && matches!(before.last(), None | Some(b'.'))
                })
            }
            (Self::Range(_), None) | (Self::Name(_), Some(_)) => false,
        }
    }
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// A range of IPv4-mapped addresses as one of IPv4 addresses, as [`IpAddr::to_canonical`] for one
/// address.
fn canonical(range: IpNet) -> IpNet {
    let mapped = match range {
        IpNet::V6(range) => range.addr().to_ipv4_mapped().zip(range.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(address, length)| IpNet::new(address.into(), length).ok()).unwrap_or(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_covers_its_hosts_and_no_others() {
        for (list, covered, others) in [
            ("", &[][..], &["a.example", "127.0.0.1"][..]),
            ("*", &["a.example", "127.0.0.1", "::1"], &[]),
            (
                "example.org",
                &["example.org", "a.example.org", "A.EXAMPLE.ORG", "example.org."],
                &["notexample.org", "example.org.evil.example", "org", ""],
            ),
            (".example.org", &["example.org", "a.b.example.org"], &["badexample.org"]),
            ("*.example.org", &["example.org", "a.example.org"], &["badexample.org"]),
            ("Example.ORG.", &["example.org"], &["example.com"]),
            ("bücher.example", &["xn--bcher-kva.example"], &["bucher.example"]),
            ("a.example,b.example", &["a.example", "b.example"], &["c.example"]),
            (
                " a.example ,, b.example\tc.example ",
                &["a.example", "b.example", "c.example"],
                &["d"],
            ),
            ("127.0.0.1", &["127.0.0.1"], &["127.0.0.2", "localhost", "1"]),
            ("localhost", &["localhost", "a.localhost"], &["127.0.0.1"]),
            ("10.0.0.0/8", &["10.0.0.1", "10.255.255.255"], &["11.0.0.1", "10.example"]),
            ("2001:db8::/32", &["2001:db8::1"], &["2001:db9::1", "10.0.0.1"]),
            ("::1,[2001:db8::7]", &["::1", "2001:db8::7"], &["::2"]),
            ("10.0.0.0/8", &["::ffff:a00:1"], &["::ffff:b00:1", "::a00:1"]),
            ("10.0.0.1", &["::ffff:a00:1"], &["::ffff:a00:2"]),
            ("::ffff:10.0.0.0/104", &["10.0.0.1", "::ffff:a00:1"], &["11.0.0.1"]),
            ("::ffff:10.0.0.1", &["10.0.0.1", "::ffff:a00:1"], &["10.0.0.2"]),
            ("a_b.example", &["a_b.example"], &["b.example"]),
            ("1.1.1.1.example", &["1.1.1.1.example"], &["1.1.1.1"]),
        ] {
            let (bypass, wrong) = Bypass::parse(list);
            assert!(wrong.is_empty(), "{list}");
            for host in covered {
                assert!(bypass.covers(host, 443), "{list} covers {host}");
            }
            for host in others {
                assert!(!bypass.covers(host, 443), "{list} does not cover {host}");
            }
        }
    }

    #[test]
    fn a_port_limits_its_entry() {
        let (bypass, _) = Bypass::parse("a.example:8080, [::1]:9, 10.0.0.0/8:7, *:5");
        for (host, port) in
            [("a.example", 8080), ("b.a.example", 8080), ("::1", 9), ("10.1.1.1", 7)]
        {
            assert!(bypass.covers(host, port), "{host}:{port}");
            assert!(!bypass.covers(host, port + 1), "{host}:{port}");
            assert!(bypass.covers(host, 5), "{host}:{port}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_reported_and_the_others_count() {
        let (bypass, wrong) =
            Bypass::parse("a.example,10.0.0.0/33,http://b.example,c.example:x,*d.example,e=f");
        assert_eq!(wrong, ["10.0.0.0/33", "http://b.example", "c.example:x", "*d.example", "e=f"]);
        assert!(bypass.covers("a.example", 443) && !bypass.covers("b.example", 443));
    }
}
