//! Hashing passwords off the async workers, a few at a time, with a fair share for each address.

use crate::{Limits, error::ApiError, places::PerAddress};
use std::{
    collections::HashSet,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc},
};
use tokio::sync::{Semaphore, oneshot};
use wardroom_trust::password::PasswordHasher;
use wardroom_wire::error::ErrorCode;

/// Hashes passwords, a few at a time. Who failed lately waits in a queue of their own, which has one worker
/// less: a flood of guesses keeps nobody waiting who has not guessed. So does whoever comes for a name that somebody
/// waits for already: many who guess at one account at once keep those of others waiting for one hash at most.
pub(crate) struct PasswordPool {
    jobs: mpsc::Sender<Job>,
    working: Arc<Semaphore>,
    first: Lane,
    second: Lane,
    names: Names,
}

/// Who waits to have a password hashed.
pub(super) struct Waiting<'a> {
    /// From where they come.
    pub(super) address: IpAddr,
    /// Whether that failed lately.
    pub(super) suspect: bool,
    /// For which name, as it was given. SECURITY: and not for which account, or the time would tell which there are.
    pub(super) name: &'a str,
}

/// What of a name is looked at, in characters.
const NAME_CHARS_MAX: usize = 320;

/// The names for which somebody waits in the first queue.
type Names = Arc<Mutex<HashSet<String>>>;

/// A name that nobody else waits for in the first queue.
struct Claim {
    name: String,
    names: Names,
}

impl Claim {
    fn new(names: &Names, name: &str) -> Option<Self> {
        let name: String = name.trim().to_lowercase().chars().take(NAME_CHARS_MAX).collect();
        let free = names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        free.then(|| Self { name, names: Arc::clone(names) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

type Job = Box<dyn FnOnce(&PasswordHasher) + Send>;

/// Does jobs until nobody can send any more. One that panics is lost, its worker is not.
fn work_off(hasher: &PasswordHasher, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| job(hasher)));
    }
}

/// A queue: how many may wait in it, how many of one address, and how many of it work at the same time.
struct Lane {
    waiting: Arc<Semaphore>,
    by_address: PerAddress,
    working: Arc<Semaphore>,
}

impl Lane {
    fn new(waiting: usize, working: usize) -> Self {
        let all = waiting + working;
        Self {
            waiting: Arc::new(Semaphore::new(all)),
            // A few, so that it takes many addresses to keep everybody else waiting.
            by_address: PerAddress::new((all / 16).max(1)),
            working: Arc::new(Semaphore::new(working)),
        }
    }
}

impl PasswordPool {
    pub(crate) fn new(hasher: PasswordHasher, limits: &Limits) -> Self {
        let (working, waiting) = (limits.password_hashes_max, limits.password_waiting_max);
        let (jobs, queue) = mpsc::channel();
        let (hasher, queue) = (Arc::new(hasher), Arc::new(Mutex::new(queue)));
        // Threads of its own: each keeps the memory of a hash, and of other threads there may be hundreds.
        for _ in 0..working {
            let (hasher, queue) = (Arc::clone(&hasher), Arc::clone(&queue));
            std::thread::spawn(move || work_off(&hasher, &queue));
        }
        Self {
            jobs,
            working: Arc::new(Semaphore::new(working)),
            first: Lane::new(waiting, working),
            second: Lane::new(waiting, working.saturating_sub(1).max(1)),
            names: Names::default(),
        }
    }

    /// Runs `work` when its turn comes; at once [`ErrorCode::Busy`] when too many wait already.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        who: Waiting<'_>,
        work: impl FnOnce(&PasswordHasher) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || {
            ApiError::say(ErrorCode::Busy, "Too many sign-ins at once: try again in a few seconds.")
        };
        let claim = if who.suspect { None } else { Claim::new(&self.names, who.name) };
        let lane = if claim.is_some() { &self.first } else { &self.second };
        let place = lane.by_address.take(who.address).ok_or_else(busy)?;
        let waiting = Arc::clone(&lane.waiting).try_acquire_owned().map_err(|_| busy())?;
        let of_lane = Arc::clone(&lane.working).acquire_owned().await.map_err(|_| busy())?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| busy())?;
        let (done, result) = oneshot::channel();
        let job = move |hasher: &PasswordHasher| {
            // SECURITY: the work goes on when its request is gone, so it keeps its places until then.
            let _places = (place, waiting, of_lane, working, claim);
            let _ = done.send(work(hasher));
        };
        self.jobs.send(Box::new(job)).map_err(|_| busy())?;
        result.await.map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use futures_util::FutureExt as _;
    use wardroom_trust::{ambient::SystemRng, password::Cost};

    #[tokio::test]
    async fn work_keeps_its_places_when_its_request_is_gone() {
        let cost = Cost { memory_kib: 8, passes: 1, ..Cost::default() };
        let limits =
            Limits { password_hashes_max: 1, password_waiting_max: 0, ..Limits::default() };
        let pool = PasswordPool::new(PasswordHasher::new(cost, &SystemRng).unwrap(), &limits);
        let who = |name| Waiting { address: IpAddr::from([192, 0, 2, 1]), suspect: false, name };
        let (done, wait) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let mut request = Box::pin(pool.run(who("ann"), move |_| {
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        tokio::select! {
            _ = &mut request => unreachable!("the work waits"),
            begun = begins => begun.unwrap(),
        }
        drop(request);
        let busy = pool.run(who("bob"), |_| ()).await.unwrap_err();
        assert_eq!(busy.code, ErrorCode::Busy);
        drop(done);
        while pool.run(who("bob"), |_| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn many_who_come_for_one_name_keep_nobody_else_waiting() {
        let cost = Cost { memory_kib: 8, passes: 1, ..Cost::default() };
        let limits =
            Limits { password_hashes_max: 2, password_waiting_max: 62, ..Limits::default() };
        let pool = PasswordPool::new(PasswordHasher::new(cost, &SystemRng).unwrap(), &limits);
        let who = |number: u8, name| Waiting {
            address: IpAddr::from([192, 0, 2, number]),
            suspect: false,
            name,
        };
        // All that are guessed at hang, and so does nobody else.
        let (done, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let guess = |number| {
            let wait = Arc::clone(&wait);
            pool.run(who(number, "Admin "), move |_| {
                let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
            })
        };
        let mut guesses: Vec<_> = (0..20).map(|number| Box::pin(guess(number))).collect();
        for guess in &mut guesses {
            assert!(guess.now_or_never().is_none());
        }
        assert_eq!(pool.names.lock().unwrap().len(), 1);
        // One hash of the first queue may be before it, and it ends.
        done.send(()).unwrap();
        pool.run(who(200, "carla"), |_| ()).await.unwrap();
        drop(done);
        futures_util::future::join_all(guesses).await;
        assert!(pool.names.lock().unwrap().is_empty());
    }
}
