//! Live transcription over WebSockets: two dialects of one way.
//!
//! A socket has an [`Ear`](ear::Ear), which holds the engine's session and lets its hearings run through the one line that all
//! share; a [`Dialect`](dialect::Dialect), which makes of a client's messages what the ear is to do, and messages of what it
//! tells; and a [`Seat`](seats::Seat), of which there are so many. [`socket`] is the loop that drives the three.

mod dialect;
mod ear;
mod native;
pub(crate) mod realtime;
mod seats;
mod secrets;
mod socket;

pub(crate) use dialect::Dialect;
pub(crate) use ear::Ear;
pub(crate) use native::{Native, Wanted};
pub(crate) use realtime::Realtime;
pub(crate) use seats::{Kept, Seat, Seats};
pub(crate) use secrets::Secrets;
pub(crate) use socket::{Ending, refuse, serve};

/// Puts a value in its place: what a table of fields does.
fn put<T, E>(place: &mut T, value: T) -> Result<(), E> {
    *place = value;
    Ok(())
}
