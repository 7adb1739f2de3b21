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

/// What the fuzzer calls of them.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use std::sync::Arc;

    use super::dialect::Frame;
    use super::native::Wanted;
    use super::realtime::{Config, Form};
    use super::{Dialect, Ear, Native, Realtime};
    use crate::error::ApiError;
    use crate::state::Shared;

    /// Seconds of sound that may wait.
    const MOST_WAITING: f64 = 30.0;

    /// The messages of a session, each behind its kind: `b` for bytes, anything else for text. Nothing is heard of the sound.
    pub(crate) fn messages(shared: &Arc<Shared>, is_native: bool, messages: &[&[u8]], check: fn(&ApiError)) {
        let frame = |message: &&[u8]| match message.split_first() {
            Some((b'b', bytes)) => Frame::Binary(bytes.to_vec()),
            _ => Frame::Text(String::from_utf8_lossy(message).into_owned()),
        };
        let mut frames = messages.iter().map(frame);
        let (task, mut dialect): (_, Box<dyn Dialect>) = if is_native {
            let Some(Frame::Text(first)) = frames.next() else { return };
            match Wanted::read(&first) {
                Ok(wanted) => (wanted.task(MOST_WAITING), Box::new(Native::new(&wanted))),
                Err(error) => return check(&error),
            }
        } else {
            let config = Config::default();
            (config.task(MOST_WAITING), Box::new(Realtime::new(config, Form::General, MOST_WAITING, 0)))
        };
        let mut ear = match Ear::new(Arc::clone(shared), "", task) {
            Ok(ear) => ear,
            Err(error) => return check(&error),
        };
        let mut out = Vec::new();
        for frame in frames {
            if let Err(error) = dialect.receive(&mut ear, frame, &mut out) {
                return check(&error);
            }
            for update in ear.updates() {
                dialect.tell(&ear, update, &mut out);
            }
            if dialect.is_done() {
                return out.extend(dialect.last(&ear));
            }
        }
    }
}
