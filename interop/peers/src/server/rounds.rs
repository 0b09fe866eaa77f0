use std::collections::BTreeMap;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CreateMessageRequestParams, ElicitRequestParams, InputRequiredResult, InputResponses,
        SealOptions,
    },
    service::RequestContext,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Fixture, answers::missing, made};
use crate::template::{filled, filled_text};

/// What a tool or prompt has to ask before it can answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The questions of each round, by key.
    rounds: Vec<Questions>,
    #[serde(default)]
    way: Way,
    /// The answer, with places for what was asked.
    answer: String,
}

type Questions = BTreeMap<String, Value>;

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// Everything is asked, and nothing kept.
    #[default]
    Plain,
    /// Where it stands travels with the client, sealed.
    Sealed,
    /// Only what the client can answer is asked.
    Offered,
}

/// A request for something that has a plan.
pub(super) struct Wish<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) responses: Option<InputResponses>,
    pub(super) state: Option<String>,
    pub(super) context: &'a RequestContext<RoleServer>,
}

/// Where a plan has come to.
pub(super) enum Step {
    Ask(InputRequiredResult),
    Answer(String),
    Unable(String),
}

#[derive(Default, Deserialize, Serialize)]
struct Standing {
    round: usize,
    known: Map<String, Value>,
}

impl Fixture {
    pub(super) async fn round(&self, plan: &Plan, wish: Wish<'_>) -> Result<Step, ErrorData> {
        if wish.context.meta.protocol_version().is_none() {
            return ask_all(plan, &wish).await;
        }
        let mut standing = self.standing(plan, &wish)?;
        let mut open = plan.open(&standing, wish.context)?;
        for (key, response) in wish.responses.unwrap_or_default() {
            if open
                .get(&key)
                .is_some_and(|question| answers(question, &response))
            {
                open.remove(&key);
                standing.known.insert(key, response);
            }
        }
        if open.is_empty() {
            standing.round += 1;
            open = plan.open(&standing, wish.context)?;
        }
        let scope = scope(wish.arguments, &standing.known);
        if open.is_empty() {
            return Ok(Step::Answer(filled_text(&plan.answer, &scope)));
        }
        let requests: Map<_, _> = open
            .iter()
            .map(|(key, question)| (key.clone(), filled(question, &scope)))
            .collect();
        let mut result = json!({"resultType": "input_required", "inputRequests": requests});
        if let Some(members) = result.as_object_mut().filter(|_| plan.way == Way::Sealed) {
            let options = SealOptions::new().associated_data(wish.name.as_bytes());
            let sealed = self.shared.seal.seal_json_with(&standing, &options);
            let sealed =
                sealed.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            members.insert("requestState".to_owned(), Value::String(sealed));
        }
        Ok(Step::Ask(made(result)?))
    }

    /// Where the state that came back says that the call stands: at its beginning without one.
    fn standing(&self, plan: &Plan, wish: &Wish<'_>) -> Result<Standing, ErrorData> {
        let state = wish.state.as_ref().filter(|_| plan.way == Way::Sealed);
        state.map_or_else(
            || Ok(Standing::default()),
            |state| {
                let opened = self.shared.seal.open_json_with(state, wish.name.as_bytes());
                opened.map_err(|error| ErrorData::invalid_params(error.to_string(), None))
            },
        )
    }
}

impl Plan {
    /// The questions that are to be put to this client now; an error, if it declared too little.
    fn open(
        &self,
        standing: &Standing,
        context: &RequestContext<RoleServer>,
    ) -> Result<Questions, ErrorData> {
        let mut open = self.rounds.get(standing.round).cloned().unwrap_or_default();
        open.retain(|key, question| {
            let offered = self.way != Way::Offered || declares(needed(question), context);
            offered && !standing.known.contains_key(key)
        });
        let mut needed = open.values().map(needed);
        match needed.find(|needed| !declares(needed, context)) {
            None => Ok(open),
            Some(needed) => Err(missing(json!({needed: {}}))),
        }
    }
}

/// The capability that a client needs for a question.
fn needed(question: &Value) -> &'static str {
    match question.get("method").and_then(Value::as_str) {
        Some("elicitation/create") => "elicitation",
        Some("sampling/createMessage") => "sampling",
        _ => "roots",
    }
}

fn declares(capability: &str, context: &RequestContext<RoleServer>) -> bool {
    let declared = context.client_capabilities().unwrap_or_default();
    match capability {
        "elicitation" => declared.elicitation.is_some(),
        "sampling" => declared.sampling.is_some(),
        _ => declared.roots.is_some(),
    }
}

/// Whether a response has the shape of an answer to its question.
fn answers(question: &Value, response: &Value) -> bool {
    match needed(question) {
        "elicitation" => response.get("action").is_some_and(Value::is_string),
        "sampling" => response.get("content").is_some(),
        _ => response.get("roots").is_some_and(Value::is_array),
    }
}

/// Asks the client everything at once, as the handshake era does it.
async fn ask_all(plan: &Plan, wish: &Wish<'_>) -> Result<Step, ErrorData> {
    let mut known = Map::new();
    for (key, question) in plan.rounds.iter().flatten() {
        let needed = needed(question);
        if !declares(needed, wish.context) {
            if plan.way == Way::Offered {
                continue;
            }
            return Ok(Step::Unable(format!(
                "the client does not declare {needed}"
            )));
        }
        let question = filled(question, &scope(wish.arguments, &known));
        match ask(needed, question, wish.context).await {
            Ok(response) => known.insert(key.clone(), response),
            Err(error) => return Ok(Step::Unable(format!("{needed} failed: {error}"))),
        };
    }
    let scope = scope(wish.arguments, &known);
    Ok(Step::Answer(filled_text(&plan.answer, &scope)))
}

async fn ask(
    needed: &str,
    mut question: Value,
    context: &RequestContext<RoleServer>,
) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let params = question.get_mut("params").map(Value::take);
    let params = params.unwrap_or_default();
    Ok(match needed {
        "elicitation" => {
            let params: ElicitRequestParams = serde_json::from_value(params)?;
            serde_json::to_value(context.peer.create_elicitation(params).await?)?
        }
        "sampling" => {
            let params: CreateMessageRequestParams = serde_json::from_value(params)?;
            serde_json::to_value(context.peer.create_message(params).await?)?
        }
        _ => serde_json::to_value(context.peer.list_roots().await?)?,
    })
}

fn scope(arguments: &Value, known: &Map<String, Value>) -> Value {
    let mut scope = known.clone();
    scope.insert("arguments".to_owned(), arguments.clone());
    Value::Object(scope)
}
