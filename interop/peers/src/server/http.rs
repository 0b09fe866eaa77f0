use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{net::TcpListener, sync::oneshot};

use super::{Fixture, held};

/// How long a client that lost its stream is told to wait before it comes back.
const RETRY: Duration = Duration::from_millis(200);

type Service = StreamableHttpService<Fixture, LocalSessionManager>;

/// Serves the upstream at `/mcp` of every connection that `listener` accepts, both eras.
pub async fn serve(listener: TcpListener, fixture: Fixture) -> io::Result<()> {
    let config = StreamableHttpServerConfig::default().with_sse_retry(Some(RETRY));
    let session = move || Ok(fixture.session());
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.sse_retry = Some(RETRY);
    let service = Arc::new(Service::new(session, Arc::new(sessions), config));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answered = service_fn(|request| answer(&service, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answered);
            // A client that goes away is none of this server's failures.
            let _ended = connection.await;
        });
    }
}

async fn answer(
    service: &Service,
    mut request: Request<Incoming>,
) -> Result<Response<Cut>, Infallible> {
    let (sender, receiver) = oneshot::channel();
    let hang_up = HangUp(Arc::new(Mutex::new(Some(sender))));
    request.extensions_mut().insert(hang_up);
    let response = service.handle(request).await;
    Ok(response.map(|body| Cut {
        body,
        cut: Some(receiver),
    }))
}

/// Ends the response of one request early, in good order: the client sees the end of a stream.
#[derive(Clone)]
pub(super) struct HangUp(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl HangUp {
    pub(super) fn now(&self) {
        if let Some(sender) = held(&self.0).take() {
            let _ended = sender.send(());
        }
    }
}

/// A body that ends when somebody hangs up.
struct Cut {
    body: BoxBody<Bytes, Infallible>,
    cut: Option<oneshot::Receiver<()>>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(cut) = &mut self.cut {
            match Pin::new(cut).poll(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(None),
                Poll::Ready(Err(_)) => self.cut = None,
                Poll::Pending => {}
            }
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}
