//! Closing a session, which its principal may do; lowering what it has seen and stopping a
//! principal, which only the operator may.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use cmcp_json::{Limits, Object, Value};
use http::StatusCode;

use super::{
    Asker,
    body::{missing, object, required},
};
use crate::{
    edge::{self, Fault, Operator},
    keeper::CloseError,
    killswitch::Stop,
    oauth::Oauth,
    startup::Gateway,
};

/// Closes a session and answers with its envelope. What it has seen goes on to the next one.
pub(crate) async fn close(
    State(gateway): State<Arc<Gateway>>,
    asker: Asker,
    Path(id): Path<String>,
) -> Response {
    let Some(session) = gateway.sessions.find(&id, asker.principal()) else {
        return no_session(&id);
    };
    // In a task of its own: a caller that hangs up cannot leave a session half closed.
    let closing = tokio::spawn(async move { gateway.close_session(&session, "closed").await });
    match closing.await {
        Ok(Ok(claim)) => edge::bytes(StatusCode::OK, Bytes::from(claim)),
        Ok(Err(error)) => not_closed(&error),
        Err(_) => Fault::Internal.response("closing failed"),
    }
}

/// The operator lowers a principal's mark: its session is closed, and the next starts at `public`.
pub(crate) async fn reset(
    State(gateway): State<Arc<Gateway>>,
    _: Operator,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let reason = match optional_reason(&body) {
        Ok(reason) => reason,
        Err(response) => return response,
    };
    let Some(session) = gateway.sessions.find(&id, None) else {
        return no_session(&id);
    };
    let resetting = tokio::spawn(async move { gateway.reset_session(&session, &reason).await });
    match resetting.await {
        Ok(Ok(done)) => edge::json(
            StatusCode::OK,
            Object::from([
                ("old_session_id", Value::from(done.old.as_str())),
                ("new_session_id", Value::from(done.new.as_str())),
                (
                    "closed_session_max_sensitivity",
                    Value::from(done.closed_sensitivity.as_str()),
                ),
                ("reset_count", Value::from(done.resets)),
                ("status", Value::from("reset")),
                ("attestation_stale", Value::from(done.stale)),
            ]),
        ),
        Ok(Err(error)) => not_closed(&error),
        Err(_) => Fault::Internal.response("the reset failed"),
    }
}

/// Stops a principal's calls.
pub(crate) async fn trip(
    State(gateway): State<Arc<Gateway>>,
    _: Operator,
    body: Bytes,
) -> Response {
    let order = match Order::parse(&gateway, &body) {
        Ok(order) => order,
        Err(response) => return response,
    };
    // First the stop, then its record: from here on no further call of the agent is let in.
    // An order that could not be stored is carried out again when it is repeated.
    if gateway.kill_switch.trip(&order.agent) == Some(Stop::Stored) {
        return Fault::AlreadyBlocked.response(Fault::AlreadyBlocked.meaning());
    }
    let tripping = tokio::spawn(async move {
        let claim = gateway
            .kill(&order.agent, &order.reason, &order.authorized_by)
            .await;
        (order.agent, claim)
    });
    match tripping.await {
        Ok((agent, Ok(claim))) => {
            let claim = claim.map_or(Value::Null, |bytes| {
                cmcp_json::parse(&bytes, &Limits::DOCUMENT).unwrap_or(Value::Null)
            });
            edge::json(
                StatusCode::OK,
                Object::from([
                    ("status", Value::from("tripped")),
                    ("agent_id", Value::from(agent.as_str())),
                    ("claim", claim),
                ]),
            )
        }
        // The principal stays blocked: a stop that could not be recorded is still a stop, and can be
        // ordered again.
        Ok((_, Err(error))) => not_closed(&error),
        Err(_) => Fault::Internal.response("blocked, but its sessions were not closed"),
    }
}

/// Lets a principal call again.
pub(crate) async fn unblock(
    State(gateway): State<Arc<Gateway>>,
    _: Operator,
    body: Bytes,
) -> Response {
    let order = match Order::parse(&gateway, &body) {
        Ok(order) => order,
        Err(response) => return response,
    };
    if !gateway.kill_switch.blocks(&order.agent) {
        return Fault::NotBlocked.response(Fault::NotBlocked.meaning());
    }
    if let Err(error) = gateway.ledger.block(order.agent.clone(), None).await {
        return not_closed(&error.into());
    }
    gateway.kill_switch.unblock(&order.agent);
    let session = gateway
        .open_after_unblock(&order.agent, &order.reason, &order.authorized_by)
        .await;
    edge::json(
        StatusCode::OK,
        Object::from([
            ("status", Value::from("unblocked")),
            ("agent_id", Value::from(order.agent.as_str())),
            (
                "session_id",
                session.map_or(Value::Null, |id| Value::from(id.as_str())),
            ),
            ("gateway_halted", Value::from(false)),
        ]),
    )
}

/// What an operator orders about an agent.
struct Order {
    agent: String,
    reason: String,
    authorized_by: String,
}

impl Order {
    fn parse(gateway: &Gateway, body: &[u8]) -> Result<Self, Response> {
        let body = object(body)?;
        let reason = required(&body, "reason")?;
        let authorized_by = required(&body, "authorized_by")?;
        let agent = match body.get("agent_id") {
            Some(_) => required(&body, "agent_id")?,
            // With one kind of caller there is no question whom the order concerns.
            None => match (
                gateway.principals.as_slice(),
                gateway.settings.listen.is_shared(),
            ) {
                _ if gateway.settings.oauth.is_some() => return Err(missing("agent_id")),
                ([], _) => gateway.anonymous.name.clone(),
                ([only], false) => only.name.clone(),
                ([_], true) | ([_, _, ..], _) => return Err(missing("agent_id")),
            },
        };
        let by_token = |oauth: &Arc<Oauth>| oauth.names(&agent);
        let known = agent == gateway.anonymous.name
            || gateway.settings.oauth.as_ref().is_some_and(by_token)
            || gateway
                .principals
                .iter()
                .any(|principal| principal.name == agent);
        if !known {
            return Err(Fault::AgentUnknown.response(Fault::AgentUnknown.meaning()));
        }
        Ok(Self {
            agent,
            reason,
            authorized_by,
        })
    }
}

fn optional_reason(body: &[u8]) -> Result<String, Response> {
    if body.trim_ascii().is_empty() {
        return Ok(String::new());
    }
    let body = object(body)?;
    if body.contains_key("reason") {
        required(&body, "reason")
    } else {
        Ok(String::new())
    }
}

fn no_session(id: &str) -> Response {
    let message = format!("no open session has the id `{id}`");
    edge::json(
        StatusCode::NOT_FOUND,
        Object::from([
            ("error", "session_not_found"),
            ("message", message.as_str()),
        ]),
    )
}

fn not_closed(error: &CloseError) -> Response {
    match error {
        CloseError::Closing => Fault::SessionClosing.response(&error.to_string()),
        // What the system said of the disk is in the gateway's own log.
        CloseError::Seal(error) => {
            tracing::error!(%error, "a session was not closed");
            Fault::AuditStore
                .response("the session's records cannot be written now; try again later")
        }
    }
}
