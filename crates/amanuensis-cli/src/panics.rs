//! Defects of the program itself: each becomes one message like any other, for a person or for programs.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;

use crate::console::{self, say};

/// Tells of panics as messages from here on. Where each call came from is added if `RUST_BACKTRACE` asks for it.
pub(crate) fn listen() {
    panic::set_hook(Box::new(|panic| {
        say!("{}", sentence(panic.payload(), panic.location().map(ToString::to_string).as_deref()));
        let calls = Backtrace::capture();
        if calls.status() == BacktraceStatus::Captured {
            console::paragraph(calls.to_string().trim_end());
        }
    }));
}

fn sentence(payload: &(dyn Any + Send), location: Option<&str>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
    format!("internal error: {text} ({})", location.unwrap_or("place unknown"))
}

/// Does a piece of work on an input; a panic in it becomes an error, so that it does not end the work on the others.
pub(crate) fn caught<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(anyhow!("{name}: the program met a defect of its own (see above); please report it with the file"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_sentence() {
        let fixed: &(dyn Any + Send) = &"index out of bounds";
        assert_eq!(sentence(fixed, Some("src/a.rs:1:2")), "internal error: index out of bounds (src/a.rs:1:2)");
        let made: &(dyn Any + Send) = &"7 of 6".to_owned();
        assert_eq!(sentence(made, None), "internal error: 7 of 6 (place unknown)");
        assert_eq!(sentence(&7, None), "internal error: no reason given (place unknown)");
    }

    #[test]
    fn a_panic_on_one_input_is_an_error_that_names_it() {
        let error = caught::<()>("a.wav", || panic!("on purpose, caught by the test")).unwrap_err().to_string();
        assert!(error.starts_with("a.wav: the program met a defect"), "{error}");
        assert_eq!(caught("a.wav", || Ok(1)).unwrap(), 1);
    }
}
