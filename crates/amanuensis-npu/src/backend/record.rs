//! What became of the work that an NPU was asked for, for whoever tells others: a server's status and metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::layers::device_of;
use super::race::Times;
use crate::driver::Receipt;
use crate::trust::Trust;

/// What became of the work so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Windows that were encoded, by device: all linear layers of a window, or none of them.
    pub windows: BTreeMap<&'static str, u64>,
    /// Canaries that lived, by device.
    pub canaries: BTreeMap<&'static str, u64>,
    /// Windows that the CPU encoded instead, by reason.
    pub fallbacks: BTreeMap<String, u64>,
    /// What is thought of the device of the model that was loaded last, once one was.
    pub trust: Option<Trust>,
    /// Why the model that was loaded last does without the device, if it does.
    pub unused: Option<String>,
    /// What a window of that model takes with it and without, where that was asked.
    pub times: Option<Times>,
}

/// Who counts. It is shared by a backend and the models that it loaded.
#[derive(Debug, Default)]
pub(super) struct Record {
    status: Mutex<Status>,
}

impl Record {
    pub(super) fn status(&self) -> Status {
        self.lock().clone()
    }

    pub(super) fn lived(&self, receipts: &[Receipt]) {
        let mut status = self.lock();
        if let Some(receipt) = receipts.first() {
            *status.canaries.entry(device_of(receipt.origin())).or_default() += 1;
        }
    }

    pub(super) fn encoded(&self, device: &'static str, windows: usize) {
        *self.lock().windows.entry(device).or_default() += windows as u64;
    }

    pub(super) fn fell_back(&self, reason: &str, windows: usize) {
        *self.lock().fallbacks.entry(reason.to_owned()).or_default() += windows as u64;
    }

    pub(super) fn thinks(&self, trust: Trust) {
        self.lock().trust = Some(trust);
    }

    pub(super) fn raced(&self, times: Times) {
        self.lock().times = Some(times);
    }

    pub(super) fn loaded(&self, unused: Option<&String>) {
        self.lock().unused = unused.cloned();
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
