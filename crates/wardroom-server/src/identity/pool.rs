//! Hashing passwords off the async workers, a few at a time, with a fair share for each address.

use crate::{Limits, error::ApiError, places::PerAddress};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;
use wardroom_trust::password::PasswordHasher;
use wardroom_wire::error::ErrorCode;

/// Hashes passwords, a few at a time.
pub(crate) struct PasswordPool {
    hasher: Arc<PasswordHasher>,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    by_address: PerAddress,
}

impl PasswordPool {
    pub(crate) fn new(hasher: PasswordHasher, limits: &Limits) -> Self {
        let all = limits.password_hashes_max + limits.password_waiting_max;
        Self {
            hasher: Arc::new(hasher),
            working: Arc::new(Semaphore::new(limits.password_hashes_max)),
            waiting: Arc::new(Semaphore::new(all)),
            // A quarter, so that it takes several addresses to keep everybody else waiting.
            by_address: PerAddress::new((all / 4).max(1)),
        }
    }

    /// Runs `work` when its turn comes; at once [`ErrorCode::Busy`] when too many wait already.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        address: IpAddr,
        work: impl FnOnce(&PasswordHasher) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || {
            ApiError::say(ErrorCode::Busy, "Too many sign-ins at once: try again in a few seconds.")
        };
        let place = self.by_address.take(address).ok_or_else(busy)?;
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| busy())?;
        let hasher = Arc::clone(&self.hasher);
        let working = move || {
            // SECURITY: the work goes on when its request is gone, so it keeps its places until then.
            let _places = (place, waiting, working);
            work(&hasher)
        };
        tokio::task::spawn_blocking(working).await.map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::mpsc;
    use wardroom_trust::{ambient::SystemRng, password::Cost};

    #[tokio::test]
    async fn work_keeps_its_places_when_its_request_is_gone() {
        let cost = Cost { memory_kib: 8, passes: 1, ..Cost::default() };
        let limits =
            Limits { password_hashes_max: 1, password_waiting_max: 0, ..Limits::default() };
        let pool = PasswordPool::new(PasswordHasher::new(cost, &SystemRng).unwrap(), &limits);
        let address = IpAddr::from([192, 0, 2, 1]);
        let (done, wait) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let mut request = Box::pin(pool.run(address, move |_| {
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        tokio::select! {
            _ = &mut request => unreachable!("the work waits"),
            begun = begins => begun.unwrap(),
        }
        drop(request);
        let busy = pool.run(address, |_| ()).await.unwrap_err();
        assert_eq!(busy.code, ErrorCode::Busy);
        drop(done);
        while pool.run(address, |_| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
