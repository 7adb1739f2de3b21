//! How much one client may ask: so many requests in a minute, so many at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::ApiError;

/// More clients than this are not remembered one by one: the quiet ones are forgotten first.
const MOST_CLIENTS: usize = 10_000;

struct Account {
    /// Requests that are left, as of `since`.
    left: f64,
    since: Instant,
    running: usize,
}

/// The accounts of all clients.
pub(crate) struct Gate {
    per_minute: f64,
    most: usize,
    accounts: Mutex<HashMap<String, Account>>,
}

/// A request that was let through, until it is over.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    client: String,
}

impl Gate {
    pub(crate) fn new(per_minute: u32, most: usize) -> Self {
        Gate { per_minute: f64::from(per_minute), most, accounts: Mutex::default() }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request through, if its client has not asked too much.
    pub(crate) fn pass(self: &Arc<Self>, client: &str, now: Instant) -> Result<Pass, ApiError> {
        let mut accounts = self.accounts();
        if accounts.len() >= MOST_CLIENTS && !accounts.contains_key(client) {
            accounts.retain(|_, account| account.running > 0 || account.left(now, self.per_minute) < self.per_minute);
            // All of them are busy: whoever comes now waits.
            if accounts.len() >= MOST_CLIENTS {
                return Err(ApiError::too_many("rate_limited", 5, "too many clients at once"));
            }
        }
        let fresh = || Account { left: self.per_minute, since: now, running: 0 };
        let account = accounts.entry(client.to_owned()).or_insert_with(fresh);
        account.left = account.left(now, self.per_minute);
        account.since = now;
        if account.left < 1.0 {
            let wait = ((1.0 - account.left) * 60.0 / self.per_minute).ceil() as u64;
            let message = format!("more than {} requests a minute", self.per_minute);
            return Err(ApiError::too_many("rate_limited", wait, message));
        }
        if account.running >= self.most {
            let message = format!("{} requests of this client are running; wait for one of them", self.most);
            return Err(ApiError::too_many("rate_limited", 1, message));
        }
        account.left -= 1.0;
        account.running += 1;
        Ok(Pass { gate: Arc::clone(self), client: client.to_owned() })
    }
}

impl Account {
    fn left(&self, now: Instant, per_minute: f64) -> f64 {
        let minutes = now.saturating_duration_since(self.since).as_secs_f64() / 60.0;
        (self.left + minutes * per_minute).min(per_minute)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(account) = self.gate.accounts().get_mut(&self.client) {
            account.running = account.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minute_has_so_many_requests() {
        let gate = Arc::new(Gate::new(60, 100));
        let now = Instant::now();
        let passes: Vec<Pass> = (0..60).map(|_| gate.pass("a", now).unwrap()).collect();
        let refused = gate.pass("a", now).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Some("rate_limited"), Some(1)));
        assert!(gate.pass("b", now).is_ok(), "others are not touched");
        drop(passes);
        assert!(gate.pass("a", now + Duration::from_millis(1100)).is_ok());
        assert!(gate.pass("a", now + Duration::from_millis(1200)).is_err());
    }

    #[test]
    fn so_many_at_once() {
        let gate = Arc::new(Gate::new(600, 2));
        let now = Instant::now();
        let _first = gate.pass("a", now).unwrap();
        let second = gate.pass("a", now).unwrap();
        assert!(gate.pass("a", now).is_err());
        drop(second);
        assert!(gate.pass("a", now).is_ok());
    }

    #[test]
    fn the_list_of_clients_does_not_grow_for_ever() {
        let gate = Arc::new(Gate::new(60, 2));
        let now = Instant::now();
        for client in 0..3 * MOST_CLIENTS {
            // Half a second a client: after a while the first have all their requests back.
            let _ = gate.pass(&client.to_string(), now + Duration::from_millis(client as u64 * 500));
        }
        assert!(gate.accounts().len() <= MOST_CLIENTS);
    }
}
