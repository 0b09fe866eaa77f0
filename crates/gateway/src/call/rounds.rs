//! Input that a server needs before it can answer: rounds of the modern era, whichever era the client
//! is of, and questions of the legacy era, whichever era the client is of. Each round is a new
//! decision.

use std::time::Instant;

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    jsonrpc::{self, Outcome, Params},
    method::ClientMethod,
    server::{Last, Port},
    upstream::{Input, Reply},
    version::Version,
};
use cmcp_policy::catalog::Approved;
use http::{HeaderMap, StatusCode};

use super::{
    Call, Case, Cleared, Operation,
    asked::{Exchange, Heard, Question, Unanswered},
    entry,
};
use crate::{
    client::Asking,
    refusal::Refusal,
    reply::Dialect,
    rules::Rules,
    sealed::{Asked, Bound, Handle, MAX_LIFETIME, NotOurs, RequestState},
    splice,
    startup::Gateway,
    upstream::Lease,
};

/// Where an answer leads.
pub(super) enum Round {
    /// It is the answer.
    Ended(Reply),
    /// The client is asked first, and comes back.
    Client(Cleared),
}

/// A client that was asked something comes back.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) port: Port,
    pub(crate) asking: Asking,
    pub(crate) answers: Vec<(String, Outcome)>,
}

/// What a repeated request is.
#[derive(Debug)]
pub(crate) enum Reopened {
    /// The call that waits for these answers.
    Waiting(Handle, Vec<(String, Outcome)>),
    /// The same request again, with what was asked for.
    Again(Retry),
}

/// What a request is repeated with.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    pub(crate) input: Option<Input>,
    answers: Vec<(ClientMethod, Bytes, Outcome)>,
}

/// What a server needs.
struct Needs {
    /// By the server's keys.
    requests: Vec<(String, ClientMethod, Option<Bytes>)>,
    /// Its own state, raw.
    state: Option<Bytes>,
}

impl Gateway {
    /// Asks the client for what the server needs, as often as it needs something.
    pub(super) async fn rounds(
        &self,
        case: &mut Case<'_>,
        lease: &Lease,
        mut reply: Reply,
    ) -> Result<Round, Refusal> {
        for _ in 0..ROUNDS {
            let Some(needs) = needs(case.call, &reply).map_err(refused)? else {
                return Ok(Round::Ended(reply));
            };
            case.story.respond(&reply);
            if case.call.client.dialect == Dialect::Modern {
                let bytes = self.hand_over(case, needs).await?;
                return Ok(Round::Client(Cleared::Asked { bytes }));
            }
            let input = self.collect(case, needs).await?;
            let permitted = self.permit(case, Some(input))?;
            let checked = self.compare(case, lease).await?;
            reply = self.dispatch(case, lease, (permitted, checked)).await?;
        }
        Err(refused(Unanswered::Question(format!(
            "the server asked for input more than {ROUNDS} times"
        ))))
    }

    /// The answers that a repeated request brings, judged before anything is sent.
    pub(super) fn accept_retry(&self, case: &mut Case<'_>) -> Result<(), Refusal> {
        let Some(retry) = &case.call.retry else {
            return Ok(());
        };
        let exchange = exchange(case);
        let mut heard = Heard::default();
        for (method, params, outcome) in &retry.answers {
            let asked = self.question(&exchange, *method, Some(params.clone()), &mut heard);
            let question = asked.map_err(refused)?;
            self.accept(&exchange, &question, outcome.clone(), &mut heard)
                .map_err(refused)?;
        }
        for inspected in heard.0 {
            case.story.inspected(inspected);
        }
        Ok(())
    }

    /// Puts everything to a client that waits on its stream.
    async fn collect(&self, case: &mut Case<'_>, needs: Needs) -> Result<Input, Refusal> {
        let exchange = exchange(case);
        let mut answers = Vec::new();
        for (key, method, params) in needs.requests {
            let mut heard = Heard::default();
            let asked = async {
                let question = self.question(&exchange, method, params.clone(), &mut heard)?;
                let outcome = self.put(exchange.call, exchange.item, &question).await?;
                let bytes = self.accept(&exchange, &question, outcome, &mut heard)?;
                Ok((bytes, question.waived))
            };
            let outcome: Result<_, Unanswered> = asked.await;
            let told = entry::Told {
                method,
                params: params.as_deref().unwrap_or(b"{}"),
                answer: outcome.as_ref().map(|(bytes, _)| Some(bytes.as_ref())),
                waived: outcome.as_ref().ok().and_then(|(_, waived)| waived.clone()),
            };
            let recorded = self.record_exchange(&exchange, told, &heard).await;
            for inspected in heard.0 {
                case.story.inspected(inspected);
            }
            recorded.map_err(refused)?;
            answers.push((key, outcome.map_err(refused)?.0));
        }
        Ok(Input {
            responses: object(answers.iter().map(|(key, bytes)| (key.as_str(), bytes))),
            state: needs.state,
        })
    }

