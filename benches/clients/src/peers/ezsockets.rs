//! ezsockets: it calls the application, so the loop stands in its callbacks.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail, ensure};
use async_trait::async_trait;
use ezsockets::{Bytes, Client, ClientConfig, ClientExt, Error, Utf8Bytes};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::{Socket, Target};
use crate::exchange::{Seen, Texts};
use crate::measures::tasks::{Tally, Tasks, next_text};
use crate::measures::{Answer, By, Job, answer, go, warmed_up};
use crate::statistics::{Meter, Spent};

/// Messages, exchanged where the library calls.
struct Loop {
    client: Client<Self>,
    job: Job,
    seen: Seen,
    texts: Texts,
    to_send: u64,
    to_receive: u64,
    meter: Meter,
    warm_up: Option<Spent>,
    spent: Option<Spent>,
    opened: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Sender<Result<Done>>>,
}

/// What was spent.
struct Done {
    warm_up: Option<Spent>,
    counted: Spent,
}

impl Loop {
    /// Takes a text, and says whether it was the last: behind all that is measured there goes one more, which must be the next
    /// that comes.
    fn take(&mut self, text: &[u8]) -> Result<Option<Done>> {
        self.seen.take(text)?;
        if let Some(counted) = self.spent {
            return Ok(Some(Done { warm_up: self.warm_up, counted }));
        }
        if self.to_send > 0 {
            send(&self.client, self.texts.due())?;
            self.texts.advance();
            self.to_send -= 1;
        }
        self.to_receive -= 1;
        if self.to_receive > 0 {
            return Ok(None);
        }
        if self.job.warm_up.take().is_some() {
            self.warm_up = Some(self.meter.stop());
            self.begin()?;
        } else {
            self.spent = Some(self.meter.stop());
            send(&self.client, self.seen.texts().due())?;
        }
        Ok(None)
    }

    /// Begins with the warm-up, or with what is counted if that is over.
    fn begin(&mut self) -> Result<()> {
        self.meter = Meter::start();
        self.to_receive = self.job.warm_up.unwrap_or(self.job.messages);
        match self.job.by {
            By::Push => send(&self.client, &go(self.to_receive, self.texts.bytes())),
            By::Echoes(in_flight) => {
                let window = in_flight.min(self.to_receive);
                self.to_send = self.to_receive - window;
                for _ in 0..window {
                    send(&self.client, self.texts.due())?;
                    self.texts.advance();
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, result: Result<Done>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result); // the other side has gone only when all is over
        }
    }
}

#[async_trait]
impl ClientExt for Loop {
    /// Begin.
    type Call = ();

    async fn on_connect(&mut self) -> Result<(), Error> {
        match self.opened.take() {
            Some(opened) => opened.send(()).map_err(|()| "nobody waits".into()),
            None => {
                self.end(Err(anyhow!("lost, and connected again")));
                Ok(())
            }
        }
    }

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        if let Some(result) = self.take(text.as_bytes()).transpose() {
            self.end(result);
        }
        Ok(())
    }

    async fn on_binary(&mut self, _: Bytes) -> Result<(), Error> {
        self.end(Err(anyhow!("altered: binary came")));
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(self.begin()?)
    }
}

fn send(client: &Client<Loop>, text: &str) -> Result<()> {
    client.text(text).map_err(|_| anyhow!("closed"))?;
    Ok(())
}

/// Exchanges the messages of a measure.
pub(super) async fn run(job: Job) -> Result<Answer> {
    let (config, messages, bytes) = (config(&job.target)?, job.messages, job.texts.bytes());
    let (opened, open) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let (client, _running) = ezsockets::connect(
        |client| Loop {
            client,
            seen: Seen::new(job.texts.clone()),
            texts: job.texts.clone(),
            to_send: 0,
            to_receive: 0,
            job,
            meter: Meter::start(),
            warm_up: None,
            spent: None,
            opened: Some(opened),
            ended: Some(ended),
        },
        config,
    )
    .await;
    open.await?;
    client.call(()).map_err(|_| anyhow!("closed"))?;
    let Done { warm_up, counted } = end.await??;
    let answer = answer(counted, messages, bytes);
    Ok(match warm_up {
        Some(warm_up) => warmed_up(answer, warm_up),
        None => answer,
    })
}

/// Counts what comes back of many tasks' texts.
struct Tallying {
    tally: Tally,
    window: Arc<Semaphore>,
    opened: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Sender<Result<()>>>,
}

#[async_trait]
impl ClientExt for Tallying {
    type Call = ();

    async fn on_connect(&mut self) -> Result<(), Error> {
        let opened = self.opened.take().ok_or("lost, and connected again")?;
        opened.send(()).map_err(|()| "nobody waits".into())
    }

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.window.add_permits(1);
        if let Some(result) =
            self.tally.take(text.as_bytes()).map(|is_last| is_last.then_some(())).transpose()
            && let Some(ended) = self.ended.take()
        {
            let _ = ended.send(result); // the other side has gone only when all is over
        }
        Ok(())
    }

    async fn on_binary(&mut self, _: Bytes) -> Result<(), Error> {
        Err("altered: binary came".into())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }
}

/// Many tasks, each with a clone of the client.
pub(super) async fn tasks(work: Tasks) -> Result<Answer> {
    let (opened, open) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let (window, tally) = (work.window(), work.tally());
    let permits = Arc::clone(&window);
    let tallying =
        |_| Tallying { tally, window: permits, opened: Some(opened), ended: Some(ended) };
    let (client, _running) = ezsockets::connect(tallying, config(&work.common.target())?).await;
    open.await?;
    let meter = Meter::start();
    let mut senders = JoinSet::new();
    for task in 0..work.tasks {
        let (work, client, window) = (work.clone(), client.clone(), Arc::clone(&window));
        senders.spawn(async move {
            for number in 0..work.each() {
                let text = next_text(&work, task, number, &window).await?;
                client.text(text).map_err(|_| anyhow!("closed"))?;
            }
            anyhow::Ok(())
        });
    }
    end.await??;
    let spent = meter.stop();
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(work.answer(spent))
}

fn config(target: &Target) -> Result<ClientConfig> {
    ensure!(!target.no_delay, "ezsockets has no setting for TCP_NODELAY");
    Ok(ClientConfig::new(target.url().as_str()))
}

/// A connection that was opened, and no more.
pub(crate) struct Opened {
    _client: Client<Opening>,
}

struct Opening(Option<oneshot::Sender<()>>);

#[async_trait]
impl ClientExt for Opening {
    type Call = ();

    async fn on_connect(&mut self) -> Result<(), Error> {
        let opened = self.0.take().ok_or("lost, and connected again")?;
        opened.send(()).map_err(|()| "nobody waits".into())
    }

    async fn on_text(&mut self, _: Utf8Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_binary(&mut self, _: Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }
}

impl Socket for Opened {
    async fn open(target: &Target) -> Result<Self> {
        let (opened, open) = oneshot::channel();
        let (client, _running) =
            ezsockets::connect(|_| Opening(Some(opened)), config(target)?).await;
        open.await?;
        Ok(Self { _client: client })
    }

    async fn send(&mut self, _text: &str) -> Result<()> {
        bail!("messages are exchanged in callbacks")
    }

    async fn receive(&mut self, _seen: &mut Seen) -> Result<()> {
        bail!("messages are exchanged in callbacks")
    }
}
