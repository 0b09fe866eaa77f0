use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
};

use super::{Again, TURNS};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn task() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn what_wakes_itself_is_polled_again_and_the_task_sleeps_on() {
    let ((count, waker), again) = (task(), Again::default());
    let mut polls = 0;
    let polled = again.poll(&Context::from_waker(&waker), |context| {
        polls += 1;
        if polls < 3 {
            context.waker().wake_by_ref();
        }
        Poll::<()>::Pending
    });
    assert_eq!((polled, polls), (Poll::Pending, 3));
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[test]
fn whoever_wakes_it_later_wakes_the_task_that_polled_last() {
    let again = Again::default();
    let kept = Mutex::new(None);
    let ((first, one), (second, two)) = (task(), task());
    for waker in [&one, &two] {
        let polled = again.poll(&Context::from_waker(waker), |context| {
            *kept.lock().unwrap() = Some(context.waker().clone());
            Poll::<()>::Pending
        });
        assert_eq!(polled, Poll::Pending);
    }
    kept.lock().unwrap().take().unwrap().wake();
    let woken = |count: &Count| count.0.load(Ordering::Relaxed);
    assert_eq!((woken(&first), woken(&second)), (0, 1));
}

#[test]
fn what_never_rests_lets_others_have_a_turn() {
    let ((count, waker), again) = (task(), Again::default());
    let mut polls = 0;
    let polled = again.poll(&Context::from_waker(&waker), |context| {
        polls += 1;
        context.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    assert_eq!((polled, polls), (Poll::Pending, TURNS));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_of_another_thread_is_lost() {
    for _ in 0..200 {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let sending = tokio::spawn(async move {
            for number in 0..50_u32 {
                sender.send(number).await.unwrap();
            }
        });
        let again = Again::default();
        for expected in 0..50 {
            let next = std::future::poll_fn(|cx| again.poll(cx, |cx| receiver.poll_recv(cx))).await;
            assert_eq!(next, Some(expected));
        }
        sending.await.unwrap();
    }
}

#[test]
fn nobody_is_woken_for_what_nobody_waits_for() {
    let ((count, waker), again) = (task(), Again::default());
    let kept = Mutex::new(None);
    let context = Context::from_waker(&waker);
    let pending = |context: &mut Context<'_>| {
        *kept.lock().unwrap() = Some(context.waker().clone());
        Poll::<()>::Pending
    };
    let ring = || kept.lock().unwrap().as_ref().unwrap().wake_by_ref();
    assert_eq!(again.poll(&context, pending), Poll::Pending);
    again.rest();
    ring();
    assert_eq!(again.poll(&context, pending), Poll::Pending);
    assert_eq!(again.poll(&context, |_| Poll::Ready(())), Poll::Ready(()));
    ring();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    assert_eq!(again.poll(&context, pending), Poll::Pending);
    ring();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}
