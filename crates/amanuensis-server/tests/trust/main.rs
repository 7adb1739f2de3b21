//! What the server promises when something is wrong with its engine, its clients or their sounds: tried from outside, on a server
//! of this process.

mod failing;
mod guarding;
mod server;
mod silence;
