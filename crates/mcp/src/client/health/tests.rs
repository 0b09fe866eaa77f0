use super::*;

const BEARING: Bearing = Bearing {
    concurrency: 2,
    queue: 1,
    failures: 3,
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(4),
};

fn health() -> Arc<Health> {
    Arc::new(Health::new(BEARING))
}

fn down() -> Result<(), UpstreamError> {
    Err(UpstreamError::Connect {
        endpoint: String::new(),
        cause: ConnectFault::Io(std::io::ErrorKind::ConnectionRefused),
    })
}

fn silent() -> Result<(), UpstreamError> {
    Err(UpstreamError::Timeout {
        sent: true,
        after: Duration::ZERO,
    })
}

async fn enter(health: &Arc<Health>) -> Result<Place, UpstreamError> {
    health.enter(Instant::now() + Duration::from_secs(1)).await
}

async fn fail(health: &Arc<Health>, times: usize) {
    for _ in 0..times {
        enter(health).await.unwrap().leave(&down());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_failing_is_left_alone_and_then_tried_by_one() {
    let health = health();
    fail(&health, 2).await;
    enter(&health).await.unwrap().leave(&silent());
    let remaining = BEARING.pause;
    assert_eq!(
        enter(&health).await.unwrap_err(),
        UpstreamError::BackOff { remaining }
    );
    tokio::time::sleep(BEARING.pause).await;
    let probe = enter(&health).await.unwrap();
    assert!(matches!(
        enter(&health).await.unwrap_err(),
        UpstreamError::BackOff { .. }
    ));
    probe.leave(&down());
    let remaining = BEARING.pause * 2;
    assert_eq!(
        enter(&health).await.unwrap_err(),
        UpstreamError::BackOff { remaining }
    );
    tokio::time::sleep(remaining).await;
    enter(&health).await.unwrap().leave(&Ok(()));
    fail(&health, 2).await;
    assert!(enter(&health).await.is_ok(), "it began to count anew");
}

#[tokio::test(start_paused = true)]
async fn the_pause_has_an_end_and_a_probe_that_was_given_up_makes_room_for_the_next() {
    let health = health();
    fail(&health, 3).await;
    for pause in [1, 2, 4, 4] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        drop(enter(&health).await.unwrap());
        enter(&health).await.unwrap().leave(&down());
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_every_kind_and_refusals_of_ours_never_count() {
    let address = std::net::IpAddr::from([10, 0, 0, 1]);
    let refused = |cause| UpstreamError::Connect {
        endpoint: String::new(),
        cause,
    };
    let harmless = [
        refused(ConnectFault::Address(address)),
        refused(ConnectFault::Pin),
        UpstreamError::Status { status: 403 },
        UpstreamError::Stale,
        UpstreamError::Lost { sent: true },
        UpstreamError::Closed,
    ];
    let health = health();
    for error in harmless.iter().cycle().take(60) {
        enter(&health)
            .await
            .unwrap()
            .leave(&Err::<(), _>(error.clone()));
    }
    // What says nothing does not make up for failures either.
    fail(&health, 2).await;
    enter(&health)
        .await
        .unwrap()
        .leave(&Err::<(), _>(UpstreamError::Stale));
    fail(&health, 1).await;
    assert!(enter(&health).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn n01_what_is_too_much_waits_as_long_as_it_may_and_is_then_refused() {
    let health = health();
    let first = enter(&health).await.unwrap();
    let _second = enter(&health).await.unwrap();
    let begun = Instant::now();
    assert_eq!(
        enter(&health).await.unwrap_err(),
        UpstreamError::Overloaded { limit: 2 }
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.leave(&Ok(()));
    };
    let begun = Instant::now();
    let one_too_many = async {
        let refused = enter(&health).await.unwrap_err();
        assert_eq!(refused, UpstreamError::Overloaded { limit: 2 });
        assert_eq!(begun.elapsed(), Duration::ZERO);
    };
    let (entered, (), ()) = tokio::join!(enter(&health), one_too_many, leaving);
    entered.unwrap();
}
