//! How long what belongs to a context is good for. A buffer that outlives its context would be read as something else by the
//! next one, which others have seen give wrong text without a sign; here it is an error.

use std::sync::{Arc, OnceLock};

use super::error::DriverError;

/// The life of one context. Everything made in it holds it.
#[derive(Debug, Clone)]
pub(super) struct Life {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    generation: u64,
    end: OnceLock<String>,
}

impl Life {
    pub(super) fn begin(generation: u64) -> Self {
        Self { shared: Arc::new(Shared { generation, end: OnceLock::new() }) }
    }

    /// Which context of the device's this is, counted from 1.
    pub(super) fn generation(&self) -> u64 {
        self.shared.generation
    }

    /// Ends it. The first reason stays.
    pub(super) fn end(&self, reason: impl Into<String>) {
        self.shared.end.get_or_init(|| reason.into());
    }

    /// Fails where it has ended.
    pub(super) fn check(&self) -> Result<(), DriverError> {
        match self.shared.end.get() {
            None => Ok(()),
            Some(reason) => Err(DriverError::Stale { generation: self.shared.generation, reason: reason.clone() }),
        }
    }

    /// Fails where something belongs to another context.
    pub(super) fn same(&self, other: &Self) -> Result<(), DriverError> {
        self.check()?;
        other.check()?;
        if Arc::ptr_eq(&self.shared, &other.shared) {
            return Ok(());
        }
        let (here, there) = (self.shared.generation, other.shared.generation);
        Err(DriverError::Foreign { here, there })
    }
}
