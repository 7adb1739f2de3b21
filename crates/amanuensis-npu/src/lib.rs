//! AMD XDNA NPUs: what they are told, planned, emulated and spoken to. No XRT, no C++.

pub mod emulator;
pub mod plan;
pub mod txn;
