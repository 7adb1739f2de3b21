//! AMD XDNA NPUs: what they are told, planned, emulated and spoken to. No XRT, no C++.

pub mod backend;
pub mod containers;
pub mod doctor;
pub mod driver;
pub mod emulator;
pub mod packs;
pub mod plan;
pub mod trust;
pub mod txn;
pub mod uapi;
