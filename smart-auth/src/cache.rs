use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use http::HeaderValue;

use crate::{Error, Result, TokenResponse};

type Outcome = Result<Arc<TokenResponse>>;

/// The token in use. However many threads need another one, one of them gets
/// it and the others wait for what it gets, be it a token or an error.
#[derive(Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Default)]
struct State {
    token: Option<Arc<TokenResponse>>,
    renewal: Option<Arc<OnceLock<Outcome>>>,
    /// How many threads wait for it.
    waiting: usize,
}

impl Cache {
    /// The token while it is fresh, else what `renew` gives.
    pub(crate) fn fresh(&self, now: SystemTime, renew: impl FnOnce() -> Outcome) -> Outcome {
        let state = self.lock();
        match &state.token {
            Some(token) if token.is_fresh(now) => Ok(token.clone()),
            _ => self.join(state, renew),
        }
    }

    /// What `renew` gives, or a renewal that is under way.
    pub(crate) fn renewed(&self, renew: impl FnOnce() -> Outcome) -> Outcome {
        self.join(self.lock(), renew)
    }

    /// Drops the token that has this header, and no other: another thread may
    /// have a new one already.
    pub(crate) fn drop_refused(&self, header: &HeaderValue) {
        let mut state = self.lock();
        if state
            .token
            .as_ref()
            .is_some_and(|token| token.authorization() == header)
        {
            state.token = None;
        }
    }

    fn join(&self, mut state: MutexGuard<'_, State>, renew: impl FnOnce() -> Outcome) -> Outcome {
        if let Some(renewal) = state.renewal.clone() {
            state.waiting += 1;
            loop {
                if let Some(outcome) = renewal.get() {
                    state.waiting -= 1;
                    return outcome.clone();
                }
                state = self
                    .landed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        let renewal = Arc::new(OnceLock::new());
        state.renewal = Some(renewal.clone());
        drop(state);
        let landing = Landing {
            cache: self,
            renewal: &renewal,
        };
        let outcome = renew();
        landing.with(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a renewal in any case: a panic must not leave the others waiting.
struct Landing<'a> {
    cache: &'a Cache,
    renewal: &'a OnceLock<Outcome>,
}

impl Landing<'_> {
    fn with(self, outcome: Outcome) -> Outcome {
        self.renewal.get_or_init(|| outcome).clone()
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let outcome = self.renewal.get_or_init(|| Err(Error::Abandoned));
        let mut state = self.cache.lock();
        state.renewal = None;
        if let Ok(token) = outcome {
            state.token = Some(token.clone());
        }
        self.cache.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::ScopeSet;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn token(text: &str) -> Arc<TokenResponse> {
        let body = format!(r#"{{"access_token":"{text}","token_type":"bearer","expires_in":60}}"#);
        let life = TokenResponse::DEFAULT_LIFETIME;
        let read = TokenResponse::read(body.as_bytes(), &ScopeSet::new(), NOW, life, None);
        Arc::new(read.unwrap())
    }

    /// Lets eight threads ask, and `renew` go on once seven of them wait.
    fn outcomes(renew: impl Fn() -> Outcome + Sync) -> (Vec<Option<Outcome>>, usize) {
        let cache = Cache::default();
        let renewals = AtomicUsize::new(0);
        let ask = || {
            cache.fresh(NOW, || {
                renewals.fetch_add(1, Ordering::Relaxed);
                while cache.lock().waiting < 7 {
                    std::thread::yield_now();
                }
                renew()
            })
        };
        let outcomes = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok())
                .collect()
        });
        assert_eq!(cache.lock().waiting, 0);
        (outcomes, renewals.into_inner())
    }

    #[test]
    fn one_renewal_serves_every_thread() {
        let (outcomes, renewals) = outcomes(|| Ok(token("t1")));
        assert_eq!(renewals, 1);
        for outcome in outcomes {
            assert_eq!(outcome.unwrap().unwrap().access_token().expose(), "t1");
        }
    }

    #[test]
    fn one_failure_reaches_every_thread() {
        let (outcomes, renewals) = outcomes(|| Err(Error::Interrupted));
        assert_eq!(renewals, 1);
        for outcome in outcomes {
            assert!(matches!(outcome, Some(Err(Error::Interrupted))));
        }
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let (outcomes, renewals) = outcomes(|| panic!("signer"));
        assert_eq!(renewals, 1);
        let abandoned = |outcome: &&Option<Outcome>| matches!(outcome, Some(Err(Error::Abandoned)));
        assert_eq!(outcomes.iter().filter(abandoned).count(), 7);
        assert_eq!(
            outcomes.iter().filter(|outcome| outcome.is_none()).count(),
            1
        );
    }

    #[test]
    fn only_the_refused_token_is_dropped() {
        let cache = Cache::default();
        let first = cache.fresh(NOW, || Ok(token("t1"))).unwrap();
        let second = cache.renewed(|| Ok(token("t2"))).unwrap();
        cache.drop_refused(first.authorization());
        let kept = cache.fresh(NOW, || panic!("t2 is there")).unwrap();
        assert_eq!(kept.access_token().expose(), "t2");
        cache.drop_refused(second.authorization());
        let third = cache.fresh(NOW, || Ok(token("t3"))).unwrap();
        assert_eq!(third.access_token().expose(), "t3");
    }

    #[test]
    fn a_token_is_renewed_a_quarter_of_its_life_early() {
        let cache = Cache::default();
        cache.fresh(NOW, || Ok(token("t1"))).unwrap();
        let at = |seconds| NOW + Duration::from_secs(seconds);
        let kept = cache.fresh(at(44), || panic!("still fresh")).unwrap();
        assert_eq!(kept.access_token().expose(), "t1");
        let renewed = cache.fresh(at(45), || Ok(token("t2"))).unwrap();
        assert_eq!(renewed.access_token().expose(), "t2");
    }
}
