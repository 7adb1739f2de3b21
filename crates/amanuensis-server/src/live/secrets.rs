//! Secrets that open one kind of session for a short while: for a browser that is not to hold a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::realtime::Config;
use crate::error::ApiError;
use crate::guard::random_name;
use crate::keys::Client;

/// What every such secret begins with, as OpenAI's do.
const PREFIX: &str = "ek_";
/// Most secrets of one client that are valid at once.
const MOST: usize = 1000;

struct Entry {
    client: Client,
    config: Arc<Config>,
    until: Instant,
}

/// The secrets that are valid. Only their digests are kept, and found by: how long that takes tells nothing of them.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<HashMap<[u8; 32], Entry>>);

impl Secrets {
    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new secret for a client's sessions, and when it ends, in seconds since 1970.
    pub(crate) fn make(&self, client: &Client, config: Config, valid: Duration) -> Result<(String, u64), ApiError> {
        let now = Instant::now();
        let mut entries = self.entries();
        entries.retain(|_, entry| entry.until > now);
        if entries.values().filter(|entry| entry.client.name == client.name).count() >= MOST {
            let message = format!("{MOST} secrets of this client are valid already; let some of them end first");
            return Err(ApiError::too_many("rate_limited", 60, message));
        }
        let secret = format!("{PREFIX}{}{}", random_name(), random_name());
        let entry = Entry { client: client.clone(), config: Arc::new(config), until: now + valid };
        entries.insert(digest(&secret), entry);
        let ends = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + valid;
        Ok((secret, ends.as_secs()))
    }

    /// Whose secret it is and for which session; none if it is no such secret at all.
    pub(crate) fn admit(&self, secret: &str) -> Option<Result<(Client, Arc<Config>), ApiError>> {
        if !secret.starts_with(PREFIX) {
            return None;
        }
        let entries = self.entries();
        let entry = entries.get(&digest(secret)).filter(|entry| entry.until > Instant::now());
        let found = entry.map(|entry| (entry.client.clone(), Arc::clone(&entry.config)));
        Some(found.ok_or_else(|| ApiError::no_key("the secret is not one of this server's, or its time is over")))
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_good_for_its_time() {
        let secrets = Secrets::default();
        let client = Client { name: "a".to_owned(), is_admin: false };
        let (secret, ends) = secrets.make(&client, Config::default(), Duration::from_secs(60)).unwrap();
        assert!(ends > 1_700_000_000);
        assert_eq!(secrets.admit(&secret).unwrap().unwrap().0, client);
        assert!(secrets.admit("sk-other").is_none());
        assert_eq!(secrets.admit("ek_other").unwrap().err().unwrap().code, Some("invalid_api_key"));
        let (over, _) = secrets.make(&client, Config::default(), Duration::ZERO).unwrap();
        assert!(secrets.admit(&over).unwrap().is_err());
    }
}