    /// The result that asks a modern client, which comes back with its answers.
    async fn hand_over(&self, case: &mut Case<'_>, needs: Needs) -> Result<Bytes, Refusal> {
        let exchange = exchange(case);
        let mut shown = Vec::new();
        let mut asked = Vec::new();
        for (key, method, params) in needs.requests {
            let mut heard = Heard::default();
            let outcome = self.question(&exchange, method, params.clone(), &mut heard);
            let told = entry::Told {
                method,
                params: params.as_deref().unwrap_or(b"{}"),
                answer: outcome.as_ref().map(|_| None),
                waived: outcome.as_ref().ok().and_then(|q| q.waived.clone()),
            };
            let recorded = self.record_exchange(&exchange, told, &heard).await;
            for inspected in heard.0 {
                case.story.inspected(inspected);
            }
            recorded.map_err(refused)?;
            let question = outcome.map_err(refused)?;
            shown.push((key.clone(), request(method, question.shown.as_ref())));
            asked.push(Asked {
                key,
                request: request(method, params.as_ref()),
            });
        }
        let state = RequestState {
            own: needs.state,
            asked,
            handle: None,
        };
        self.asking_result(case.call, case.item, &state, &shown)
    }

    /// Puts a question to the client: on its stream, or by ending its request with it.
    pub(super) async fn put(
        &self,
        call: &Call,
        item: &Approved,
        question: &Question,
    ) -> Result<Outcome, Unanswered> {
        match call.client.dialect {
            Dialect::Compat => Err(Unanswered::Unable),
            Dialect::Legacy => {
                let port = call.client.port().ok_or(Unanswered::Gone)?;
                let shown = for_legacy(question, call.client.version);
                let answer = port.ask(question.method, shown.as_deref());
                let answer = tokio::time::timeout(MAX_LIFETIME, answer).await;
                answer
                    .map_err(|_| Unanswered::Gone)?
                    .map_err(|_| Unanswered::Gone)
            }
            Dialect::Modern => self.park(call, item, question).await,
        }
    }

    /// Ends the client's request with a question, and waits for the request that answers it.
    async fn park(
        &self,
        call: &Call,
        item: &Approved,
        question: &Question,
    ) -> Result<Outcome, Unanswered> {
        let _turn = call.client.turn.lock().await;
        let shown = for_modern(question);
        for _ in 0..ROUNDS {
            let parked = self.parking.park(&call.principal.name, MAX_LIFETIME);
            let (handle, stall) = parked.map_err(|_| Unanswered::Gone)?;
            let asked = Asked {
                key: KEY.to_owned(),
                request: request(question.method, None),
            };
            let state = RequestState {
                own: None,
                asked: vec![asked],
                handle: Some(handle),
            };
            let shown = [(KEY.to_owned(), request(question.method, shown.as_ref()))];
            let result = self.asking_result(call, item, &state, &shown);
            let result = result.map_err(|error| Unanswered::Question(error.to_string()))?;
            let body = jsonrpc::result(&call.client.rpc_id(), &result);
            call.client.finish(Last {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body,
            });
            let Some(resumed) = stall.resumed().await else {
                call.client.give_up();
                return Err(Unanswered::Gone);
            };
            let Resumed {
                port,
                asking,
                answers,
            } = resumed;
            call.client.returned(port, asking);
            // What is missing is asked for again.
            if let Some((_, outcome)) = answers.into_iter().find(|(key, _)| key == KEY) {
                return Ok(outcome);
            }
        }
        Err(Unanswered::Gone)
    }

