//! Futures of requests and of a drain are dropped at each point where they wait, on a client with an
//! outbox. Each message has one outcome, which is true, and no request arrives twice.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_tests::hostile::{App, HostileDial, Plan, Story, Sum, Verdict, World, paused};
use gateway_tests::{Cuts, settle};
use gateway_tokio::core::CloseFrame;
use gateway_tokio::{
    Client, ClientEvent, CorrelationError, Correlator, Fate, Message, Outbox, RequestError,
    RequestErrorKind,
};

use super::{at_each_point, plans, tasks, while_alive};

/// Longer than a reconnect takes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The id stands before the request's text, and the server answers with all of it.
struct ByText;

impl Correlator for ByText {
    fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
        let text = request.as_text().ok_or(CorrelationError::Binary)?;
        Ok(Message::text(format!("request {id} {text}")))
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        let (_, request) = message.as_text()?.split_once("answer to request ")?;
        request.split_once(' ')?.0.parse().ok()
    }
}

fn client(world: &World) -> Client {
    let builder = gateway_tests::client("ws://gateway.example/feed", App::settings(world.story()));
    builder
        .dial(HostileDial(world.clone()))
        .report_sent(true)
        .outbox(Outbox::default().without_time_to_live())
        .requests(ByText)
        .build()
        .unwrap()
}

/// What the application knows of a run.
#[derive(Default)]
struct Records {
    /// The messages that were accepted, by their numbers.
    accepted: BTreeMap<u64, String>,
    outcomes: Vec<(u64, Fate)>,
    /// The requests, and how they ended, if their futures were not dropped.
    requests: Vec<(String, Option<Result<Message, RequestError>>)>,
}

impl Records {
    fn accept(&mut self, number: u64, text: String) {
        assert!(self.accepted.insert(number, text).is_none(), "a number is given twice");
    }

    fn note(&mut self, event: &ClientEvent) {
        if let ClientEvent::Outcome(outcome) = event {
            let numbers = outcome.first.number()..=outcome.last.number();
            self.outcomes.extend(numbers.map(|number| (number, outcome.fate)));
        }
    }

    /// Compares this with what the server saw.
    fn judge(&self, world: &World, tasks_left: usize) -> Verdict {
        let (seen, mut verdict) = (world.seen(), Verdict::default());
        (verdict.dials, verdict.sockets_left) = (seen.len(), world.alive()[0]);
        verdict.tasks_left = tasks_left;
        verdict.hold_wire(&seen);
        let arrived: Vec<&String> = seen.iter().flat_map(|(socket, _)| &socket.messages).collect();
        let times = |end: &str| arrived.iter().filter(|text| text.ends_with(end)).count();
        for (number, text) in &self.accepted {
            let fates: Vec<Fate> = self
                .outcomes
                .iter()
                .filter(|(of, _)| of == number)
                .map(|(_, fate)| *fate)
                .collect();
            let is_true = match fates[..] {
                [Fate::Sent { .. }] => times(text) == 1,
                [Fate::MaybeSent { .. }] => times(text) <= 1,
                [_] => times(text) == 0,
                _ => false,
            };
            verdict.doubled += times(text).saturating_sub(1);
            verdict.hold(is_true, || format!("{text}: {fates:?}, {} times", times(text)));
        }
        for (text, end) in &self.requests {
            let may_repeat = text.starts_with("idempotent");
            let is_true = match end {
                Some(Ok(answer)) => answer.as_text().is_some_and(|answer| answer.ends_with(text)),
                Some(Err(error)) => match error.kind() {
                    RequestErrorKind::NotReady
                    | RequestErrorKind::NotSent
                    | RequestErrorKind::Closed => times(text) == 0,
                    kind => *kind == RequestErrorKind::MaybeSent,
                },
                None => true,
            };
            let is_once = may_repeat || times(text) <= 1;
            verdict.hold(is_true && is_once, || format!("{text}: {end:?}, {} times", times(text)));
        }
        let known = |(number, _): &(u64, Fate)| self.accepted.contains_key(number);
        verdict.hold(self.outcomes.iter().all(known), || format!("{:?}", self.outcomes));
        let order = |text: &&&String| self.accepted.values().position(|other| other == **text);
        verdict.hold(arrived.iter().filter_map(|text| order(&text)).is_sorted(), || {
            format!("out of order: {arrived:?}")
        });
        verdict
    }
}

/// The texts of one round: a message, a request, and an idempotent request.
fn texts(round: usize) -> [String; 3] {
    ["message", "once", "idempotent"].map(|what| format!("{what} {round}."))
}

/// Runs at each point of each plan, and more often than `least` in all.
fn at_each_point_of_each_plan(
    name: &str,
    least: usize,
    run: impl AsyncFn(Client, &mut Cuts) -> Records,
) {
    let mut sum = Sum::default();
    let without_provider = |plan: &Plan| !plan.asks;
    for plan in plans().into_iter().filter(without_provider) {
        at_each_point(|at| {
            let (world, mut cuts) = (World::new(plan.clone(), Story::Quiet), Cuts::at(at));
            let (records, tasks) = paused(while_alive(async {
                let records = run(client(&world), &mut cuts).await;
                settle().await;
                (records, tasks())
            }));
            sum.add(&records.judge(&world, tasks), &(&plan, at));
            at < cuts.seen()
        });
    }

    println!("cancel, {name}: {sum}");
    sum.is_flawless();
    assert!(sum.runs() > least, "{} points only", sum.runs());
}

#[test]
fn requests_and_a_drain_that_are_cut_lose_no_message_and_send_none_twice() {
    at_each_point_of_each_plan("requests and a drain", 500, async |mut client, cuts| {
        let mut records = Records::default();
        for round in 0..3 {
            let [message, once, idempotent] = texts(round);
            if let Ok(accepted) = client.try_send(message.as_str()) {
                records.accept(accepted.id().number(), message);
            }
            let end = cuts.once(client.request_idempotent(idempotent.as_str(), TIMEOUT)).await;
            records.requests.push((idempotent, end));
            let end = cuts.once(client.request(once.as_str(), TIMEOUT)).await;
            records.requests.push((once, end));
        }
        while cuts.once(client.drain(CloseFrame::NORMAL, TIMEOUT)).await.is_none() {}
        while let Some(event) = client.next().await {
            records.note(&event);
        }
        let status = client.status();
        assert_eq!((status.queued_messages, status.unanswered_requests), (0, 0));
        records
    });
}

#[test]
fn requests_and_a_drain_of_a_handle_that_are_cut_lose_no_message_and_send_none_twice() {
    at_each_point_of_each_plan("requests and a drain of a handle", 50, async |client, cuts| {
        let mut records = Records::default();
        let (handle, mut events) = client.spawn();
        for round in 0..3 {
            let [message, once, idempotent] = texts(round);
            if let Ok(accepted) = handle.try_send(message.as_str()) {
                records.accept(accepted.id().number(), message);
            }
            let end = cuts.once(handle.request_idempotent(idempotent.as_str(), TIMEOUT)).await;
            records.requests.push((idempotent, end));
            let end = cuts.once(handle.request(once.as_str(), TIMEOUT)).await;
            records.requests.push((once, end));
        }
        while cuts.once(handle.drain(CloseFrame::NORMAL, TIMEOUT)).await.is_none() {}
        while let Some(event) = events.next().await {
            records.note(&event);
        }
        let status = handle.status().unwrap();
        assert_eq!((status.queued_messages, status.unanswered_requests), (0, 0));
        records
    });
}
