//! The host's threads, for what it does beside the device: spectrograms, looking for speech, reading sound.
//!
//! What is done is the same whichever thread does it and however many there are.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// So many threads of the host, whoever calls being one of them. They live as long as a piece of work takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    threads: NonZeroUsize,
}

impl Crew {
    /// A crew of so many threads, or of one for every processor that this process may use.
    pub fn new(threads: Option<NonZeroUsize>) -> Self {
        let all = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Crew { threads: threads.unwrap_or_else(all) }
    }

    /// Whoever calls, and nobody else.
    pub const ALONE: Crew = Crew { threads: NonZeroUsize::MIN };

    /// How many threads there are.
    pub fn threads(self) -> NonZeroUsize {
        self.threads
    }

    /// What `task` makes of every number below `count`, in their order. `proceed` is asked on the calling thread, before each
    /// of the tasks that are done there, and may end the work by an error of its own.
    ///
    /// A panic in a task is handed on to the caller.
    ///
    /// ```
    /// use amanuensis::Crew;
    ///
    /// let squares = Crew::new(None).map(4, |number| number * number, &mut || Ok::<(), ()>(()));
    /// assert_eq!(squares, Ok(vec![0, 1, 4, 9]));
    /// ```
    pub fn map<T: Send, E>(
        self,
        count: usize,
        task: impl Fn(usize) -> T + Sync,
        proceed: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Vec<T>, E> {
        let (next, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let claim = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < count);
        let help = || {
            let mut made = Vec::new();
            while !ended.load(Ordering::Relaxed)
                && let Some(number) = claim()
            {
                made.push((number, task(number)));
            }
            made
        };
        let mut made = Vec::with_capacity(count);
        let stopped = thread::scope(|scope| {
            // Where the system refuses a thread the others do its share.
            let spawn = |_| thread::Builder::new().name("host".into()).spawn_scoped(scope, help).ok();
            let helpers: Vec<_> = (1..self.threads.get().min(count)).map_while(spawn).collect();
            let mut stopped = None;
            loop {
                if let Err(error) = proceed() {
                    ended.store(true, Ordering::Relaxed);
                    stopped = Some(error);
                    break;
                }
                let Some(number) = claim() else { break };
                made.push((number, task(number)));
            }
            for helper in helpers {
                made.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            stopped
        });
        if let Some(error) = stopped {
            return Err(error);
        }
        made.sort_unstable_by_key(|(number, _)| *number);
        Ok(made.into_iter().map(|(_, made)| made).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn crew(threads: usize) -> Crew {
        Crew::new(NonZeroUsize::new(threads))
    }

    #[test]
    fn what_is_made_stands_in_order_whoever_made_it() {
        for threads in [1, 2, 7] {
            for count in [0, 1, 3, 100] {
                let made = crew(threads).map(count, |number| number * number, &mut || Ok::<(), ()>(()));
                assert_eq!(made, Ok((0..count).map(|number| number * number).collect()), "{threads} threads");
            }
        }
    }

    #[test]
    fn whoever_is_asked_may_end_it() {
        for threads in [1, 3] {
            let mut asked = 0;
            let made = crew(threads).map(1_000_000, |_| thread::yield_now(), &mut || {
                asked += 1;
                if asked > 2 { Err("enough") } else { Ok(()) }
            });
            assert_eq!((made, asked), (Err("enough"), 3));
        }
        assert_eq!(crew(2).map(0, |_| (), &mut || Err("not even begun")), Err("not even begun"));
    }

    #[test]
    fn a_panic_of_a_task_is_the_callers() {
        let run = || crew(3).map(50, |number| assert!(number < 40, "task {number}"), &mut || Ok::<(), ()>(()));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
}
