//! Inbound frames: for the application, for the login, or for the heartbeat.

use gateway_core::{
    Action, CloseCode, CloseFrame, ConnectionState, DisconnectCause, Frame, HeartbeatKind,
    JsonHeartbeat, LoginAnswer, Message, Outgoing, Recognised, UnixMillis,
};
use rand_core::Rng;

use super::Reference;

impl<R: Rng> Reference<R> {
    pub(super) fn on_frame(&mut self, frame: Frame<'_>) {
        self.tally.frames_in += 1;
        self.tally.bytes_in += frame.len() as u64;
        self.hear();
        match frame {
            Frame::Close(frame) => self.on_peers_close(frame),
            Frame::Text(_) | Frame::Binary(_) if self.refusal.is_some() => {
                self.act(Action::Deliver);
            }
            // The rules of the configuration judge what the dialect has left.
            Frame::Text(text) if self.is_logging_in() => {
                if self.show(Message::Text(text)) {
                    self.on_answer(text);
                }
            }
            Frame::Text(text) => self.on_text(text),
            Frame::Binary(bytes) => self.deliver(Message::Binary(bytes)),
            Frame::Ping(_) => {} // the codec answers it
            Frame::Pong(payload) => self.on_pong_frame(payload),
        }
    }

    fn on_peers_close(&mut self, frame: Option<CloseFrame<'_>>) {
        if self.state == ConnectionState::Closing {
            return self.finish_closing(DisconnectCause::Requested);
        }
        let code = frame.map(|frame| frame.code());
        if self.refusal.is_some() {
            self.soften_refusal(code.map_or(1005, CloseCode::number));
            return self.end_refusal(code, None);
        }
        self.drop_and_lose(DisconnectCause::CloseReceived(code));
    }

    fn on_answer(&mut self, text: &str) {
        match self.config.login().judge(text) {
            LoginAnswer::Accepted => self.become_ready(ConnectionState::Authenticated),
            LoginAnswer::AcceptedAndDelivered => {
                self.act(Action::Deliver);
                self.become_ready(ConnectionState::Authenticated);
            }
            LoginAnswer::Refused(verdict) => self.refuse_login(verdict),
            LoginAnswer::NotAnAnswer => self.act(Action::Deliver),
        }
    }

    /// Consumes a pong of the dialect while a ping is unanswered, and the peer's ping if it is to be answered.
    fn on_text(&mut self, text: &str) {
        let asks_in_json = self.config.heartbeat_kind() == HeartbeatKind::Json;
        match (JsonHeartbeat.recognise(text), self.socket) {
            (Recognised::Pong(echo), _) if asks_in_json && self.is_ping_out() => {
                self.on_pong(echo.map(|UnixMillis(millis)| millis));
                if self.config.deliver_pongs() {
                    self.act(Action::Deliver);
                }
            }
            (Recognised::Ping(stamp), Some(id)) if self.config.answer_pings() => {
                // Nothing is sent after the client's Close.
                if self.state != ConnectionState::Closing {
                    self.act(Action::Send(id, Outgoing::Pong(stamp)));
                }
            }
            _ => self.deliver(Message::Text(text)),
        }
    }

    /// With Ping frames only a Pong for an unanswered ping is an answer.
    fn on_pong_frame(&mut self, payload: &[u8]) {
        if self.config.heartbeat_kind() != HeartbeatKind::Ping {
            return;
        }
        if let Some(number) = self.ping_named(payload) {
            self.on_pong(Some(number));
        }
    }

    /// Delivers a message, unless the dialect keeps it.
    fn deliver(&mut self, message: Message<'_>) {
        if self.show(message) {
            self.hear_data();
            self.act(Action::Deliver);
        }
    }
}
