//! Break-glass: an operator lets tools through that nobody approved, for a while. It is an exception
//! from approval, not from policy: every call is judged, recorded and named in the records. It ends
//! by itself, and with the process.

use std::{sync::Arc, time::Duration};

use cmcp_evidence::Timestamp;
use cmcp_policy::catalog::{Approval, Catalog, CatalogError, ServerSpec, Transport};

use super::{Parts, RulesError};
use crate::{dial::DialError, settings::Settings, startup::Gateway, upstream::Link};

/// Tools that an operator lets through.
#[derive(Debug)]
pub(crate) struct Exception {
    /// Their names.
    pub(crate) tools: Vec<String>,
    /// Why.
    pub(crate) reason: String,
    /// Who allowed it.
    pub(crate) authorized_by: String,
    /// Since when.
    pub(crate) added: Timestamp,
    /// Until when.
    pub(crate) expires: Timestamp,
    server: ServerSpec,
}

/// What an operator asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) tools: Vec<String>,
    pub(crate) reason: String,
    pub(crate) authorized_by: String,
    pub(crate) server: ServerSpec,
    pub(crate) lasts: Duration,
}

/// Why there is no exception.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExceptionError {
    /// A child process, which anybody with the operator's token could choose.
    #[error("`server_identity`: only servers over HTTP can be let through at run time")]
    Process,
    /// The server cannot be reached as described.
    #[error("`server_identity`: {0}")]
    Server(#[from] DialError),
    /// Too many tools are let through already.
    #[error(
        "at most {TOOLS} tools are let through at once; wait for others to expire, or approve them"
    )]
    TooMany,
    /// Catalog or policies do not take the tools.
    #[error("`tool_names`: {0}")]
    Rules(#[from] RulesError),
}

impl Exception {
    /// Whether its time is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    pub(super) fn added_to(&self, catalog: &Catalog) -> Result<Catalog, Vec<CatalogError>> {
        let approval = Approval {
            by: Some(self.authorized_by.clone()),
            at: Some(self.added),
        };
        catalog.with_exception(self.server.clone(), &self.tools, &approval)
    }
}

impl Parts {
    /// Adds an exception to what the next rules are made of.
    fn add(
        &mut self,
        wanted: Wanted,
        now: Timestamp,
        settings: &Arc<Settings>,
    ) -> Result<Arc<Exception>, ExceptionError> {
        let Wanted {
            tools,
            reason,
            authorized_by,
            server,
            lasts,
        } = wanted;
        let others: usize = self.exceptions.iter().map(|e| e.tools.len()).sum();
        if others.saturating_add(tools.len()) > TOOLS {
            return Err(ExceptionError::TooMany);
        }
        let exception = Arc::new(Exception {
            server: self.reach(server, settings)?,
            tools,
            reason,
            authorized_by,
            added: now,
            expires: now.checked_add(lasts).unwrap_or(Timestamp::MAX),
        });
        self.exceptions.push(Arc::clone(&exception));
        Ok(exception)
    }

    /// The server under the name it is known by here; a new one gets a name and a client.
    fn reach(
        &mut self,
        server: ServerSpec,
        settings: &Arc<Settings>,
    ) -> Result<ServerSpec, ExceptionError> {
        match &server.transport {
            Transport::Http { .. } => {}
            Transport::Stdio { .. } => return Err(ExceptionError::Process),
        }
        let known = self
            .links
            .iter()
            .find(|link| link.spec().transport == server.transport);
        if let Some(known) = known {
            return Ok(known.spec().clone());
        }
        let taken = |name: &str| self.links.iter().any(|link| link.spec().name == name);
        let numbered = (2_usize..).map(|number| format!("{}-{number}", server.name));
        let name = std::iter::once(server.name.clone())
            .chain(numbered)
            .find(|name| !taken(name))
            .unwrap_or_default();
        let server = ServerSpec { name, ..server };
        let heard = self.heard.clone();
        let link = Link::dial(self.next_link, server.clone(), settings, heard)?;
        self.links.push(Arc::new(link));
        self.next_link = self.next_link.saturating_add(1);
        Ok(server)
    }

    /// Takes out what is over; whether that was anything.
    fn end_exceptions(&mut self, now: Timestamp) -> bool {
        let before = self.exceptions.len();
        self.exceptions.retain(|exception| !exception.is_over(now));
        if self.exceptions.len() == before {
            return false;
        }
        let needed = |link: &Arc<Link>| {
            self.approved.servers().contains(link.spec())
                || self.exceptions.iter().any(|e| e.server == *link.spec())
        };
        let (links, retired): (Vec<_>, Vec<_>) = std::mem::take(&mut self.links)
            .into_iter()
            .partition(needed);
        self.links = links;
        self.retired.extend(retired);
        true
    }
}

impl Gateway {
    /// Lets tools through for a while.
    pub(crate) async fn allow(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<Arc<Exception>, ExceptionError> {
        let mut parts = self.rulebook.parts.lock().await;
        let mut next = parts.clone();
        let now = self.clock.now();
        next.end_exceptions(now);
        let exception = next.add(wanted, now, &self.settings)?;
        let rules = self.make(&next).await?;
        self.rulebook.replace(rules);
        *parts = next;
        drop(parts);
        tracing::warn!(
            tools = ?exception.tools,
            reason = %exception.reason,
            authorized_by = %exception.authorized_by,
            expires = %exception.expires,
            "break-glass: tools without approval are let through"
        );
        self.tell_all().await;
        Ok(exception)
    }

    /// Takes exceptions out of force whose time is over. Calls refuse them by the time alone; this
    /// says so in the logs and lets go of their servers.
    pub(crate) async fn end_exceptions(self: &Arc<Self>) {
        let mut parts = self.rulebook.parts.lock().await;
        let mut next = parts.clone();
        if next.end_exceptions(self.clock.now()) {
            match self.make(&next).await {
                Ok(rules) => {
                    self.rulebook.replace(rules);
                    *parts = next;
                    drop(parts);
                    tracing::warn!("break-glass: an exception has ended");
                    self.tell_all().await;
                }
                Err(error) => {
                    tracing::error!(%error, "an ended exception stays in the catalog; its calls are refused")
                }
            }
            return;
        }
        drop(next);
        let mut waiting = Vec::new();
        for link in std::mem::take(&mut parts.retired) {
            // Calls that began under earlier rules still hold it.
            if Arc::strong_count(&link) > 1 {
                waiting.push(link);
            } else {
                link.close().await;
            }
        }
        parts.retired = waiting;
    }
}

/// Tools let through at once.
const TOOLS: usize = 64;
