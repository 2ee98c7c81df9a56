//! One connection of the hostile gateway, from its upgrade to its end, frame by frame.

use std::io;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use gateway_testkit::{Frame, answer_upgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clock::{self, at_most};
use crate::draws::{Draws, Purpose};
use crate::ledger::{ConnectionBook, Kind};
use crate::payload;
use crate::plan::{Ending, Fault, Open, Opening, Plan, plan};
use crate::shared::{Phase, Shared, Slot};
use crate::stream::Stream;

/// A client that has not ended TCP after this never will: all its deadlines are below two seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A silence after which every client is dead: more than the heartbeat's interval and timeout.
const SILENCE: Duration = Duration::from_millis(1_200);

/// Nothing is written for longer than this.
const WRITE_BOUND: Duration = Duration::from_secs(5);

/// How serving ended.
enum Over {
    /// The phase ended it.
    Stopped,
    /// The client closed, ended TCP, or was lost.
    Gone,
}

/// Serves one connection by its plan. Without a plan it has no faults until the next storm.
pub(crate) async fn serve(
    shared: &Shared,
    slot: &Slot,
    id: u64,
    tcp: TcpStream,
    plan: Option<Plan>,
) {
    let tls = slot.kit.is_secure.then_some(&shared.acceptor);
    let book = ConnectionBook { connection: id, ..ConnectionBook::default() };
    let Some(Ok(stream)) = at_most(PATIENCE, Stream::accept(tcp, tls)).await else {
        return shared.ledger.ended(slot.index, book); // the client has left
    };
    let mut line = Line {
        shared,
        slot,
        stream,
        unread: Vec::new(),
        told: 0,
        fault: None,
        lingers: plan.as_ref().is_some_and(|plan| plan.lingers),
        book,
    };
    // Any failure here means that the client has left, which the ledgers show.
    let _ = line.live(plan).await;
    let _ = slot.calm.compare_exchange(id, 0, SeqCst, SeqCst);
    let Line { book, stream, .. } = line;
    shared.ledger.ended(slot.index, book);
    drop(stream);
}

struct Line<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
    stream: Stream,
    unread: Vec<u8>,
    /// How many messages were written to the client.
    told: u64,
    /// How it misbehaves while it is open.
    fault: Option<Open>,
    lingers: bool,
    book: ConnectionBook,
}

