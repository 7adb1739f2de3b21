//! Whether a device is used, and since when and why not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What is thought of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// No canary has lived yet.
    Unproven,
    /// One has, in this context.
    Proven {
        /// The context, counted from 1.
        generation: u64,
        /// When.
        since: SystemTime,
    },
    /// It is not used.
    Quarantined(Reason),
}

/// Why a device is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What happened.
    pub why: String,
    /// When it did.
    pub since: SystemTime,
    /// In which context.
    pub generation: u64,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (in context {})", self.why, self.generation)
    }
}

/// The record of one device. Who asks it before each use never uses a device that failed.
#[derive(Debug)]
pub struct Quarantine {
    trust: Mutex<Trust>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { trust: Mutex::new(Trust::Unproven) }
    }
}

impl Quarantine {
    /// What is thought of it now.
    pub fn trust(&self) -> Trust {
        self.lock().clone()
    }

    /// Fails where a context may not be used: it is in quarantine, or its canary has not lived.
    pub fn admit(&self, generation: u64) -> Result<(), Reason> {
        match &*self.lock() {
            Trust::Proven { generation: proven, .. } if *proven == generation => Ok(()),
            Trust::Quarantined(reason) => Err(reason.clone()),
            Trust::Proven { .. } | Trust::Unproven => {
                let why = "no canary has lived in this context yet".to_owned();
                Err(Reason { why, since: SystemTime::now(), generation })
            }
        }
    }

    /// A canary lived in a context. One of a context before the failed one proves nothing and ends no quarantine; one of a
    /// newer context does.
    pub fn prove(&self, generation: u64) -> bool {
        let mut trust = self.lock();
        let proves = match &*trust {
            Trust::Unproven => true,
            Trust::Proven { generation: proven, .. } => *proven <= generation,
            Trust::Quarantined(reason) => reason.generation < generation,
        };
        if proves && !matches!(&*trust, Trust::Proven { generation: proven, .. } if *proven == generation) {
            *trust = Trust::Proven { generation, since: SystemTime::now() };
        }
        proves
    }

    /// Something failed in a context. The first reason stays, unless a newer context fails.
    pub fn condemn(&self, generation: u64, why: impl Into<String>) {
        let mut trust = self.lock();
        let stays = match &*trust {
            Trust::Unproven => false,
            Trust::Proven { generation: proven, .. } => *proven > generation,
            Trust::Quarantined(reason) => reason.generation >= generation,
        };
        if !stays {
            *trust = Trust::Quarantined(Reason { why: why.into(), since: SystemTime::now(), generation });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_used_only_where_its_canary_lived() {
        let quarantine = Quarantine::default();
        assert!(quarantine.admit(1).is_err(), "nothing is known of it");
        assert!(quarantine.prove(1));
        assert_eq!(quarantine.admit(1), Ok(()));
        assert!(quarantine.admit(2).is_err(), "another context needs its own");
    }

    #[test]
    fn the_first_reason_stays_until_a_newer_context_lives() {
        let quarantine = Quarantine::default();
        quarantine.prove(3);
        quarantine.condemn(2, "a late message of a context that is gone");
        assert_eq!(quarantine.admit(3), Ok(()));
        quarantine.condemn(3, "zeros");
        quarantine.condemn(3, "what came of the zeros");
        let reason = quarantine.admit(3).expect_err("quarantined");
        assert_eq!((reason.why.as_str(), reason.generation), ("zeros", 3));
        assert!(!quarantine.prove(3), "the same context proves nothing any more");
        assert!(quarantine.prove(4));
        assert_eq!(quarantine.admit(4), Ok(()));
    }
}
