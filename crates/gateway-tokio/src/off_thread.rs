//! Runs blocking tasks on a separate thread: name resolution, and reading TLS files. tokio's
//! blocking pool does not fit. Dropping a runtime waits for its threads, and a resolver or a
//! network mount may hang for minutes.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use gateway_core::OpenError;
use gateway_wire::OpenFailure;

type Answer<T> = Result<T, OpenFailure>;

/// A client's blocking tasks of one kind, one at a time. If an older attempt's task still runs, a
/// new attempt waits for that task. So a task that hangs holds one thread, however many attempts
/// time out.
pub(crate) struct OffThread<T> {
    /// The thread's name.
    name: &'static str,
    /// The class of the failure if the thread cannot be started, or panics.
    class: OpenError,
    task: Arc<Mutex<Task<T>>>,
}

enum Task<T> {
    Idle,
    /// The thread runs, but the attempt that waited for it was dropped.
    Abandoned,
    /// The thread runs, and an attempt waits for it.
    Awaited(Option<Waker>),
    /// The answer is there, and the attempt has yet to take it.
    Answered(Answer<T>),
}

/// What a task found, and for which subject.
pub(crate) struct Found<K, T> {
    subject: K,
    answer: Answer<T>,
}

/// Waits for a task. If this is dropped, the thread still runs to its end.
struct Waiting<T> {
    task: Arc<Mutex<Task<T>>>,
}

impl<T: Send + 'static> OffThread<T> {
    pub(crate) fn new(name: &'static str, class: OpenError) -> Self {
        Self { name, class, task: Arc::new(Mutex::new(Task::Idle)) }
    }

    /// Starts `work`, or waits for the task that already runs.
    fn begin(&self, work: impl FnOnce() -> Answer<T> + Send + 'static) -> Waiting<T> {
        let before = mem::replace(&mut *lock(&self.task), Task::Awaited(None));
        match before {
            Task::Abandoned | Task::Awaited(_) => {}
            Task::Idle | Task::Answered(_) => self.spawn(work),
        }
        Waiting { task: Arc::clone(&self.task) }
    }

    fn spawn(&self, work: impl FnOnce() -> Answer<T> + Send + 'static) {
        let (name, class) = (self.name, self.class);
        // If the thread cannot be spawned, or panics, this is dropped without an answer.
        let answering = Answering { name, class, task: Arc::clone(&self.task), answer: None };
        let thread = thread::Builder::new().name(name.to_owned());
        let _ = thread.spawn(move || answering.finish(work()));
    }
}

impl<K, T> OffThread<Found<K, T>>
where
    K: Clone + PartialEq + Send + 'static,
    T: Send + 'static,
{
    /// Returns what `work` finds about `subject`. If the task of an older attempt still runs, waits for
    /// it. Uses its answer only if that is about the same subject.
    pub(crate) async fn answer(
        &self,
        subject: K,
        work: impl FnOnce() -> Answer<T> + Clone + Send + 'static,
    ) -> Answer<T> {
        loop {
            let (asked, work) = (subject.clone(), work.clone());
            let found = self.begin(move || Ok(Found { subject: asked, answer: work() })).await?;
            if found.subject == subject {
                return found.answer;
            }
        }
    }
}

/// Stores the answer when it is dropped.
struct Answering<T> {
    name: &'static str,
    class: OpenError,
    task: Arc<Mutex<Task<T>>>,
    answer: Option<Answer<T>>,
}

impl<T> Answering<T> {
    fn finish(mut self, answer: Answer<T>) {
        self.answer = Some(answer);
    }
}

impl<T> Drop for Answering<T> {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let detail = format!("the thread {} could not be started, or panicked", self.name);
            Err(OpenFailure::new(self.class, detail))
        });
        let mut task = lock(&self.task);
        match mem::replace(&mut *task, Task::Idle) {
            Task::Awaited(waker) => {
                *task = Task::Answered(answer);
                drop(task);
                waker.inspect(Waker::wake_by_ref);
            }
            // No one waits. The next attempt asks again, because it may start much later.
            Task::Idle | Task::Abandoned | Task::Answered(_) => {}
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = Answer<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<T>> {
        let mut task = lock(&self.task);
        match mem::replace(&mut *task, Task::Idle) {
            Task::Answered(answer) => Poll::Ready(answer),
            Task::Idle | Task::Abandoned | Task::Awaited(_) => {
                *task = Task::Awaited(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let mut task = lock(&self.task);
        *task = match mem::replace(&mut *task, Task::Idle) {
            Task::Awaited(_) | Task::Abandoned => Task::Abandoned,
            Task::Idle | Task::Answered(_) => Task::Idle,
        };
    }
}

fn lock<T>(task: &Mutex<Task<T>>) -> MutexGuard<'_, Task<T>> {
    // Nothing panics while it holds the lock.
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn off_thread<T: Send + 'static>() -> OffThread<Found<u8, T>> {
        OffThread::new("gateway-tls", OpenError::Tls)
    }

    #[tokio::test]
    async fn work_runs_on_another_thread() {
        let here = thread::current().id();
        let there = off_thread().answer(0, || Ok(thread::current().id())).await.unwrap();
        assert_ne!(there, here);
    }

    #[tokio::test]
    async fn work_that_panics_fails_the_attempt() {
        let failed = off_thread::<()>().answer(0, || panic!("unreadable")).await;
        assert_eq!(failed.unwrap_err().error(), OpenError::Tls);
    }

    #[test]
    fn work_that_hangs_holds_one_thread_and_no_runtime() {
        let (begun, begins) = std::sync::mpsc::channel();
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        runtime.block_on(async {
            let off_thread = off_thread();
            for _ in 0..4 {
                let (begun, held) = (begun.clone(), Arc::clone(&held));
                let hangs = move || {
                    begun.send(()).unwrap();
                    let _ = held.lock().unwrap().recv();
                    Ok(())
                };
                let attempt = off_thread.answer(0, hangs);
                assert!(attempt.now_or_never().is_none()); // its deadline drops it
            }
        });
        drop(runtime);

        drop((go, begun));
        assert_eq!(begins.iter().count(), 1);
    }

    #[tokio::test]
    async fn what_was_read_for_one_peer_is_not_used_for_another() {
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let off_thread = off_thread();
        let hangs = move || {
            let _ = held.lock().unwrap().recv();
            Ok("with the client's certificate")
        };
        let abandoned = off_thread.answer(1, hangs);
        assert!(abandoned.now_or_never().is_none());

        let next = off_thread.answer(2, || Ok("without"));
        drop(go);
        assert_eq!(next.await.unwrap(), "without");
    }
}
