//! Who did how much of the work of encoding and of preparing to decode, and who was asked and did not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who did how much of the work of encoding and of preparing to decode, and who was asked and did not.
///
/// It is written by the layers that saw the work finish, and read by whoever tells others where it was done: reports,
/// transcripts, a server's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// Multiplications and additions of the encoder's products and attention and of the cross-attention's keys and values, by
    /// the device that did them.
    pub operations: BTreeMap<String, u64>,
    /// Windows that a device was asked for and did not do, by the device and the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fallbacks: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Placement {
    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.fallbacks.is_empty()
    }

    /// Notes that `device` did so many operations.
    pub fn did(&mut self, device: &str, operations: u64) {
        *self.operations.entry(device.to_owned()).or_default() += operations;
    }

    /// Notes that `device` was asked for `windows` and did none of them, and why.
    pub fn fell_back(&mut self, device: &str, reason: &str, windows: u64) {
        *self.fallbacks.entry(device.to_owned()).or_default().entry(reason.to_owned()).or_default() += windows;
    }

    /// Adds what `other` saw.
    pub fn merge(&mut self, other: &Placement) {
        other.operations.iter().for_each(|(device, operations)| self.did(device, *operations));
        for (device, reasons) in &other.fallbacks {
            reasons.iter().for_each(|(reason, windows)| self.fell_back(device, reason, *windows));
        }
    }

    /// Every device that did something or was asked to, with what part of the whole it did.
    pub fn shares(&self) -> Vec<Share> {
        let all: u64 = self.operations.values().sum();
        let part = |operations: u64| if all > 0 { (1e3 * operations as f64 / all as f64).round() / 1e3 } else { 0.0 };
        let did = |(device, operations): (&String, &u64)| Share {
            device: device.clone(),
            share: part(*operations),
            reasons: Vec::new(),
        };
        let mut shares: Vec<Share> = self.operations.iter().map(did).collect();
        for (asked, reasons) in &self.fallbacks {
            let reasons: Vec<String> = reasons.keys().cloned().collect();
            // A device is asked by its backend's name, and does work under one that says which it is.
            match shares.iter_mut().find(|share| share.device.split(' ').next() == Some(asked)) {
                Some(share) => share.reasons = reasons,
                None => shares.push(Share { device: asked.clone(), share: 0.0, reasons }),
            }
        }
        shares
    }
}

/// What part of the work of encoding and of preparing to decode a device did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The device, as it said itself; or as it was asked for, if it did nothing.
    pub device: String,
    /// Its part of all operations, from 0 to 1, to three digits.
    pub share: f64,
    /// Why it did not do windows that it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_asked_and_did_nothing_is_named_with_nothing() {
        let mut placement = Placement::default();
        assert!(placement.is_empty() && placement.shares().is_empty());
        placement.did("cpu (avx2)", 300);
        placement.fell_back("npu", "there is none", 2);
        let share = |device: &str, share, reasons: &[&str]| Share {
            device: device.to_owned(),
            share,
            reasons: reasons.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(placement.shares(), [share("cpu (avx2)", 1.0, &[]), share("npu", 0.0, &["there is none"])]);
        let mut more = Placement::default();
        more.did("npu (amdxdna 1502)", 150);
        more.fell_back("npu", "there is none", 1);
        placement.merge(&more);
        let npu = share("npu (amdxdna 1502)", 0.333, &["there is none"]);
        assert_eq!(placement.shares(), [share("cpu (avx2)", 0.667, &[]), npu]);
        assert_eq!(placement.fallbacks["npu"]["there is none"], 3);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut placement = Placement::default();
        placement.did("cpu", 7);
        let text = serde_json::to_string(&placement).unwrap();
        assert_eq!(text, r#"{"operations":{"cpu":7}}"#);
        assert_eq!(serde_json::from_str::<Placement>(&text).unwrap(), placement);
    }
}
