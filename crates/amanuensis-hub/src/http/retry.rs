//! What may pass, and how long it is waited for.

use std::io;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use super::address::Address;
use crate::Event;
use crate::error::{HubError, Tries};
use crate::settings::Retries;

/// How often a wait looks whether it is still wanted.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It will be so again.
    Final(HubError),
    /// It may be otherwise next time.
    Passing(Passing),
}

#[derive(Debug)]
pub(crate) struct Passing {
    url: String,
    what: What,
    /// How many seconds the server asks to wait.
    wait: Option<u64>,
}

#[derive(Debug)]
enum What {
    Status(u16, String),
    Connection(String),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    pub(super) fn status(url: String, status: u16, message: String, wait: Option<u64>) -> Self {
        Self::Passing(Passing { url, what: What::Status(status, message), wait })
    }

    /// A connection that broke while a body came.
    pub(crate) fn broken(url: String, error: &io::Error) -> Self {
        Self::connection(url, format!("the connection broke: {error}"))
    }

    pub(crate) fn connection(url: String, reason: String) -> Self {
        Self::Passing(Passing { url, what: What::Connection(reason), wait: None })
    }

    /// What kept a request from being answered.
    pub(super) fn of(error: ureq::Error, address: &Address) -> Self {
        let url = address.shown();
        let text = error.to_string();
        match error {
            ureq::Error::Timeout(_) => Self::connection(url, format!("no answer in time ({text})")),
            ureq::Error::HostNotFound => {
                Self::connection(url, format!("there is no server called {}; is there a network?", address.host()))
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => {
                Self::Final(HubError::Certificate { url, reason: text })
            }
            // Certificates are looked at while the connection is made, and come as an error of it.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Final(HubError::Certificate { url, reason: error.to_string() })
            }
            ureq::Error::Io(error) => Self::connection(url, format!("no connection: {error}")),
            ureq::Error::ConnectProxyFailed(reason) => {
                Self::connection(url, format!("the proxy does not connect: {reason}"))
            }
            ureq::Error::ConnectionFailed | ureq::Error::BodyStalled => Self::connection(url, text),
            _ => Self::Final(HubError::Answer { url, reason: text }),
        }
    }

    fn into_error(self, tries: u32) -> HubError {
        let after = Tries(tries);
        match self {
            Self::Final(error) => error,
            Self::Passing(Passing { url, what: What::Status(status, message), .. }) => {
                HubError::Status { url, status, message, after }
            }
            Self::Passing(Passing { url, what: What::Connection(reason), .. }) => {
                HubError::Connection { url, reason, after }
            }
        }
    }
}

/// Attempts at one thing.
pub(crate) struct Attempts {
    retries: Retries,
    made: u32,
}

impl Attempts {
    pub(crate) fn new(retries: Retries) -> Self {
        Self { retries, made: 0 }
    }

    /// Something came of the last attempt: the next failure is as the first.
    pub(crate) fn progressed(&mut self) {
        self.made = 0;
    }

    /// Waits until the next attempt is due, or says why there is none.
    pub(crate) fn after(
        &mut self,
        failure: Failure,
        watch: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), HubError> {
        self.made += 1;
        let Failure::Passing(passing) = &failure else { return Err(failure.into_error(self.made)) };
        if self.made >= self.retries.attempts {
            return Err(failure.into_error(self.made));
        }
        let wait = match passing.wait {
            Some(seconds) if Duration::from_secs(seconds) > self.retries.longest_wait => {
                return Err(failure.into_error(self.made));
            }
            Some(seconds) => Duration::from_secs(seconds),
            None => self.own_wait(),
        };
        let reason = match &passing.what {
            What::Status(status, _) => format!("the server answers {status}"),
            What::Connection(reason) => reason.clone(),
        };
        let begun = Instant::now();
        loop {
            let left = wait.saturating_sub(begun.elapsed());
            if watch(Event::Retry { reason: &reason, left }).is_break() {
                return Err(HubError::Cancelled);
            }
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(BETWEEN_LOOKS));
        }
    }

    /// Twice as long each time, and up to a half less, so that many who failed together do not come back together.
    fn own_wait(&self) -> Duration {
        let doubled = self.retries.first_wait.saturating_mul(1 << (self.made - 1).min(16));
        doubled.min(self.retries.longest_wait).mul_f64(1.0 - fastrand::f64() / 2.0)
    }
}

/// Does something until it is done or will not be.
pub(crate) fn repeatedly<T>(
    retries: Retries,
    watch: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    mut work: impl FnMut() -> Result<T, Failure>,
) -> Result<T, HubError> {
    let mut attempts = Attempts::new(retries);
    loop {
        match work() {
            Ok(done) => return Ok(done),
            Err(failure) => attempts.after(failure, watch)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(wait: Option<u64>) -> Failure {
        Failure::status("https://hub.example/x".to_owned(), 429, "slow down".to_owned(), wait)
    }

    #[test]
    fn attempts_end() {
        let retries =
            Retries { attempts: 3, first_wait: Duration::from_millis(1), longest_wait: Duration::from_secs(1) };
        let mut tried = 0;
        let told = std::cell::RefCell::new(Vec::new());
        let mut watch = |event: Event<'_>| {
            if let Event::Retry { reason, .. } = event {
                told.borrow_mut().push(reason.to_owned());
            }
            ControlFlow::Continue(())
        };
        let error = repeatedly(retries, &mut watch, || -> Result<(), Failure> {
            tried += 1;
            Err(busy(None))
        });
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "https://hub.example/x: the server answers 429: slow down (tried 3 times)");
        assert_eq!(tried, 3);
        assert!(told.borrow().iter().all(|reason| reason == "the server answers 429"), "{told:?}");
        // A server that asks for a day is not waited for, and a person who leaves neither.
        let mut attempts = Attempts::new(retries);
        assert!(matches!(attempts.after(busy(Some(86_400)), &mut watch), Err(HubError::Status { .. })));
        let mut leave = |_: Event<'_>| ControlFlow::Break(());
        assert!(matches!(attempts.after(busy(Some(1)), &mut leave), Err(HubError::Cancelled)));
    }

    #[test]
    fn waits_grow_up_to_a_limit() {
        let retries =
            Retries { attempts: 99, first_wait: Duration::from_secs(1), longest_wait: Duration::from_secs(30) };
        for (made, longest) in [(1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (80, 30.0)] {
            let wait = Attempts { retries, made }.own_wait().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&wait), "{made}: {wait}");
        }
    }
}
