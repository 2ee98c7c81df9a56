//! STOMP 1.0 to 1.2: the login, the negotiated beats, and DISCONNECT.
//! <https://stomp.github.io/stomp-specification-1.2.html>

use std::fmt;
use std::time::Duration;

use gateway_core::{
    Dialect, DisconnectCause, Duties, Exchange, Interest, Login, Message, Received, Secret,
    Secrets, Verdict,
};

use crate::phase::Phase;

/// How often we can send beats, and how often we want the server's, in milliseconds.
const BEAT: u64 = 10_000;

#[derive(Default)]
pub(super) struct Stomp {
    phase: Phase,
    secrets: Secrets,
    /// The server wants our beats.
    is_beating: bool,
}

impl Dialect for Stomp {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat().with_login(Login::TIMEOUT)
    }

    fn interest(&self) -> Interest {
        match self.phase {
            Phase::Over => Interest::NONE,
            Phase::Waiting | Phase::LoggingIn => Interest::TEXT,
            Phase::Ready => Interest::texts_up_to(2), // a beat: a line end
        }
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        match Connect::new(&self.secrets) {
            Some(connect) => {
                exchange.send_text(connect);
                self.phase = Phase::LoggingIn;
            }
            None => {
                self.phase = Phase::Over;
                exchange.fail("a secret has a line end, which CONNECT cannot escape");
            }
        }
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Message::Text(text) = message else { return Received::Deliver };
        if matches!(text, "\n" | "\r\n") {
            return Received::Consume;
        }
        if self.phase != Phase::LoggingIn {
            return Received::Deliver;
        }
        let frame = Frame(text.trim_start_matches(['\n', '\r']));
        match frame.command() {
            "CONNECTED" => {
                self.phase = Phase::Ready;
                self.agree(frame.header("heart-beat").unwrap_or_default(), exchange);
                exchange.login_accepted();
            }
            "ERROR" => {
                self.phase = Phase::Over;
                exchange.login_refused(Verdict::RefreshCredentials, frame.reason());
            }
            _ => return Received::Deliver,
        }
        Received::Consume
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        if self.is_beating {
            exchange.send_text("\n");
            exchange.pong(None); // nothing answers a beat; the server's own are expected
        }
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        if self.phase == Phase::Ready {
            exchange.send_text("DISCONNECT\n\n\0");
        }
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
    }

    fn lost(&mut self, _: DisconnectCause) {
        self.phase = Phase::Over;
    }
}

impl Stomp {
    /// Both sides beat at the slower of two rates: what one can, and what the other wants. Zero
    /// means none.
    fn agree(&mut self, server: &str, exchange: &mut Exchange<'_>) {
        let (can, wants) = server.split_once(',').unwrap_or_default();
        let millis = |text: &str| text.trim().parse::<u64>().unwrap_or(0);
        let (can, wants) = (millis(can), millis(wants));
        self.is_beating = wants > 0;
        if self.is_beating {
            exchange.set_heartbeat(Duration::from_millis(wants.max(BEAT)), None);
        }
        if can > 0 {
            // A beat may be late: the protocol asks for a margin.
            exchange.expect_within(Duration::from_millis(can.max(BEAT).saturating_mul(2)));
        }
    }
}

/// The CONNECT frame.
struct Connect<'a> {
    headers: Vec<(&'static str, &'a str)>,
}

impl<'a> Connect<'a> {
    /// Returns `None` if a secret would end its header: this frame has no escapes.
    fn new(secrets: &'a Secrets) -> Option<Self> {
        let value = |name| secrets.get(name).map(Secret::reveal);
        let mut headers = vec![("host", value("host").unwrap_or("/"))];
        headers.extend(value("username").map(|username| ("login", username)));
        headers.extend(value("password").map(|password| ("passcode", password)));
        let is_line = |(_, value): &(_, &str)| !value.contains(['\n', '\r', '\0']);
        headers.iter().all(is_line).then_some(Self { headers })
    }
}

impl fmt::Display for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CONNECT\naccept-version:1.0,1.1,1.2\nheart-beat:{BEAT},{BEAT}\n")?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}:{value}")?;
        }
        f.write_str("\n\0")
    }
}

/// A frame of the server.
#[derive(Clone, Copy)]
struct Frame<'a>(&'a str);

impl<'a> Frame<'a> {
    fn command(self) -> &'a str {
        self.0.lines().next().unwrap_or_default()
    }

    /// Why the server refuses: the header `message`, and the first line of the body, which often
    /// says more.
    fn reason(self) -> String {
        let head = self.header("message").unwrap_or_default();
        let mut lines = self.0.lines().skip_while(|line| !line.is_empty()).skip(1);
        let detail = lines.next().unwrap_or_default().trim_end_matches('\0').trim();
        let between = if head.is_empty() || detail.is_empty() { "" } else { ": " };
        [head, between, detail].into_iter().flat_map(str::chars).take(512).collect()
    }

    /// The first header of this name counts.
    fn header(self, name: &str) -> Option<&'a str> {
        let headers = self.0.lines().skip(1).take_while(|line| !line.is_empty());
        let mut named = headers.filter_map(|line| line.split_once(':'));
        named.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}
