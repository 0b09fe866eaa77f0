//! One HTTP request on its way out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Incoming;

use super::{Inner, link::SendFailure, pool::Lease, reading::broken};
use crate::upstream::{ConnectFault, UpstreamError};

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    method: Method,
    /// Path and query; the target's own where there are none.
    path: Option<Uri>,
    headers: HeaderMap,
    body: Bytes,
}

impl Parcel {
    pub(super) fn post(headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            path: None,
            headers,
            body,
        }
    }

    /// Asks for an event stream.
    pub(super) fn get(mut headers: HeaderMap) -> Self {
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        Self {
            method: Method::GET,
            ..Self::post(headers, Bytes::new())
        }
    }

    pub(super) fn delete(mut headers: HeaderMap) -> Self {
        headers.remove(CONTENT_TYPE);
        Self {
            method: Method::DELETE,
            ..Self::post(headers, Bytes::new())
        }
    }

    /// Sends it elsewhere at the same host.
    pub(super) fn to(self, path: Option<&Uri>) -> Self {
        Self {
            path: path.cloned(),
            ..self
        }
    }
}

impl Inner {
    /// Sends with our credential for this server. A request that was refused for want of another one has
    /// not been run (RFC 9110, 15.5.2), and is sent once more where there is one.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut parcel: Parcel,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), UpstreamError> {
        let Some(source) = &self.target.credential else {
            return self.send_once(parcel, sent).await;
        };
        let failed = |cause| UpstreamError::Connect {
            endpoint: self.target.endpoint.clone(),
            cause: ConnectFault::Credential(Box::new(cause)),
        };
        let mut used = source.header().await.map_err(failed)?;
        for _ in 0..MAX_CREDENTIALS {
            if let Some(value) = &used {
                parcel.headers.insert(AUTHORIZATION, value.clone());
            }
            let (lease, response) = self.send_once(parcel.clone(), sent).await?;
            let status = response.status();
            if status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN {
                return Ok((lease, response));
            }
            let next = source.rejected(used.as_ref(), status, response.headers());
            match next.await.map_err(failed)? {
                Some(next) => used = Some(next),
                None => return Ok((lease, response)),
            }
            sent.store(false, Ordering::Release);
        }
        if let Some(value) = used {
            parcel.headers.insert(AUTHORIZATION, value);
        }
        self.send_once(parcel, sent).await
    }

    async fn send_once(
        self: &Arc<Self>,
        parcel: Parcel,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), UpstreamError> {
        let Parcel {
            method,
            path,
            headers,
            body,
        } = parcel;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.unwrap_or_else(|| self.target.path.clone());
        *request.headers_mut() = headers;
        let mut lease = self.reached(self.pool.lease(&self.target).await)?;
        sent.store(true, Ordering::Release);
        let mut failure = match lease.link.send(request).await {
            Ok(response) => return Ok((lease, response)),
            Err(failure) => failure,
        };
        if let SendFailure::Unsent(request) = failure {
            // The server had closed a connection that we kept. Nothing was written, so this is
            // still the first time that the request is sent.
            sent.store(false, Ordering::Release);
            lease = self.reached(self.pool.fresh(&self.target).await)?;
            sent.store(true, Ordering::Release);
            failure = match lease.link.send(*request).await {
                Ok(response) => return Ok((lease, response)),
                Err(failure) => failure,
            };
        }
        Err(match failure {
            SendFailure::Unsent(_) => UpstreamError::Lost { sent: false },
            SendFailure::Broken(error) => broken(&error),
        })
    }

    /// Notes whether the server could be reached: after an interruption it may be another one.
    fn reached(&self, lease: Result<Lease, UpstreamError>) -> Result<Lease, UpstreamError> {
        match &lease {
            Ok(_) if self.unreachable.swap(false, Ordering::AcqRel) => self.counters.outdate_all(),
            Err(UpstreamError::Connect { .. }) => self.unreachable.store(true, Ordering::Release),
            Ok(_) | Err(_) => {}
        }
        lease
    }
}

/// How often one request is sent again with another credential.
const MAX_CREDENTIALS: usize = 3;
