//! In which order, and how far apart, a host's addresses are tried.

use std::net::SocketAddr;
use std::time::Duration;

/// The stagger between addresses tried side by side:
/// [RFC 8305 section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Takes turns between the families, the resolver's first choice first
/// ([RFC 8305 section 4](https://www.rfc-editor.org/rfc/rfc8305#section-4)).
#[must_use]
pub fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(first.len() + second.len());
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return turns;
        }
        turns.extend(pair.0);
        turns.extend(pair.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_resolvers_choice_goes_first() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(parse).to_vec();
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(parse).to_vec();
        assert_eq!(interleave(list), expected);
        assert_eq!(interleave(Vec::new()), Vec::new());
    }
}
