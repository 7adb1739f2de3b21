//! Which processors the threads of a team run on.
//!
//! The scheduler decides, unless it is asked otherwise. A team that has as many threads as this process has processors can
//! give each worker one of its own; the calling thread is the program's, and stays free to run anywhere. Measured on two
//! processors with a third thread that spins: left to the scheduler an encoder pass of 139 ms takes 206 to 219 ms wherever the
//! other thread is, its share and no more; with a worker of its own processor 194 ms, or 336 where the other thread
//! sits beside the caller. Undisturbed both are the same.

/// The environment variable that gives workers processors of their own when it is `on`.
pub const PINNING_VARIABLE: &str = "AMANUENSIS_PINNING";

/// The processors for the workers of a team of `threads`, if they are to have some of their own.
pub(crate) fn for_workers(threads: usize) -> Option<Vec<usize>> {
    let on = std::env::var_os(PINNING_VARIABLE).is_some_and(|word| word.eq_ignore_ascii_case("on"));
    if on { shared_out(threads, allowed()?) } else { None }
}

/// All of `processors` but the first, where there is one for each of the threads and no more.
fn shared_out(threads: usize, mut processors: Vec<usize>) -> Option<Vec<usize>> {
    // Where there are more, others may have the rest; where there are fewer, a worker is better off where there is room.
    if threads < 2 || processors.len() != threads {
        return None;
    }
    processors.remove(0);
    Some(processors)
}

/// The processors that the calling thread may run on, if the system says.
#[cfg(target_os = "linux")]
fn allowed() -> Option<Vec<usize>> {
    // SAFETY: all zero is a value of the set, which is as long as said; the thread is the calling one.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return None;
        }
        set
    };
    let count = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: the numbers are below that of the bits in the set.
    Some((0..count).filter(|processor| unsafe { libc::CPU_ISSET(*processor, &set) }).collect())
}

/// Elsewhere the scheduler decides.
#[cfg(not(target_os = "linux"))]
fn allowed() -> Option<Vec<usize>> {
    None
}

/// Keep the calling thread on one processor. Where the system refuses it runs anywhere, as before.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on(processor: usize) {
    if processor < 8 * size_of::<libc::cpu_set_t>() {
        // SAFETY: all zero is a value of the set, which is as long as said and has a bit for the processor; the thread is
        // the calling one.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(processor, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

/// Elsewhere no processor is ever chosen.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on(_processor: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_team_that_has_all_processors_shares_them_out() {
        assert_eq!(shared_out(4, vec![0, 2, 5, 9]), Some(vec![2, 5, 9]));
        assert_eq!(shared_out(2, vec![0, 1, 2, 3]), None);
        assert_eq!(shared_out(8, vec![0, 1, 2, 3]), None);
        assert_eq!(shared_out(1, vec![3]), None);
        assert_eq!(shared_out(0, vec![]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_stays_where_it_is_told() {
        let before = allowed().unwrap();
        let last = *before.last().unwrap();
        let there = std::thread::spawn(move || {
            stay_on(last);
            allowed().unwrap()
        });
        assert_eq!(there.join().unwrap(), [last]);
        stay_on(usize::MAX);
        assert_eq!(allowed().unwrap(), before, "nobody else is moved");
    }
}
