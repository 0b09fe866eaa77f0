//! The kill switch: principals whose calls an operator has stopped. It outlives a restart. Each call
//! it refuses is answered with a signed receipt.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use cmcp_json::{Form, Object, Value, canonical};

use crate::{
    call::Call,
    refusal::{Killed, Refusal},
    sessions::Session,
    startup::Gateway,
};

/// Who is blocked.
#[derive(Debug, Default)]
pub(crate) struct KillSwitch(RwLock<BTreeMap<String, Stop>>);

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// In force; a restart would forget it.
    InForce,
    /// In force, and stored.
    Stored,
}

impl KillSwitch {
    /// With the principals that were blocked before.
    pub(crate) fn new(blocked: impl IntoIterator<Item = String>) -> Self {
        let blocked = blocked
            .into_iter()
            .map(|principal| (principal, Stop::Stored));
        Self(RwLock::new(blocked.collect()))
    }

    /// Whether this principal's calls are stopped.
    pub(crate) fn blocks(&self, principal: &str) -> bool {
        self.read().contains_key(principal)
    }

    /// Stops a principal's calls at once; how far an earlier stop of it had come, if there was one.
    pub(crate) fn trip(&self, principal: &str) -> Option<Stop> {
        let mut table = self.write();
        let before = table.get(principal).copied();
        table.entry(principal.to_owned()).or_insert(Stop::InForce);
        before
    }

    /// The stop is stored.
    pub(crate) fn stored(&self, principal: &str) {
        self.write().insert(principal.to_owned(), Stop::Stored);
    }

    /// Lets a principal call again.
    pub(crate) fn unblock(&self, principal: &str) {
        self.write().remove(principal);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Stop>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Stop>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// The refusal of a blocked principal's call.
    pub(crate) fn killed(&self, call: &Call, session: &Session) -> Refusal {
        let agent = call.principal.name.clone();
        let mut receipt = Object::from([
            ("type", "cmcp.kill-switch.refusal/v1".to_owned()),
            ("agent_id", agent.clone()),
            ("session_id", session.id.clone()),
            ("refused_at", self.clock.now().python_iso()),
            ("gateway_key", self.key.public().to_b64url()),
        ]);
        let last = (session.principal.name.clone(), session.label.clone());
        if let Some(last) = self.previous_claim(&last) {
            receipt.insert("claim_digest", last.unsigned.to_string());
        }
        match canonical(&Value::Object(receipt.clone()), Form::Pyj) {
            Ok(bytes) => {
                receipt.insert("signature", self.key.sign(&bytes).to_b64url());
                Refusal::Killed(Box::new(Killed { agent, receipt }))
            }
            Err(_) => Refusal::Fault("the refusal's receipt has no canonical form"),
        }
    }
}
