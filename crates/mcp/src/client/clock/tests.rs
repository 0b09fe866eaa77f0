use super::*;

const SILENCE: Duration = Duration::from_secs(10);

async fn runs_for(clock: &Clock, begun: Instant) -> Duration {
    clock.run_out().await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn silence_uses_it_up() {
    let begun = Instant::now();
    let clock = Clock::start(SILENCE);
    assert_eq!(runs_for(&clock, begun).await, SILENCE);
    assert_eq!(clock.spent(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn progress_gives_all_of_it_back_but_not_for_ever() {
    let begun = Instant::now();
    let clock = Clock::start(SILENCE);
    let winding = async {
        loop {
            tokio::time::sleep(Duration::from_secs(9)).await;
            clock.wind();
        }
    };
    let lasted = tokio::select! {
        lasted = runs_for(&clock, begun) => lasted,
        () = winding => Duration::ZERO,
    };
    assert_eq!(lasted, SILENCE * 10);
    assert_eq!(clock.spent(), SILENCE * 10);
}

#[tokio::test(start_paused = true)]
async fn it_stands_still_while_the_server_waits_for_us() {
    let begun = Instant::now();
    let clock = Clock::start(SILENCE);
    let waiting = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        clock.stop();
        tokio::time::sleep(Duration::from_secs(50)).await;
        clock.go_on();
        std::future::pending::<()>().await;
    };
    let lasted = tokio::select! {
        lasted = runs_for(&clock, begun) => lasted,
        () = waiting => Duration::ZERO,
    };
    assert_eq!(lasted, Duration::from_secs(60));
    // Nobody who never answers keeps it for ever.
    let begun = Instant::now();
    let clock = Clock::start(SILENCE);
    clock.stop();
    assert_eq!(runs_for(&clock, begun).await, SILENCE * 10);
}
