use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cmcp_mcp::{
    jsonrpc::Id,
    upstream::{Kind, Said, Watch},
};
use tokio::time::{Instant, advance};

use super::{
    Audience, Bounds, DEBOUNCE, Hub, JoinError, List, Listening, Notice, Seat, Wants, addressed,
};

type Told = Arc<Mutex<Vec<Notice>>>;

fn seat(principal: &str, upstream: u64) -> Seat {
    Seat {
        upstream,
        principal: Arc::from(principal),
    }
}

fn hub() -> Arc<Hub> {
    Hub::new(Bounds {
        listeners: 4,
        per_principal: 3,
        wants: 3,
    })
}

fn listen(hub: &Arc<Hub>, principal: &str, wants: Wants) -> (Listening, Told) {
    let told = Told::default();
    let sink = Arc::clone(&told);
    let listening = hub
        .join(principal, wants, move |notice| {
            sink.lock().unwrap().push(notice.clone());
        })
        .unwrap();
    (listening, told)
}

fn lists(lists: &[List]) -> Wants {
    Wants {
        lists: lists.iter().copied().collect(),
        ..Wants::default()
    }
}

fn resources(resources: &[(u64, &str)]) -> Wants {
    let resources = resources.iter().map(|(u, uri)| (*u, (*uri).to_owned()));
    Wants {
        resources: resources.collect(),
        ..Wants::default()
    }
}

fn take(told: &Told) -> Vec<Notice> {
    std::mem::take(&mut told.lock().unwrap())
}

fn updated(uri: &str) -> Said {
    Said::ResourceUpdated {
        uri: uri.to_owned(),
        params: Bytes::from(format!(r#"{{ "uri":"{uri}" }}"#)),
    }
}

fn all(_: &str, _: u64, _: List) -> bool {
    true
}

async fn settle_tasks() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_list_are_told_as_one_however_many_servers_and_how_often() {
    let hub = hub();
    let (_alice, alice) = listen(&hub, "alice", lists(&[List::Tools, List::Resources]));
    let (_bob, bob) = listen(&hub, "bob", lists(&[List::Prompts]));
    let began = Instant::now();
    let running = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.run(all).await }
    });
    for _ in 0..10 {
        for upstream in 0..5 {
            hub.heard(&seat("alice", upstream), Said::ListChanged(Kind::Tools));
        }
        hub.heard(
            &seat("alice", 1),
            Said::ListChanged(Kind::ResourceTemplates),
        );
        hub.heard(&seat("alice", 1), Said::ListChanged(Kind::Resources));
        advance(Duration::from_millis(9)).await;
        settle_tasks().await;
        assert_eq!(take(&alice), []);
    }
    advance(Duration::from_millis(10)).await;
    settle_tasks().await;
    assert_eq!(began.elapsed(), DEBOUNCE);
    let expected = [
        Notice::ListChanged(List::Resources),
        Notice::ListChanged(List::Tools),
    ];
    assert_eq!(take(&alice), expected);
    assert_eq!(take(&bob), [], "it wants another list");
    hub.changed(3, List::Prompts);
    advance(DEBOUNCE).await;
    settle_tasks().await;
    assert_eq!(
        (take(&alice), take(&bob)),
        (vec![], vec![Notice::ListChanged(List::Prompts)])
    );
    running.abort();
}

#[test]
fn of_a_list_that_a_principal_may_not_see_it_hears_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let hub = hub();
    let (_alice, alice) = listen(&hub, "alice", lists(&List::ALL));
    let (_bob, bob) = listen(&hub, "bob", lists(&List::ALL));
    hub.changed(1, List::Tools);
    hub.changed(2, List::Tools);
    let asked = RefCell::new(BTreeSet::new());
    hub.flush(&|who: &str, upstream, list| {
        asked.borrow_mut().insert((who.to_owned(), upstream));
        assert_eq!(list, List::Tools);
        who == "bob" && upstream == 2
    });
    assert_eq!((take(&alice).len(), take(&bob).len()), (0, 1));
    assert_eq!(asked.borrow().len(), 4);
}

