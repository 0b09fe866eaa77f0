//! One host on standard input and output, for hosts that spawn their servers. Everything behind it
//! is what it is over HTTP: one principal, the same calls, the same log.

use std::{future::Future, io, sync::Arc};

use cmcp_mcp::{
    jsonrpc,
    method::Method,
    server::{Heard, Last, Port, Request, Session, stdio},
};
use cmcp_policy::engine::Principal;
use futures_util::future::{BoxFuture, FutureExt};

use crate::{
    edge::{Background, ServeError},
    front::Begun,
    startup::{Gateway, Ready},
};

/// Serves the host on standard input and output as `principal`, by its configured name, or as
/// `Agent::"anonymous"`, until it closes the input or `stop` resolves; then every session is closed
/// and sealed, and the log is on disk when this returns. No port is bound.
pub async fn serve_stdio(
    ready: Ready,
    principal: Option<&str>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let gateway = Arc::clone(&ready.gateway);
    let named = |name: &str| {
        let mut all = gateway.principals.iter();
        all.find(|principal| principal.name == name).cloned()
    };
    let principal = match principal {
        Some(name) => named(name).ok_or_else(|| ServeError::Principal {
            name: name.to_owned(),
        })?,
        None if gateway.settings.listen.is_shared() => Arc::clone(&gateway.anonymous),
        None => return Err(ServeError::Nobody),
    };
    let background = Background::start(ready);
    let handler = Arc::new(Host { gateway, principal });
    let serving = stdio::run(handler, tokio::io::stdin(), tokio::io::stdout());
    let served = tokio::select! {
        served = serving => served,
        () = stop => Ok(()),
    };
    background.end().await;
    served.map_err(|error: io::Error| ServeError::Host {
        cause: error.kind(),
    })
}

struct Host {
    gateway: Arc<Gateway>,
    principal: Arc<Principal>,
}

impl stdio::Handler for Host {
    fn request(&self, request: Request, port: Port) -> BoxFuture<'_, ()> {
        async move {
            if request.method == Method::Initialize {
                self.initialize(&request, &port);
                return;
            }
            let begun = self.gateway.begin(&self.principal, &request, None).await;
            match begun {
                Ok(Begun::Known(result)) => {
                    port.finish(Last::ok(jsonrpc::result(&request.id, &result)));
                }
                Ok(Begun::Ended(last)) => port.finish(last),
                Ok(Begun::Rest(rest)) => {
                    let running = self.gateway.run_rest(rest, &request, port);
                    // A call that panicked has told its port already.
                    if let Some(running) = running {
                        let _ = running.await;
                    }
                }
                Err(rejection) => port.finish(rejection.into()),
            }
        }
        .boxed()
    }

    fn heard(&self, heard: Heard, _: &Session) {
        match heard {
            Heard::Dropped => self.gateway.telemetry.dropped_message(),
            Heard::Done | Heard::Initialized => {}
            Heard::RootsChanged => {
                let (gateway, principal) = (Arc::clone(&self.gateway), Arc::clone(&self.principal));
                tokio::spawn(async move { gateway.roots_changed(&principal.name).await });
            }
        }
    }
}

impl Host {
    fn initialize(&self, request: &Request, port: &Port) {
        let Some(session) = port.session() else {
            return;
        };
        self.gateway.attach(session, &self.principal);
        let result = self.gateway.identity().initialize_result(
            session.version(),
            &self.gateway.capabilities(session.version()),
        );
        port.clone()
            .finish(Last::ok(jsonrpc::result(&request.id, &result)));
    }
}
