//! The packets of Socket.IO: `TYPE[ATTACHMENTS-][NAMESPACE,][ID][DATA]`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    BinaryEvent,
    BinaryAck,
}

/// A packet of the client, without the `4` of Engine.IO.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) kind: Kind,
    /// How many binary messages follow.
    pub(super) attachments: u64,
    /// `None` is the namespace `/`.
    pub(super) namespace: Option<&'a str>,
    pub(super) id: Option<&'a str>,
    pub(super) data: &'a str,
}

impl<'a> Packet<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(1)?;
        let kind = match kind {
            "0" => Kind::Connect,
            "1" => Kind::Disconnect,
            "2" => Kind::Event,
            "3" => Kind::Ack,
            "5" => Kind::BinaryEvent,
            "6" => Kind::BinaryAck,
            // `4` is a refusal, which only a server sends.
            _ => return None,
        };
        let (attachments, rest) = match kind {
            Kind::BinaryEvent | Kind::BinaryAck => {
                let (count, rest) = rest.split_once('-')?;
                (count.parse().ok()?, rest)
            }
            Kind::Connect | Kind::Disconnect | Kind::Event | Kind::Ack => (0, rest),
        };
        let (namespace, rest) = match rest.starts_with('/') {
            true => rest.split_once(',').unwrap_or((rest, "")),
            false => ("/", rest),
        };
        let namespace = (namespace != "/").then_some(namespace);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        Some(Self { kind, attachments, namespace, id: (!id.is_empty()).then_some(id), data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_up_to_five_parts() {
        let plain = |kind, data| Packet { kind, attachments: 0, namespace: None, id: None, data };
        for (text, expected) in [
            ("0", plain(Kind::Connect, "")),
            (r#"0{"token":"a"}"#, plain(Kind::Connect, r#"{"token":"a"}"#)),
            ("1/,", plain(Kind::Disconnect, "")),
            ("0/a", Packet { namespace: Some("/a"), ..plain(Kind::Connect, "") }),
            ("0/a?b=c,{}", Packet { namespace: Some("/a?b=c"), ..plain(Kind::Connect, "{}") }),
            (r#"212["a",1]"#, Packet { id: Some("12"), ..plain(Kind::Event, r#"["a",1]"#) }),
            (
                "52-/a,7[]",
                Packet {
                    attachments: 2,
                    namespace: Some("/a"),
                    id: Some("7"),
                    ..plain(Kind::BinaryEvent, "[]")
                },
            ),
        ] {
            assert_eq!(Packet::parse(text), Some(expected), "{text}");
        }
        for text in ["", "4{}", "9", "5[]", "5x-[]", "5-[]", "é"] {
            assert_eq!(Packet::parse(text), None, "{text}");
        }
    }
}