#[test]
fn a_resource_is_told_of_to_the_principal_whose_seat_heard_it_alone() {
    let hub = hub();
    let (_one, one) = listen(&hub, "alice", resources(&[(1, "file:///a")]));
    let (_two, two) = listen(
        &hub,
        "alice",
        resources(&[(1, "file:///a"), (2, "file:///b")]),
    );
    let (_bob, bob) = listen(&hub, "bob", resources(&[(1, "file:///a")]));
    assert_eq!(hub.heard(&seat("alice", 1), updated("file:///a")), 2);
    let params = Bytes::from_static(br#"{ "uri":"file:///a" }"#);
    let expected = [Notice::ResourceUpdated { params }];
    assert_eq!(take(&one), expected);
    assert_eq!(take(&two), expected);
    assert_eq!(take(&bob), []);
    assert_eq!(
        hub.heard(&seat("alice", 2), updated("file:///a")),
        0,
        "another server's"
    );
    assert_eq!(hub.heard(&seat("carol", 1), updated("file:///a")), 0);
    assert_eq!(hub.heard(&seat("alice", 1), updated("FILE:///a")), 0);
}

#[test]
fn a_part_of_what_is_watched_is_told_where_nobody_watches_it_itself() {
    let hub = hub();
    let (_folder, folder) = listen(&hub, "alice", resources(&[(1, "file:///a")]));
    let (_file, file) = listen(
        &hub,
        "alice",
        resources(&[(1, "file:///a/b"), (1, "x://y/")]),
    );
    let heard = |uri: &str| {
        hub.heard(&seat("alice", 1), updated(uri));
        (take(&folder).len(), take(&file).len())
    };
    assert_eq!(heard("file:///a/c"), (1, 0));
    assert_eq!(heard("file:///a/b"), (0, 1));
    assert_eq!(heard("file:///a?q"), (1, 0));
    assert_eq!(heard("file:///a/b#c"), (1, 1));
    assert_eq!(heard("file:///ab"), (0, 0));
    assert_eq!(heard("x://y/z"), (0, 1));
}

#[test]
fn tasks_logs_and_elicitations_reach_those_they_are_for() {
    let hub = hub();
    let session = Wants {
        as_session: true,
        ..Wants::default()
    };
    let owner = Wants {
        tasks: BTreeSet::from([(1, "t1".to_owned())]),
        ..Wants::default()
    };
    let (_session, legacy) = listen(&hub, "alice", session.clone());
    let (_owner, modern) = listen(&hub, "alice", owner);
    let (_bob, bob) = listen(&hub, "bob", session);
    let at = seat("alice", 1);
    let params = Bytes::from_static(br#"{"taskId":"t1","status":"working"}"#);
    assert_eq!(hub.heard(&at, Said::TaskStatus(params.clone())), 1);
    let expected = Notice::TaskStatus {
        upstream: 1,
        task: "t1".to_owned(),
        params,
    };
    assert_eq!(take(&modern), [expected]);
    for unreadable in ["{\"taskId\":\"t2\"}", "{\"taskId\":1}", "{}", "[", ""] {
        let params = Bytes::from_static(unreadable.as_bytes());
        assert_eq!(hub.heard(&at, Said::TaskStatus(params)), 0, "{unreadable}");
    }
    let params = Bytes::from_static(b"{}");
    assert_eq!(hub.heard(&at, Said::Message(params.clone())), 1);
    assert_eq!(hub.heard(&at, Said::ElicitationComplete(params.clone())), 1);
    let complete = Notice::ElicitationComplete {
        upstream: 1,
        params: params.clone(),
    };
    assert_eq!(take(&legacy), [Notice::Message { params }, complete]);
    assert_eq!((take(&modern), take(&bob)), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_told_the_union_once_for_each_change_of_it() {
    let hub = hub();
    let at = seat("alice", 1);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let watch = |wanted: Watch| {
        let asked = Arc::clone(&asked);
        async move {
            let uris: Vec<String> = wanted.resources.iter().cloned().collect();
            asked.lock().unwrap().push(uris.join(" "));
            let mut honoured = wanted;
            honoured.resources.remove("no");
            Ok::<_, ()>(honoured)
        }
    };
    let (one, _) = listen(&hub, "alice", resources(&[(1, "a"), (1, "no"), (2, "z")]));
    assert_eq!(hub.unsettled().await, [seat("alice", 1), seat("alice", 2)]);
    let honoured = hub.settle(&at, watch).await.unwrap();
    assert_eq!(honoured.resources, BTreeSet::from(["a".to_owned()]));
    // Nothing changes for the server.
    let (two, _) = listen(&hub, "alice", resources(&[(1, "a")]));
    let (bob, _) = listen(&hub, "bob", resources(&[(3, "b")]));
    assert_eq!(hub.unsettled().await, [seat("bob", 3)]);
    assert_eq!(hub.settle(&at, watch).await.unwrap(), honoured);
    two.change(|wants| *wants = resources(&[(1, "b")])).unwrap();
    assert_eq!(hub.unsettled().await, std::slice::from_ref(&at));
    hub.settle(&at, watch).await.unwrap();
    drop(one);
    assert_eq!(hub.unsettled().await, [at.clone(), seat("alice", 2)]);
    hub.settle(&at, watch).await.unwrap();
    drop((two, bob));
    assert_eq!(hub.unsettled().await, [at.clone(), seat("bob", 3)]);
    hub.settle(&at, watch).await.unwrap();
    hub.settle(&at, watch).await.unwrap();
    hub.settle(&seat("bob", 3), watch).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["a no", "a b no", "b", ""]);
    assert!(hub.settled.lock().unwrap().is_empty(), "nothing is left");
    assert!(hub.lock().wanted(&at) == Watch::default() && hub.len() == 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_settle_at_once_the_newest_word_is_the_last() {
    let hub = hub();
    let at = seat("alice", 1);
    let (listening, _) = listen(&hub, "alice", resources(&[(1, "a")]));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let slow = |wanted: Watch| {
        let asked = Arc::clone(&asked);
        async move {
            asked.lock().unwrap().push(wanted.resources.len());
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, ()>(wanted)
        }
    };
    let first = hub.settle(&at, slow);
    let second = async {
        tokio::task::yield_now().await;
        listening.change(|wants| {
            wants.resources.insert((1, "b".to_owned()));
        })?;
        Ok::<_, JoinError>(hub.settle(&at, slow).await)
    };
    let (_, second) = tokio::join!(first, second);
    assert_eq!(second.unwrap().unwrap().resources.len(), 2);
    assert_eq!(*asked.lock().unwrap(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_did_not_take_it_is_told_again() {
    let hub = hub();
    let at = seat("alice", 1);
    let (_listening, _) = listen(&hub, "alice", resources(&[(1, "a")]));
    let tries = AtomicUsize::new(0);
    for _ in 0..3 {
        let failed: Result<Watch, &str> = hub
            .settle(&at, |_| async {
                tries.fetch_add(1, Ordering::SeqCst);
                Err("gone")
            })
            .await;
        assert_eq!(failed, Err("gone"));
    }
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert!(hub.settle(&at, |w| async { Ok::<_, ()>(w) }).await.is_ok());
}

#[test]
fn n01_listeners_and_what_they_want_are_bounded_and_leave_nothing_behind() {
    let hub = hub();
    let nobody = |_: &Notice| {};
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(
            hub.join("alice", resources(&[(1, "a"), (1, "b"), (1, "c")]), nobody)
                .unwrap(),
        );
    }
    let full = Some(JoinError::Full);
    assert_eq!(hub.join("alice", Wants::default(), nobody).err(), full);
    held.push(hub.join("bob", Wants::default(), nobody).unwrap());
    assert_eq!(hub.join("carol", Wants::default(), nobody).err(), full);
    let too_much = JoinError::TooMuch { limit: 3 };
    let four = resources(&[(1, "a"), (1, "b"), (1, "c"), (2, "a")]);
    assert_eq!(held[0].change(|wants| *wants = four.clone()), Err(too_much));
    assert_eq!(
        hub.wanted(&seat("alice", 2)),
        Watch::default(),
        "nothing of it counts"
    );
    held.clear();
    assert_eq!(hub.join("dave", four, nobody).err(), Some(too_much));
    assert_eq!(hub.len(), 0);
    assert_eq!(hub.wanted(&seat("alice", 1)), Watch::default());
}

#[test]
fn whoever_leaves_while_it_is_told_does_not_stop_the_others() {
    let hub = hub();
    let own: Arc<Mutex<Option<Listening>>> = Arc::default();
    let wants = resources(&[(1, "a")]);
    let leaver = Arc::clone(&own);
    let listening = hub.join("alice", wants.clone(), move |_| {
        drop(leaver.lock().unwrap().take())
    });
    *own.lock().unwrap() = Some(listening.unwrap());
    let (_other, told) = listen(&hub, "alice", wants);
    assert_eq!(hub.heard(&seat("alice", 1), updated("a")), 2);
    assert_eq!(hub.heard(&seat("alice", 1), updated("a")), 1);
    assert_eq!(take(&told).len(), 2);
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_list_that_changed_is_said_with_the_streams_id_and_its_type() {
    assert_eq!(
        text(&List::Tools.notification(Audience::Legacy)),
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
    );
    let ids = [
        (r#""1""#, Id::String("1".to_owned())),
        ("1", Id::from(1u64)),
        (r#""""#, Id::String(String::new())),
    ];
    for (shown, id) in ids {
        let expected = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{shown}}}}}}}"#
        );
        assert_eq!(
            text(&List::Prompts.notification(Audience::Modern(&id))),
            expected
        );
    }
}

#[test]
fn a_servers_subscription_is_exchanged_for_the_listeners_and_all_else_stays() {
    let id = Id::from(7u64);
    let check = |params: &str, legacy: &str, modern: &str| {
        let params = Bytes::copy_from_slice(params.as_bytes());
        let addressed = |audience| addressed(&params, audience).unwrap();
        assert_eq!(text(&addressed(Audience::Legacy)), legacy);
        assert_eq!(text(&addressed(Audience::Modern(&id))), modern);
    };
    check(
        r#"{ "uri" : "\u0041", "x":1e2}"#,
        r#"{ "uri" : "\u0041", "x":1e2}"#,
        r#"{ "uri" : "\u0041", "x":1e2,"_meta":{"io.modelcontextprotocol/subscriptionId":7}}"#,
    );
    check(
        r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"uri":"a"}"#,
        r#"{"uri":"a"}"#,
        r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"uri":"a"}"#,
    );
    check(
        r#"{"uri":"a","_meta":{"a":1.0,"io.modelcontextprotocol/subscriptionId":"s"}}"#,
        r#"{"uri":"a","_meta":{"a":1.0}}"#,
        r#"{"uri":"a","_meta":{"a":1.0,"io.modelcontextprotocol/subscriptionId":7}}"#,
    );
    for broken in ["[]", "1", "", r#"{"_meta":[]}"#] {
        let params = Bytes::copy_from_slice(broken.as_bytes());
        assert_eq!(addressed(&params, Audience::Modern(&id)), None, "{broken}");
    }
}
