//! Where a dialect resumes its session: the URL of the next attempts.

use std::sync::Arc;

use gateway_core::SocketId;

use super::Session;
use crate::endpoint::Endpoint;
use crate::provider::AttemptPlan;

/// The client's endpoint, and the URL that its dialect has set.
pub(super) struct Resume {
    base: Endpoint,
    url: Option<Resumed>,
    /// The last socket whose URL was refused. Only its first refusal is logged.
    refused_by: Option<SocketId>,
}

struct Resumed {
    endpoint: Arc<Endpoint>,
    /// The attempt that used it last.
    used_by: Option<SocketId>,
    /// Whether that attempt's socket has become ready.
    is_proven: bool,
}

impl Session {
    /// Lets the dialect change the URL: see [`resume_at`](gateway_core::Exchange::resume_at).
    /// Without this call its wish is ignored.
    #[must_use]
    pub fn with_resumable(mut self, endpoint: Endpoint) -> Self {
        self.resume = Some(Box::new(Resume { base: endpoint, url: None, refused_by: None }));
        self
    }

    /// The dialect sets the URL; an empty one means the client's endpoint.
    pub(super) fn resume_at(&mut self, url: &str) {
        let Some(resume) = &mut self.resume else { return };
        if url.is_empty() {
            resume.url = None;
            return;
        }
        match resume.base.resumed(url) {
            Ok(endpoint) => {
                let endpoint = Arc::new(endpoint);
                resume.url = Some(Resumed { endpoint, used_by: None, is_proven: false });
            }
            Err(limit) => {
                let socket = self.connection.socket();
                if resume.refused_by != socket || socket.is_none() {
                    resume.refused_by = socket;
                    self.log.resume_refused(limit);
                }
            }
        }
    }

    /// Returns the endpoint of this attempt, and its host and port, if they are not the client's own.
    /// The request's URL goes before that of the dialect, and that before the client's.
    pub(crate) fn endpoint_of(
        &mut self,
        id: SocketId,
        plan: Option<&AttemptPlan>,
    ) -> (Option<Arc<Endpoint>>, Option<String>) {
        let planned = plan.and_then(|plan| plan.endpoint.clone());
        let has_url = plan.is_some_and(|plan| plan.has_url);
        self.note_place(planned.as_deref().filter(|_| has_url));
        let resumed = self.resume.as_mut().and_then(|resume| resume.url.as_mut());
        let Some(resumed) = resumed.filter(|_| !has_url) else {
            return (planned, plan.and_then(|plan| plan.server.clone()));
        };
        resumed.used_by = Some(id);
        resumed.is_proven = false;
        let endpoint = match planned {
            Some(planned) => Arc::new(planned.moved_to(&resumed.endpoint)),
            None => Arc::clone(&resumed.endpoint),
        };
        let server = endpoint.server();
        (Some(endpoint), Some(server))
    }

    /// A socket that was opened at the dialect's URL is ready.
    pub(super) fn prove_resumed(&mut self, id: SocketId) {
        if let Some(resumed) = self.resume.as_mut().and_then(|resume| resume.url.as_mut()) {
            resumed.is_proven |= resumed.used_by == Some(id);
        }
    }

    /// An attempt has ended. One that was opened at the dialect's URL, and was never ready, is the
    /// last one there.
    pub(super) fn forget_resumed(&mut self, id: SocketId) {
        if let Some(resume) = &mut self.resume {
            resume.url.take_if(|resumed| resumed.used_by == Some(id) && !resumed.is_proven);
        }
    }
}