    fn asking_result(
        &self,
        call: &Call,
        item: &Approved,
        state: &RequestState,
        shown: &[(String, Bytes)],
    ) -> Result<Bytes, Refusal> {
        let bound = bound(&call.principal.name, &call.rules, &call.wanted, item)
            .ok_or(Refusal::Fault("the catalog names no such server"))?;
        let sealed = self
            .states
            .seal(&bound, state, Instant::now(), MAX_LIFETIME)
            .map_err(|error| refused(Unanswered::Question(error.to_string())))?;
        self.kept_states.keep(&bound, &sealed);
        let sealed = Value::from(sealed).to_vec();
        let requests = object(shown.iter().map(|(key, bytes)| (key.as_str(), bytes)));
        let mut members: Vec<(&str, &[u8])> = vec![("resultType", b"\"input_required\"")];
        if !shown.is_empty() {
            members.push(("inputRequests", &requests));
        }
        members.push(("requestState", &sealed));
        Ok(jsonrpc::with_members(b"{}", &members))
    }

    /// What a request that carries a state or answers repeats; nothing where it carries neither.
    pub(crate) fn reopen(
        &self,
        (principal, rules): (&str, &Rules),
        wanted: &Operation,
        params: &Params,
    ) -> Result<Option<Reopened>, NotOurs> {
        let given = match (params.get("requestState"), params.get("inputResponses")) {
            (None, None) => return Ok(None),
            (None, Some(_)) => None,
            (Some(Value::String(state)), _) => Some(state),
            (Some(_), _) => return Err(NotOurs),
        };
        // What is not in the catalog is answered as such.
        let Some(item) = rules.item(wanted, self.clock.now()) else {
            return Ok(None);
        };
        let bound = bound(principal, rules, wanted, item).ok_or(NotOurs)?;
        let kept = self.kept_states.take(&bound);
        let opened = match (given, kept) {
            (Some(state), _) => self.states.open(&bound, state, Instant::now())?,
            // Some clients bring their answers alone.
            (None, Some(state)) => match self.states.open(&bound, &state, Instant::now()) {
                Ok(opened) => opened,
                Err(NotOurs) => return Ok(None),
            },
            // Answers to nothing that was asked are ignored, and what is missing is asked again.
            (None, None) => return Ok(None),
        };
        let mut answers = Vec::new();
        let mut judged = Vec::new();
        for Asked { key, request } in &opened.asked {
            let (method, params_asked) = read_request(request).ok_or(NotOurs)?;
            let Some((value, bytes)) = answer(params, key).ok_or(NotOurs)? else {
                continue;
            };
            let outcome = Outcome::Result {
                value,
                bytes: bytes.clone(),
            };
            judged.push((method, params_asked, outcome.clone()));
            answers.push((key.clone(), outcome, bytes));
        }
        if let Some(handle) = opened.handle {
            let answers = answers.into_iter().map(|(key, outcome, _)| (key, outcome));
            return Ok(Some(Reopened::Waiting(handle, answers.collect())));
        }
        let input = Input {
            responses: object(answers.iter().map(|(key, _, bytes)| (key.as_str(), bytes))),
            state: opened.own,
        };
        // Pages were visited elsewhere: their server is asked anew and knows of no answers.
        let anew = opened.asked.iter().all(|asked| asked.key.starts_with(PAGE));
        let anew = anew && !opened.asked.is_empty();
        Ok(Some(Reopened::Again(Retry {
            input: (!anew).then_some(input),
            answers: judged,
        })))
    }
}

/// One answer; nothing where it is missing, `None` where the answers are no object.
#[expect(clippy::option_option, reason = "missing and malformed are told apart")]
fn answer(params: &Params, key: &str) -> Option<Option<(Value, Bytes)>> {
    let Some(raw) = params.raw("inputResponses") else {
        return Some(None);
    };
    let members = splice::object(&raw)?;
    let Some(value) = members.get(key) else {
        return Some(None);
    };
    let bytes = splice::member(&raw, &members, key)?;
    Some(Some((value.clone(), bytes)))
}

fn exchange<'a>(case: &Case<'a>) -> Exchange<'a> {
    Exchange {
        call: case.call,
        session: case.session,
        item: case.item,
        parent: case.story.call_id().to_owned(),
    }
}

