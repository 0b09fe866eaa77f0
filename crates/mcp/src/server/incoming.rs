//! What came from a client, read and placed: who speaks how, and what is wanted.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::StatusCode;

use crate::{
    error::Code,
    headers::{HeaderError, META_CAPABILITIES, META_LOG_LEVEL},
    jsonrpc::{self, Id, Params},
    method::{ClientNote, Method},
    upstream::LogLevel,
    version::Version,
};

use super::{
    call::InvalidParams,
    port::{Feed, Port},
    rejection::Rejection,
    session::{OpenError, Session},
};

/// How this client speaks, and so how it must be answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// As to 0.7.1: no handshake needed, its HTTP statuses and codes.
    Compat,
    /// With a transport session from `initialize`.
    Legacy {
        /// The session.
        session: Session,
        /// The revision that was negotiated for it.
        version: Version,
    },
    /// Every request stands alone.
    Modern {
        /// The revision that the request names.
        version: Version,
    },
}

/// A message that may be acted on.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Wants an answer.
    Request(Request),
    /// Wants HTTP 202 and no body.
    Notification(Notification),
    /// A legacy client's answer to a request of ours; wants HTTP 202 and no body.
    Response(Response),
}

/// A request for something that exists in the client's era.
#[derive(Clone, Debug)]
pub struct Request {
    /// How the client speaks.
    pub dialect: Dialect,
    /// What the answer must carry.
    pub id: Id,
    /// What is asked for.
    pub method: Method,
    /// The parameters.
    pub params: Params,
    /// The whole body.
    pub body: Bytes,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification {
    /// How the client speaks.
    pub dialect: Dialect,
    /// Which one; `None` for one that does not exist in the client's era, and is dropped.
    pub note: Option<ClientNote>,
    /// The method, as received.
    pub method: String,
    /// The parameters.
    pub params: Params,
}

/// An answer to a request of ours.
#[derive(Clone, Debug)]
pub struct Response {
    /// How the client speaks.
    pub dialect: Dialect,
    /// The answer.
    pub response: jsonrpc::Response,
}

/// What is left to do about a notification once its session has taken what concerns it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Nothing.
    Done,
    /// It named nothing that is under way, or means nothing here: to be counted.
    Dropped,
    /// The handshake is complete.
    Initialized,
    /// The client's roots are others now: to be told to servers that were given them.
    RootsChanged,
}

impl Dialect {
    /// The HTTP status that goes with an error code. In the 0.7.1 dialect this holds for what is
    /// wrong with a request; the outcomes of calls have statuses of their own there.
    #[must_use]
    pub fn status(&self, code: Code) -> StatusCode {
        let (compat, modern) = match self {
            Self::Compat => (true, false),
            Self::Legacy { .. } => (false, false),
            Self::Modern { .. } => (false, true),
        };
        match code {
            Code::ParseError
            | Code::InvalidRequest
            | Code::HeaderMismatch
            | Code::MissingClientCapability
            | Code::UnsupportedVersion => StatusCode::BAD_REQUEST,
            Code::SessionNotFound => StatusCode::NOT_FOUND,
            Code::SiteNotAllowed => StatusCode::FORBIDDEN,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::MethodNotFound if compat || modern => StatusCode::NOT_FOUND,
            Code::InvalidParams if compat => StatusCode::BAD_REQUEST,
            Code::Internal if compat => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Compat | Code::PolicyDenied | Code::KillSwitchTripped if compat => {
                StatusCode::FORBIDDEN
            }
            Code::UpstreamUnavailable | Code::UpstreamFailed | Code::GatewayUnreachable
                if compat =>
            {
                StatusCode::BAD_GATEWAY
            }
            Code::AttestationStale | Code::CatalogDrift if compat => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Code::MethodNotFound
            | Code::InvalidParams
            | Code::Internal
            | Code::ResourceNotFound
            | Code::Compat
            | Code::PolicyDenied
            | Code::UpstreamUnavailable
            | Code::UpstreamFailed
            | Code::AttestationStale
            | Code::CatalogDrift
            | Code::KillSwitchTripped
            | Code::GatewayUnreachable => StatusCode::OK,
        }
    }

