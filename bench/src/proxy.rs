//! The limit: what a hop costs that reads a request, sends it on and brings the answer back,
//! without looking at either.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming};

use crate::wire::{self, Fault, Sender};

/// Connections to the upstream that nobody uses at the moment.
type Idle = Rc<RefCell<Vec<Sender>>>;

/// Serves until killed.
pub(crate) async fn serve(to: SocketAddr) -> Result<(), Fault> {
    let idle = Idle::default();
    wire::serve(move |request| pass(request, to, Rc::clone(&idle))).await
}

async fn pass(
    request: Request<Incoming>,
    to: SocketAddr,
    idle: Idle,
) -> Result<Response<Full<Bytes>>, Fault> {
    let (mut head, body) = request.into_parts();
    drop_hop_headers(&mut head.headers);
    let body = body.collect().await?.to_bytes();
    let mut sender = take(&idle, to).await?;
    let answer = sender
        .send_request(Request::from_parts(head, Full::new(body)))
        .await?;
    let (mut head, body) = answer.into_parts();
    drop_hop_headers(&mut head.headers);
    let body = body.collect().await?.to_bytes();
    idle.borrow_mut().push(sender);
    Ok(Response::from_parts(head, Full::new(body)))
}

async fn take(idle: &Idle, to: SocketAddr) -> Result<Sender, Fault> {
    // Popped in a statement of its own: no borrow is held while waiting.
    let pooled = idle.borrow_mut().pop();
    if let Some(mut sender) = pooled
        && sender.ready().await.is_ok()
    {
        return Ok(sender);
    }
    wire::connect(to).await
}

fn drop_hop_headers(headers: &mut HeaderMap) {
    for name in [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}
