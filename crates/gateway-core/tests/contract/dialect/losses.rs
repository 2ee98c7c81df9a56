//! When a dialect hears that its socket is gone.

use std::sync::Arc;

use gateway_core::{
    Dialect, DisconnectCause, Event, Exchange, Failure, Interest, Message, OpenError, Received,
};
use gateway_testkit::{Fixed, Rig};

use super::beating;
use crate::words::seconds;

/// The causes that this dialect received.
#[derive(Clone, Default)]
struct Losses(Vec<DisconnectCause>);

impl Dialect for Losses {
    fn interest(&self) -> Interest {
        Interest::NONE
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        Received::Deliver
    }

    fn lost(&mut self, cause: DisconnectCause) {
        self.0.push(cause);
    }
}

/// A socket does not open, the next one opens and fails.
fn lose<D: Dialect + Clone + Send + 'static>(dialect: D) -> Rig<Fixed, D> {
    let mut rig = Rig::speaking(Arc::new(beating().build().unwrap()), Fixed::HALF, dialect);
    rig.on(Event::ConnectRequested);
    rig.on(Event::OpenFailed(rig.socket(), OpenError::Refused));
    rig.pass(seconds(60)).tick();
    rig.open();
    rig.on(Event::SocketFailed(rig.socket(), Failure::Io));
    rig
}

#[test]
fn it_hears_of_the_loss_of_an_open_socket_and_of_no_other() {
    let expected = [DisconnectCause::Lost(Failure::Io)];
    assert_eq!(lose(Losses::default()).connection.dialect().0, expected);
    assert_eq!(lose(Box::new(Losses::default())).connection.dialect().0, expected);
}
