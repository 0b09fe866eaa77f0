//! The kill switch: principals whose calls an operator has stopped. It outlives a restart. Each call
//! it refuses is answered with a signed receipt.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
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
pub(crate) struct KillSwitch(RwLock<BTreeSet<String>>);

impl KillSwitch {
    /// With the principals that were blocked before.
    pub(crate) fn new(blocked: impl IntoIterator<Item = String>) -> Self {
        Self(RwLock::new(blocked.into_iter().collect()))
    }

    /// Whether this principal's calls are stopped.
    pub(crate) fn blocks(&self, principal: &str) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(principal)
    }

    /// Stops a principal's calls; false when they are stopped already.
    pub(crate) fn trip(&self, principal: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(principal.to_owned())
    }

    /// Lets a principal call again; false when it was not stopped.
    pub(crate) fn unblock(&self, principal: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(principal)
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