/// What the server needs before it answers; nothing when this is its answer.
fn needs(call: &Call, reply: &Reply) -> Result<Option<Needs>, Unanswered> {
    let malformed = |what: &str| Unanswered::Question(what.to_owned());
    match reply {
        Reply::Result { bytes, value }
            if value.get("resultType").and_then(Value::as_str) == Some("input_required") =>
        {
            let members = splice::object(bytes).ok_or_else(|| malformed("not an object"))?;
            let state = splice::member(bytes, &members, "requestState");
            let mut requests = Vec::new();
            if let Some(raw) = splice::member(bytes, &members, "inputRequests") {
                let all = splice::object(&raw);
                let all = all.ok_or_else(|| malformed("`inputRequests` is not an object"))?;
                for (key, _) in all.iter().take(MAX_ASKED) {
                    let one = splice::member(&raw, &all, key).unwrap_or_default();
                    let (method, params) = read_request_with(&one)
                        .ok_or_else(|| malformed("an input request without a known method"))?;
                    requests.push((key.to_owned(), method, params));
                }
            }
            if requests.is_empty() && state.is_none() {
                return Err(malformed("neither a request nor a state"));
            }
            Ok(Some(Needs { requests, state }))
        }
        // A server of 2025-11-25 wants its user to visit pages first; the call is then made anew.
        Reply::Error { code, bytes, .. }
            if *code == URL_REQUIRED && call.client.dialect == Dialect::Modern =>
        {
            Ok(pages(bytes).map(|requests| Needs {
                requests,
                state: None,
            }))
        }
        Reply::Result { .. } | Reply::Error { .. } => Ok(None),
    }
}

fn pages(error: &Bytes) -> Option<Vec<(String, ClientMethod, Option<Bytes>)>> {
    let error = parse(error, &Limits::RESPONSE).ok()?;
    let pages = error.get("data")?.get("elicitations")?.as_array()?;
    let request = |(at, page): (usize, &Value)| {
        let params = Bytes::from(page.to_vec());
        (format!("{PAGE}{at}"), ClientMethod::Elicit, Some(params))
    };
    let requests: Vec<_> = pages
        .iter()
        .enumerate()
        .take(MAX_ASKED)
        .map(request)
        .collect();
    (!requests.is_empty()).then_some(requests)
}

/// `{"method": …, "params": …}`.
pub(super) fn request(method: ClientMethod, params: Option<&Bytes>) -> Bytes {
    let name = Value::from(method.as_str()).to_vec();
    let mut members: Vec<(&str, &[u8])> = vec![("method", &name)];
    if let Some(params) = params {
        members.push(("params", params));
    }
    jsonrpc::with_members(b"{}", &members)
}

pub(super) fn read_request_with(raw: &Bytes) -> Option<(ClientMethod, Option<Bytes>)> {
    let members = splice::object(raw)?;
    let method = ClientMethod::parse(members.get("method")?.as_str()?)?;
    Some((method, splice::member(raw, &members, "params")))
}

fn read_request(raw: &Bytes) -> Option<(ClientMethod, Bytes)> {
    let (method, params) = read_request_with(raw)?;
    Some((method, params.unwrap_or_else(|| Bytes::from_static(b"{}"))))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a Bytes)>) -> Bytes {
    let members: Vec<(&str, &[u8])> = members.map(|(k, v)| (k, v.as_ref())).collect();
    jsonrpc::with_members(b"{}", &members)
}

/// Pages have an id of ours for clients that know ids.
fn for_legacy(question: &Question, version: Version) -> Option<Bytes> {
    let shown = question.shown.as_ref()?;
    let members = splice::object(shown)?;
    let is_page = members.get("mode").and_then(Value::as_str) == Some("url");
    if !is_page || version < Version::V2025_11_25 || members.contains_key(PAGE_ID) {
        return Some(shown.clone());
    }
    let id = Value::from(crate::ids::uuid().ok()?).to_vec();
    Some(splice::set(shown, &members, PAGE_ID, &id))
}

/// Modern clients know no ids of pages.
fn for_modern(question: &Question) -> Option<Bytes> {
    let shown = question.shown.as_ref()?;
    let members = splice::object(shown)?;
    Some(splice::without(shown, &members, &[PAGE_ID]))
}

fn bound<'a>(
    principal: &'a str,
    rules: &Rules,
    wanted: &'a Operation,
    item: &Approved,
) -> Option<Bound<'a>> {
    Some(Bound {
        principal,
        method: wanted.method.as_str(),
        call: wanted.digest(),
        upstream: rules.upstreams.link(item.server)?.id,
    })
}

pub(super) fn refused(unanswered: Unanswered) -> Refusal {
    Refusal::Input(Box::new(unanswered))
}

/// The one key under which a question of the legacy era is put.
const KEY: &str = "request";
/// What the keys of pages begin with, which servers of 2025-11-25 give none.
const PAGE: &str = "page-";
const PAGE_ID: &str = "elicitationId";
/// How often a server may ask for input within one call.
const ROUNDS: usize = 8;
/// Questions of one round.
const MAX_ASKED: usize = 32;
/// `URLElicitationRequired`, of 2025-11-25 alone.
const URL_REQUIRED: i64 = -32042;
