//! Tasks that must not be missing: one that ends by a defect of the program is begun again.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::metrics::Metrics;

/// Before it is begun again: a defect that is met at once must not keep the processor busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a task to its end, beginning it again whenever it panics.
pub(crate) async fn kept_up<Task>(name: &'static str, metrics: Metrics, begin: impl Fn() -> Task)
where
    Task: Future<Output = ()> + Send + 'static,
{
    loop {
        // Whoever ends this ends the task with it, as the set is dropped.
        let mut running = JoinSet::new();
        running.spawn(begin());
        match running.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                metrics.task_restarted(name);
                tracing::error!(
                    task = name,
                    "a task ended by a defect of this program and is begun again"
                );
                tokio::time::sleep(PAUSE).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_task_that_panics_is_begun_again_until_it_ends_by_itself() {
        let (begun, metrics) = (Arc::new(AtomicU32::new(0)), Metrics::default());
        let begin = || {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            async move { assert!(number > 0, "the first one panics") }
        };
        actix_web::rt::System::new().block_on(kept_up("test", metrics.clone(), begin));
        assert_eq!(begun.load(Ordering::Relaxed), 2);
        let restarted = "jiefeng_tasks_restarted_total{task=\"test\"} 1";
        assert!(metrics.as_text().contains(restarted), "{}", metrics.as_text());
    }

    #[test]
    fn whoever_ends_the_keeping_ends_the_task() {
        actix_web::rt::System::new().block_on(async {
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            let sender = std::sync::Mutex::new(Some(sender));
            let keeping = tokio::spawn(kept_up("test", Metrics::default(), move || {
                let held = sender.lock().unwrap().take();
                async move {
                    std::future::pending::<()>().await;
                    drop(held);
                }
            }));
            tokio::task::yield_now().await;
            keeping.abort();
            assert!(receiver.await.is_err());
        });
    }
}
