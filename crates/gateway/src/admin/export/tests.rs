//! Clients that ask for a log and do not read it.

use std::{path::Path, sync::Arc, time::Duration};

use axum::body::Body;
use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_record::{
    audit::{
        Chain, ChangeNotice, Completeness, Declarations, Durability, EvidenceClass, Kind, Mode,
        Page, RecordPer, Server, SessionStart, Text,
    },
    export,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::{
    edge,
    store::{Row, Store},
    testing::{ALICE, World},
};

const ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// Leaves a log of Alice's behind that no buffer on the way to a client takes whole.
fn leave_long_log(path: &Path) {
    let digest = Sha256Digest::of(b"x");
    let start = Kind::SessionStart(Box::new(SessionStart {
        binary: digest,
        catalog: digest,
        config: digest,
        durability_read: Durability::Process,
        durability_write: Durability::Disk,
        evidence: None,
        inherited: false,
        label: None,
        mode: Mode::Enforcing,
        platform: Text::new("software-only"),
        policy: digest,
        predecessor: None,
        principal: Text::new("alice"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }));
    let page = |n: usize| Page {
        digest,
        cursor: Some(Text::new(&format!("{n}").repeat(100))),
    };
    let at = Timestamp::from_unix_seconds(1_799_999_000);
    let server = Server {
        endpoint: Text::new("http://127.0.0.1/mcp"),
        evidence_class: EvidenceClass::HashOnly,
        name: Text::new("up"),
    };
    let read = (Completeness::Complete, ChangeNotice::None);
    let long = Kind::Declarations(Declarations::new(server, (0..200).map(page), read, at));
    let mut chain = Chain::new(ID);
    let mut bodies = vec![chain.append(&start, at).unwrap().bytes];
    while bodies.iter().map(Vec::len).sum::<usize>() < 2 * PIECES * PIECE_BYTES {
        bodies.push(chain.append(&long, at).unwrap().bytes);
    }
    let log = Row::Log {
        key: 1,
        id: ID,
        principal: "alice",
        label: None,
        opened: 0,
    };
    let rows = bodies.iter().zip(0..).map(|(body, seq)| Row::Entry {
        log: 1,
        seq,
        body,
        salts: None,
    });
    let mut store = Store::open(path).unwrap();
    store
        .write(&std::iter::once(log).chain(rows).collect::<Vec<_>>())
        .unwrap();
}

async fn ask(world: &World) -> http::Response<Body> {
    let request = Request::builder()
        .uri(format!("/audit/export?session_id={ID}&format=cmcp"))
        .header("host", "127.0.0.1:8443")
        .header("authorization", format!("Bearer {ALICE}"))
        .body(Body::empty())
        .unwrap();
    let router = TowerToHyperService::new(edge::router(Arc::clone(&world.gateway)));
    router.call(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn l22_logs_that_nobody_reads_are_few_at_a_time_and_hold_up_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    leave_long_log(&path);
    let world = World::new(|settings| settings.database = path.clone()).await;
    let mut unread = Vec::new();
    let refused = loop {
        let response = ask(&world).await;
        if response.status() != StatusCode::OK {
            break response;
        }
        unread.push(response);
        assert!(unread.len() < 512, "every thread for reading is taken");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unread.len(), 32);
    let others = async {
        assert_eq!(world.call("echo").await, "ok");
        let (status, _) = world
            .request(&format!("GET /sessions/{ID}/trust-record"), ALICE, "")
            .await;
        assert_eq!(status, StatusCode::OK);
        world.close().await;
    };
    tokio::time::timeout(Duration::from_secs(20), others)
        .await
        .unwrap();
    // Whoever reads late gets all of it, and makes room.
    let late = unread
        .pop()
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let facts = export::check(&mut &*late, None).unwrap();
    assert!(facts.size > 25);
    drop(unread);
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    while ask(&world).await.status() != StatusCode::OK {
        assert!(
            tokio::time::Instant::now() < give_up,
            "no place becomes free"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l22_a_client_that_stops_reading_is_given_up_and_what_it_has_is_not_complete() {
    let (sender, pieces) = mpsc::channel(PIECES);
    let stuck = tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe::new(sender, Duration::from_millis(50));
        let piece = vec![b'x'; PIECE_BYTES];
        (0..100)
            .map(|_| pipe.write_all(&piece))
            .find_map(Result::err)
    });
    let error = stuck.await.unwrap().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // What had been sent may still be read; then the stream breaks off instead of ending.
    let body = stream(Bytes::new(), pieces).into_body();
    assert!(body.collect().await.is_err());
}
