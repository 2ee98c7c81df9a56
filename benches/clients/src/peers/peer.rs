//! The peers by name: what is built in, and which measures each of them does.

use clap::ValueEnum;

/// The peers, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    GatewayTokio,
    GatewayTokioSpawn,
    GatewayStd,
    TokioTungstenite,
    TokioTungsteniteBatched,
    /// With a read buffer of 4 KiB.
    TokioTungsteniteSmall,
    Tungstenite,
    TungsteniteBatched,
    Fastwebsockets,
    FastwebsocketsBatched,
    TokioWebsockets,
    TokioWebsocketsBatched,
    Yawc,
    YawcBatched,
    SockudoWs,
    SockudoWsBatched,
    Ezsockets,
    StreamTungstenite,
    #[cfg(feature = "nautilus")]
    NautilusNetwork,
}

impl Peer {
    /// As the command line names it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The package that is measured.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::GatewayTokio | Self::GatewayTokioSpawn => "gateway-tokio",
            Self::GatewayStd => "gateway-std",
            Self::TokioTungstenite
            | Self::TokioTungsteniteBatched
            | Self::TokioTungsteniteSmall => "tokio-tungstenite",
            Self::Tungstenite | Self::TungsteniteBatched => "tungstenite",
            Self::Fastwebsockets | Self::FastwebsocketsBatched => "fastwebsockets",
            Self::TokioWebsockets | Self::TokioWebsocketsBatched => "tokio-websockets",
            Self::Yawc | Self::YawcBatched => "yawc",
            Self::SockudoWs | Self::SockudoWsBatched => "sockudo-ws",
            Self::Ezsockets => "ezsockets",
            Self::StreamTungstenite => "stream-tungstenite",
            #[cfg(feature = "nautilus")]
            Self::NautilusNetwork => "nautilus-network",
        }
    }

    /// The measures that it does.
    ///
    /// Memory and idle connections are a task each: the blocking libraries want a thread for that, whose stack would be weighed.
    pub(crate) const fn measures(self) -> &'static [&'static str] {
        match self {
            Self::GatewayTokio => &[
                "pipelined",
                "flood",
                "large",
                "connects",
                "memory",
                "idle",
                "heartbeat",
                "allocations",
            ],
            Self::GatewayTokioSpawn => &[
                "pipelined",
                "tasks",
                "flood",
                "large",
                "connects",
                "memory",
                "idle",
                "heartbeat",
                "allocations",
            ],
            Self::GatewayStd => {
                &["pipelined", "flood", "large", "connects", "heartbeat", "allocations"]
            }
            Self::TokioTungstenite => {
                &["pipelined", "flood", "large", "connects", "memory", "idle", "allocations"]
            }
            Self::TokioTungsteniteSmall => &["pipelined", "flood", "large", "connects", "memory"],
            Self::Tungstenite => &["pipelined", "flood", "large", "connects", "allocations"],
            Self::Fastwebsockets | Self::TokioWebsockets | Self::Yawc | Self::SockudoWs => {
                &["pipelined", "flood", "large", "connects", "memory"]
            }
            Self::TokioTungsteniteBatched
            | Self::TungsteniteBatched
            | Self::FastwebsocketsBatched
            | Self::TokioWebsocketsBatched
            | Self::YawcBatched
            | Self::SockudoWsBatched => &["pipelined", "flood", "large"],
            Self::Ezsockets => &["pipelined", "tasks", "flood", "large", "connects"],
            Self::StreamTungstenite => &["pipelined", "flood", "large", "connects", "memory"],
            #[cfg(feature = "nautilus")]
            Self::NautilusNetwork => &["pipelined", "flood", "large", "connects", "memory"],
        }
    }
}