    /// The client's transport session, where it has one.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Legacy {
                session,
                version: _,
            } => Some(session),
            Self::Compat | Self::Modern { version: _ } => None,
        }
    }

    /// Whether the client is of the modern era.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        match self {
            Self::Compat | Self::Legacy { .. } => false,
            Self::Modern { version: _ } => true,
        }
    }

    /// The method of that name, where this client has one.
    pub(super) fn method(&self, name: &str) -> Option<Method> {
        Method::parse(name).filter(|method| match self {
            Self::Compat => method.exists_without_handshake(),
            Self::Legacy {
                session: _,
                version,
            }
            | Self::Modern { version } => method.exists_in(*version),
        })
    }
}

impl Request {
    /// Takes the request up: what is said while it is served, and its answer, go into the port;
    /// the feed is what the client gets of it.
    ///
    /// # Errors
    /// A refusal, when the session serves a request of this id already, or too many.
    pub fn open(&self) -> Result<(Port, Feed), Rejection> {
        match &self.dialect {
            Dialect::Compat => Ok(Port::plain(&self.id)),
            Dialect::Modern { version: _ } => Ok(Port::modern(&self.id)),
            Dialect::Legacy {
                session,
                version: _,
            } => session.open(&self.id).map_err(|error| {
                let code = match error {
                    OpenError::InUse => Code::InvalidRequest,
                    OpenError::TooMany { .. } => Code::RateLimited,
                    OpenError::Ended => Code::SessionNotFound,
                };
                self.reject(code, &error.to_string(), None)
            }),
        }
    }

    /// The capabilities of the client that hold for this request; `None` where it never declared
    /// any.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Value> {
        match &self.dialect {
            Dialect::Compat => None,
            Dialect::Legacy {
                session,
                version: _,
            } => Some(&session.client()?.capabilities),
            Dialect::Modern { version: _ } => self.params.meta(META_CAPABILITIES),
        }
    }

    /// The least severe log messages that the client wants to hear while this is served: said in
    /// the request itself, or once for its session. `None` where it was never said.
    #[must_use]
    pub fn log_level(&self) -> Option<LogLevel> {
        match &self.dialect {
            Dialect::Compat => None,
            Dialect::Legacy {
                session,
                version: _,
            } => session.level(),
            Dialect::Modern { version: _ } => self
                .params
                .meta(META_LOG_LEVEL)
                .and_then(Value::as_str)
                .and_then(LogLevel::parse),
        }
    }

    /// The token, as spelled, under which the client wants to hear of progress.
    #[must_use]
    pub fn progress_token(&self) -> Option<Bytes> {
        self.params.meta("progressToken").and_then(Id::from_value)?;
        self.params.raw_meta("progressToken")
    }

    /// A refusal of this request.
    #[must_use]
    pub fn reject(&self, code: Code, message: &str, data: Option<&Value>) -> Rejection {
        Rejection::of(&self.dialect, &self.id, code, message, data)
    }

    /// The refusal of bad parameters.
    #[must_use]
    pub fn reject_params(&self, error: InvalidParams) -> Rejection {
        let message = format!("Invalid params: {error}");
        self.reject(Code::InvalidParams, &message, None)
    }

    /// The refusal of headers that differ from the body.
    #[must_use]
    pub fn reject_headers(&self, error: &HeaderError) -> Rejection {
        self.reject(Code::HeaderMismatch, &error.to_string(), None)
    }

    /// The refusal of a request that needs capabilities which the client did not declare.
    #[must_use]
    pub fn reject_capabilities(&self, required: Value) -> Rejection {
        let data = Object::from([("requiredCapabilities", required)]).into();
        let message = "the client did not declare a capability that this request needs";
        self.reject(Code::MissingClientCapability, message, Some(&data))
    }
}

impl Notification {
    /// Lets the session take what concerns it: cancellation of a request of its own, progress of a
    /// question put to it.
    #[must_use]
    pub fn hear(&self) -> Heard {
        match (self.dialect.session(), self.note) {
            (Some(session), Some(note)) => session.hear(note, &self.params),
            (Some(_) | None, Some(_) | None) => Heard::Dropped,
        }
    }
}

impl Response {
    /// Hands the answer to whoever asked; false when nobody of this client's session did.
    #[must_use]
    pub fn deliver(self) -> bool {
        match self.dialect {
            Dialect::Legacy {
                session,
                version: _,
            } => session.respond(self.response),
            Dialect::Compat | Dialect::Modern { version: _ } => false,
        }
    }
}
