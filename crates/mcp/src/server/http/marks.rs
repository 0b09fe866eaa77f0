//! What the headers alone say about a client's dialect, and what they say together with the body.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::{
    error::Code,
    headers::{HeaderError, PROTOCOL_VERSION, SESSION_ID, single},
    jsonrpc::{self, Id, Params, ReplyTo, RpcParseError},
    version::Version,
};

use super::{
    super::{
        meta::{self, MetaError},
        rejection::invalid_request,
        session::Session,
    },
    Dialect, Finder, Rejection,
};

/// The two headers that tell dialects apart.
pub(super) struct Marks<'a> {
    version: Option<&'a str>,
    session: Option<&'a str>,
}

impl<'a> Marks<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Rejection> {
        let refuse = |code, error: &dyn ToString| {
            let message = error.to_string();
            Rejection::unaddressed(
                StatusCode::BAD_REQUEST,
                code,
                &message,
                "MCP_INVALID_REQUEST",
            )
        };
        let version = single(headers, &PROTOCOL_VERSION)
            .map_err(|error| refuse(Code::HeaderMismatch, &error))?;
        let session =
            single(headers, &SESSION_ID).map_err(|error| refuse(Code::InvalidRequest, &error))?;
        Ok(Self { version, session })
    }

    pub(super) fn of_request(
        &self,
        request: &jsonrpc::Request,
        sessions: Finder<'_>,
    ) -> Result<Dialect, Rejection> {
        let id = Some(&request.id);
        match self.modern(id, &request.params)? {
            Some(Modern {
                version,
                named: Named::InBoth,
            }) => {
                meta::check(&request.params).map_err(|error| self.meta(id, &error))?;
                Ok(Dialect::Modern { version })
            }
            Some(Modern {
                version: _,
                named: Named::InHeader,
            }) => Err(self.meta(id, &MetaError::VersionMissing)),
            None => self.handshaken(id, sessions),
        }
    }

    /// A notification has no members that it must carry: the header alone makes it modern.
    pub(super) fn of_notification(
        &self,
        params: &Params,
        sessions: Finder<'_>,
    ) -> Result<Dialect, Rejection> {
        match self.modern(None, params)? {
            Some(Modern {
                version,
                named: Named::InBoth | Named::InHeader,
            }) => Ok(Dialect::Modern { version }),
            None => self.handshaken(None, sessions),
        }
    }

    /// No request is ever sent to a modern client, so it has nothing to respond to.
    pub(super) fn of_response(&self, sessions: Finder<'_>) -> Result<Dialect, Rejection> {
        match self.modern(None, &Params::default())? {
            Some(Modern { .. }) => {
                let message = "Invalid Request: nothing was asked of this client";
                Err(self.answer(
                    None,
                    Code::InvalidRequest,
                    message,
                    Some(&invalid_request()),
                ))
            }
            None => self.handshaken(None, sessions),
        }
    }

    /// The refusal of a body that could not be read as JSON-RPC.
    pub(super) fn unreadable(&self, error: &RpcParseError, body: &Bytes) -> Rejection {
        let (code, words, data) = match error {
            RpcParseError::Json(_) => {
                let digest: String = Sha256::digest(body)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                let data = Object::from([
                    ("error_code", "MCP_PARSE_FAILURE".to_owned()),
                    ("payload_hash", format!("sha256:{digest}")),
                ]);
                (Code::ParseError, "Parse error", data.into())
            }
            RpcParseError::Batch
            | RpcParseError::NotAnObject
            | RpcParseError::Version { .. }
            | RpcParseError::Id
            | RpcParseError::Method { .. }
            | RpcParseError::Params { .. }
            | RpcParseError::Shape { .. }
            | RpcParseError::ErrorObject { .. } => {
                (Code::InvalidRequest, "Invalid Request", invalid_request())
            }
        };
        let message = if self.compat() {
            words.to_owned()
        } else {
            format!("{words}: {error}")
        };
        self.answer(error.id(), code, &message, Some(&data))
    }

    pub(super) fn too_large(&self) -> Rejection {
        Rejection {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..self.answer(None, Code::InvalidRequest, "Request body too large", None)
        }
    }

    pub(super) fn refuse(&self, status: StatusCode, message: &str) -> Rejection {
        Rejection {
            status,
            ..self.answer(
                None,
                Code::InvalidRequest,
                message,
                Some(&invalid_request()),
            )
        }
    }

    /// The modern revision that header and body agree on; `None` when neither claims to be modern.
    fn modern(&self, id: Option<&Id>, params: &Params) -> Result<Option<Modern>, Rejection> {
        let meta = |error| self.meta(id, &error);
        let Some(body) = meta::named_version(params).map_err(meta)? else {
            let version = self
                .version
                .and_then(Version::parse)
                .filter(|v| v.is_modern());
            return Ok(version.map(|version| Modern {
                version,
                named: Named::InHeader,
            }));
        };
        let mismatch = match self.version {
            Some(header) if header == body => {
                let version = meta::served_version(body).map_err(meta)?;
                return Ok(Some(Modern {
                    version,
                    named: Named::InBoth,
                }));
            }
            Some(_) => HeaderError::Differs(PROTOCOL_VERSION),
            None => HeaderError::Missing(PROTOCOL_VERSION),
        };
        Err(self.answer(id, Code::HeaderMismatch, &mismatch.to_string(), None))
    }

    /// The dialect of a client that does not claim to be modern.
    fn handshaken(&self, id: Option<&Id>, sessions: Finder<'_>) -> Result<Dialect, Rejection> {
        if let Some(version) = self.version
            && Version::parse(version).is_none()
        {
            let known = Version::ALL.map(Version::as_str).join(", ");
            let message = format!("Invalid Request: `MCP-Protocol-Version` is none of {known}");
            return Err(self.answer(id, Code::InvalidRequest, &message, Some(&invalid_request())));
        }
        let Some(session) = self.session else {
            return Ok(Dialect::Compat);
        };
        // Pairs of 2024-11-05 are named elsewhere.
        match sessions(session).filter(Session::is_http) {
            Some(session) => Ok(Dialect::Legacy {
                version: session.version(),
                session,
            }),
            None => Err(Rejection::no_session(
                id.map_or(ReplyTo::Unknown, ReplyTo::Request),
            )),
        }
    }

    /// The session of a request without body, which only sessions send.
    pub(super) fn session(&self, sessions: Finder<'_>) -> Result<Session, Rejection> {
        let modern = self
            .version
            .and_then(Version::parse)
            .is_some_and(Version::is_modern);
        if modern || self.session.is_none() {
            return Err(Rejection::not_allowed(
                "only a session that `initialize` opened has something to get or delete here",
            ));
        }
        match self.handshaken(None, sessions)? {
            Dialect::Legacy {
                session,
                version: _,
            } => Ok(session),
            Dialect::Compat | Dialect::Modern { version: _ } => {
                Err(Rejection::no_session(ReplyTo::Unknown))
            }
        }
    }

    fn meta(&self, id: Option<&Id>, error: &MetaError) -> Rejection {
        self.answer(id, error.code(), &error.to_string(), error.data().as_ref())
    }

    /// A refusal with 400.
    fn answer(
        &self,
        id: Option<&Id>,
        code: Code,
        message: &str,
        data: Option<&Value>,
    ) -> Rejection {
        let to = match id {
            Some(id) => ReplyTo::Request(id),
            None if self.compat() => ReplyTo::Null,
            None => ReplyTo::Unknown,
        };
        let body = jsonrpc::error(to, code.value(), message, data);
        Rejection {
            status: StatusCode::BAD_REQUEST,
            code,
            body,
        }
    }

    /// Whether the headers leave open that this is a client of the 0.7.1 dialect.
    fn compat(&self) -> bool {
        let modern = self
            .version
            .and_then(Version::parse)
            .is_some_and(Version::is_modern);
        self.session.is_none() && !modern
    }
}

/// A client that claims to be modern.
struct Modern {
    version: Version,
    named: Named,
}

/// Where a modern revision is named.
enum Named {
    InBoth,
    InHeader,
}
