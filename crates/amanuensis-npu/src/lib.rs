//! AMD XDNA NPUs: what they are told, planned, emulated and spoken to. No XRT, no C++.

pub mod plan;
pub mod txn;
