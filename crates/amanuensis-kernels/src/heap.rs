//! Where the small things of a process lie.

/// Lets all threads share two heaps, where the C library is glibc. To be called before there are other threads.
///
/// glibc gives threads heaps of their own, up to eight for a processor, and each grows to the most that any request ever
/// wanted of it: what a server held went from 129 to 147 MB in 1500 requests of all kinds, and from 111 to 116 with two
/// (2 processors, two servers at once). What is large is mapped by itself, so threads seldom meet there.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the function changes nothing but how many heaps glibc makes from now on, under a lock of its own.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) };
    }
}

/// One would do; with two a thread that waits for the first takes the second.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: std::ffi::c_int = 2;