impl Line<'_> {
    async fn live(&mut self, plan: Option<Plan>) -> io::Result<()> {
        let opening = plan.as_ref().and_then(|plan| plan.opening);
        if !self.open(opening).await? {
            return Ok(());
        }
        self.tell("hello").await?;
        let plan = match plan {
            Some(plan) => plan,
            None => match self.keep_calm().await? {
                Some(plan) => plan,
                None => return Ok(()),
            },
        };
        self.fault = plan.open;
        self.lingers = plan.lingers;
        if let Some(fault) = plan.open {
            self.count(Fault::Open(fault));
        }
        let mut draws = Draws::of(Purpose::Connection, plan.seed, 0, 0);
        if let Over::Gone = self.storm(plan.life, &mut draws).await? {
            return Ok(());
        }
        // In a calm each client must get a fresh connection as soon as possible.
        let ending = if self.in_storm() { plan.ending } else { Ending::Close(1012) };
        self.end(ending).await
    }

    fn in_storm(&self) -> bool {
        self.shared.now_is(Phase::Storm)
    }

    fn count(&self, fault: Fault) {
        self.shared.counts(self.slot.driver).fault(fault);
    }

    /// Reads the request and answers it. Returns whether the connection is upgraded.
    async fn open(&mut self, fault: Option<Opening>) -> io::Result<bool> {
        let mut head = Vec::new();
        let answer = loop {
            let byte = at_most(PATIENCE, self.stream.read_u8()).await;
            head.push(byte.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?);
            if let Some((_, answer)) = answer_upgrade(&head) {
                break answer;
            }
        };
        if let Some(fault) = fault {
            self.count(Fault::Opening(fault));
        }
        match fault {
            Some(Opening::Http(status, after)) => {
                let after =
                    after.map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
                let refusal = format!(
                    "HTTP/1.1 {status} No\r\n{after}Content-Length: 0\r\nConnection: close\r\n\r\n"
                );
                self.write(refusal.as_bytes()).await?;
            }
            Some(Opening::Garbage) => self.write(b"220 smtp.example ESMTP\r\n\r\n").await?,
            Some(Opening::CutUpgrade) => {}
            Some(Opening::StalledUpgrade) => {
                self.drain("a stalled upgrade").await;
                return Ok(false);
            }
            Some(Opening::SlowUpgrade) => {
                self.slot.grant(self.book.connection);
                for byte in answer.as_bytes() {
                    self.write(&[*byte]).await?;
                    clock::wait(Duration::from_millis(1)).await;
                }
                return Ok(true);
            }
            None => {
                self.slot.grant(self.book.connection);
                self.write(answer.as_bytes()).await?;
                return Ok(true);
            }
            Some(Opening::Refuse) => {
                let what = "a connection that the listener should have refused";
                self.shared.ledger.wrong(Kind::Other, what.into());
            }
        }
        self.stream.shutdown().await?;
        self.drain("a refused upgrade").await;
        Ok(false)
    }

    /// Serves without faults until the next storm. Returns its plan, or `None` if the client left.
    async fn keep_calm(&mut self) -> io::Result<Option<Plan>> {
        self.slot.calm.store(self.book.connection, SeqCst);
        let mut phase = self.shared.phase.subscribe();
        loop {
            let came = tokio::select! {
                storm = phase.wait_for(|phase| *phase == Phase::Storm) => match storm {
                    Ok(_) => None,
                    Err(_) => return Ok(None),
                },
                came = self.stream.read_buf(&mut self.unread) => Some(came?),
            };
            match came {
                None => {
                    self.slot.calm.store(0, SeqCst);
                    let attempt = self.slot.attempts.fetch_add(1, Relaxed);
                    return Ok(Some(plan(self.shared.seed, self.slot.place, attempt)));
                }
                Some(came) => {
                    if let Over::Gone = self.take(came).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Serves with the fault, for this long or until the end of the storm.
    async fn storm(&mut self, life: Duration, draws: &mut Draws) -> io::Result<Over> {
        let mut phase = self.shared.phase.subscribe();
        let until = clock::now() + life;
        loop {
            if self.fault == Some(Open::Burst) && draws.once_in(3) {
                for _ in 0..draws.within(5..60) {
                    self.tell("burst").await?;
                }
            }
            if self.fault == Some(Open::PingFlood) && draws.once_in(3) {
                let ping = Frame::ping("are you there").bytes();
                self.write(&ping.repeat(200)).await?;
            }
            if self.fault == Some(Open::SlowRead) {
                clock::wait(Duration::from_millis(30)).await;
            }
            // Cancel-safe: bytes are in the buffer or stay in the socket.
            let came = tokio::select! {
                _ = phase.wait_for(|phase| *phase != Phase::Storm) => return Ok(Over::Stopped),
                () = clock::wait_until(until) => return Ok(Over::Stopped),
                came = async {
                    if self.fault == Some(Open::SlowRead) {
                        (&mut self.stream).take(4_096).read_buf(&mut self.unread).await
                    } else {
                        self.stream.read_buf(&mut self.unread).await
                    }
                } => came?,
            };
            if let Over::Gone = self.take(came).await? {
                return Ok(Over::Gone);
            }
        }
    }

    async fn end(&mut self, ending: Ending) -> io::Result<()> {
        if self.in_storm() {
            self.count(Fault::Ending(ending));
        }
        match ending {
            Ending::Fin => self.stream.shutdown().await?,
            Ending::Reset => {
                self.stream.set_zero_linger()?;
                return Ok(());
            }
            Ending::HalfOpen => clock::wait(SILENCE).await,
            Ending::Close(code) => self.last_word(&Frame::close(code, "").bytes()).await?,
            Ending::ShortClose => self.last_word(&Frame::new(0x88, [3]).bytes()).await?,
            Ending::BadOpcode => self.last_word(&Frame::new(0x83, "what").bytes()).await?,
            Ending::BadUtf8 => self.last_word(&Frame::text([0xc3, 0x28]).bytes()).await?,
            // Announces 16 MiB, which never come.
            Ending::TooBig => self.last_word(&[0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0]).await?,
        }
        self.drain(&ending.name()).await;
        Ok(())
    }

    async fn last_word(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).await?;
        self.book.written = Some(self.told);
        Ok(())
    }

    /// Answers the received bytes. 0 bytes are the end of the stream.
    async fn take(&mut self, came: usize) -> io::Result<Over> {
        if came == 0 {
            self.book.how =
                format!("the client hung up, {} bytes of no whole frame", self.unread.len());
            self.book.is_clean = true;
            return Ok(Over::Gone);
        }
        while let Some(frame) = Frame::take(&mut self.unread) {
            match frame.first {
                0x88 => {
                    self.write(&frame.bytes()).await?;
                    self.hang_up().await;
                    self.drain("the client's Close frame").await;
                    return Ok(Over::Gone);
                }
                0x89 => self.write(&Frame::pong(&frame.payload).bytes()).await?,
                0x8a => {}
                _ if frame.is_heartbeat() => self.answer_heartbeat().await?,
                _ => {
                    if let Some((number, id)) = self.record_request(&frame) {
                        self.answer(number, id).await?;
                    } else if let Some(number) = self.record(&frame) {
                        self.tell(&number.to_string()).await?;
                    }
                }
            }
        }
        Ok(Over::Stopped)
    }

    async fn answer_heartbeat(&mut self) -> io::Result<()> {
        if self.fault == Some(Open::NoPong) {
            return Ok(());
        }
        if self.fault == Some(Open::LatePong) {
            clock::wait(Duration::from_millis(120)).await;
        }
        self.write(&Frame::text(r#"{"type":"pong"}"#).bytes()).await
    }

    /// Answers a request, unless it is one of those that get no answer.
    async fn answer(&mut self, number: u64, id: u64) -> io::Result<()> {
        if number.is_multiple_of(9) {
            return Ok(());
        }
        self.write(&Frame::text(payload::of_answer(number, id)).bytes()).await
    }

    /// Records a request. Returns its number and its id.
    fn record_request(&mut self, frame: &Frame) -> Option<(u64, u64)> {
        let text = str::from_utf8(&frame.payload).ok()?;
        let asked = payload::asked(self.slot.index, text)?;
        self.book.asked.push(asked.0);
        Some(asked)
    }

    fn record(&mut self, frame: &Frame) -> Option<u64> {
        let text = String::from_utf8_lossy(&frame.payload);
        let number = payload::number_of(self.slot.index, &text);
        match number {
            Some(number) => self.book.received.push(number),
            None => {
                let shown: String = text.chars().take(60).collect();
                let what = format!("client {}: not as it was sent: {shown:?}", self.slot.index);
                self.shared.ledger.wrong(Kind::Other, what);
            }
        }
        number
    }

    /// Reads to the end of the stream and answers nothing.
    async fn drain(&mut self, after: &str) {
        let drained = at_most(PATIENCE, async {
            loop {
                while let Some(frame) = Frame::take(&mut self.unread) {
                    match frame.first {
                        0x88 => self.hang_up().await,
                        0x81 | 0x82 if frame.is_heartbeat() => {}
                        0x81 | 0x82 if self.record_request(&frame).is_some() => {}
                        0x81 | 0x82 => drop(self.record(&frame)),
                        _ => {}
                    }
                }
                match self.stream.read_buf(&mut self.unread).await {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        });
        let drained = drained.await;
        self.book.how = format!("after {after}, {} bytes of no whole frame", self.unread.len());
        match drained {
            Some(is_clean) => self.book.is_clean = is_clean,
            None => {
                let client = self.slot.index;
                let what = format!("client {client} has not hung up {PATIENCE:?} after {after}");
                self.shared.ledger.wrong(Kind::Other, what);
            }
        }
    }

    /// After a close handshake the server ends TCP first. If it does not, the client must not wait for it.
    async fn hang_up(&mut self) {
        if !self.lingers {
            let _ = self.stream.shutdown().await;
        }
    }

    async fn tell(&mut self, what: &str) -> io::Result<()> {
        let text = payload::of_gateway(self.book.connection, self.told, what);
        let bytes = if self.fault == Some(Open::Fragments) {
            let (first, rest) = text.as_bytes().split_at(text.len() / 3);
            let (middle, last) = rest.split_at(rest.len() / 2);
            let middle = Frame::new(0x00, middle);
            [Frame::new(0x01, first), Frame::ping("between"), middle, Frame::new(0x80, last)]
                .iter()
                .flat_map(Frame::bytes)
                .collect()
        } else {
            Frame::text(&text).bytes()
        };
        self.write(&bytes).await?;
        self.told += 1;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let one_by_one = if self.fault == Some(Open::OneByte) { bytes.len().min(40) } else { 0 };
        let (single, rest) = bytes.split_at(one_by_one);
        let written = at_most(WRITE_BOUND, async {
            for byte in single.chunks(1) {
                self.stream.write_all(byte).await?;
            }
            self.stream.write_all(rest).await?;
            self.stream.flush().await
        });
        written.await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}
