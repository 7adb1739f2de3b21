//! How much memory the program has needed.

/// The most memory that was resident at once since the program began, in bytes. Linux counts it; elsewhere there is no
/// figure.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    if cfg!(target_os = "linux") { high_water_mark(&std::fs::read_to_string("/proc/self/status").ok()?) } else { None }
}

/// The line `VmHWM:     1234 kB`.
fn high_water_mark(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_from_the_status() {
        let status = "Name:\tamanuensis\nVmPeak:\t  9000 kB\nVmHWM:\t   1234 kB\n";
        assert_eq!(high_water_mark(status), Some(1234 * 1024));
        assert_eq!(high_water_mark("Name:\tx\nVmHWM:\tmuch\n"), None);
        assert_eq!(high_water_mark(""), None);
        assert_eq!(peak_resident_bytes().is_some(), cfg!(target_os = "linux"));
    }
}
