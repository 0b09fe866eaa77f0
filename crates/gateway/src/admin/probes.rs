//! `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use cmcp_json::{Object, Value};
use http::{HeaderValue, StatusCode, header};

use super::Asker;
use crate::{
    edge,
    settings::{Listen, StalenessPolicy},
    startup::Gateway,
    telemetry::Gauges,
};

/// Whether calls can be served now, part by part.
pub(crate) fn ready(gateway: &Gateway) -> Response {
    let policy = if gateway.rules().bundle.is_revoked() {
        Err("the policy in force is signed by a revoked key".to_owned())
    } else {
        Ok(())
    };
    let fresh = gateway.evidence.is_fresh(gateway.clock.now());
    let tolerated = gateway.settings.staleness_policy == StalenessPolicy::WarnOnly;
    let attestation = if fresh || tolerated {
        Ok(())
    } else {
        Err("the attestation evidence is stale".to_owned())
    };
    let log = match gateway.ledger.failure() {
        None => Ok(()),
        Some(_) => Err("the audit log has stopped; the gateway's own log says why".to_owned()),
    };
    let checks = [
        ("policy", policy),
        ("attestation", attestation),
        ("runtime_controls", log),
        ("kill_switch", Ok(())),
    ];
    let all = checks.iter().all(|(_, check)| check.is_ok());
    let words: Object = checks
        .into_iter()
        .map(|(name, check)| {
            let word = check.map_or_else(|cause| format!("failed: {cause}"), |()| "ok".to_owned());
            (name.to_owned(), Value::from(word))
        })
        .collect();
    let (status, word) = if all {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    edge::json(
        status,
        Object::from([
            ("status", Value::from(word)),
            ("checks", Value::Object(words)),
        ]),
    )
}

/// Counters in Prometheus' text format: for the operator, or for anybody on a loopback gateway
/// without tokens.
pub(crate) async fn metrics(State(gateway): State<Arc<Gateway>>, asker: Asker) -> Response {
    let local = match gateway.settings.listen {
        Listen::Local { .. } => true,
        Listen::Authenticated { .. } => false,
    };
    match asker {
        Asker::Principal(_) if !local => edge::Fault::NotFound.response("no such route"),
        Asker::Operator | Asker::Principal(_) => {
            let text = gateway.telemetry.render(Gauges {
                open_sessions: gateway.sessions.count(),
                audit_log_failed: u64::from(gateway.ledger.failure().is_some()),
                calls: gateway.limits.load(),
                parked: gateway.parking.len(),
                request_bytes: gateway.limits.bytes(),
                listeners: gateway.hub.len(),
                tasks: gateway.tasks.len(),
            });
            let mut response = text.into_response();
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
    }
}
