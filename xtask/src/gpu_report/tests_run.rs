//! The crate's own tests, on the GPU; and some of them under compute-sanitizer.

use super::findings::Tests;

/// The tools of compute-sanitizer.
pub(super) const TOOLS: [&str; 4] = ["memcheck", "racecheck", "synccheck", "initcheck"];

/// The tests that run under them: every kernel by itself, beside its truth. Whole models take too long there.
pub(super) const UNDER_TOOLS: [&str; 3] = ["kernels::tests", "--skip", "compiling"];

/// What tests say where they run without a GPU that they would have used.
const WITHOUT: [&str; 2] = ["skipped: no GPU", "on the GPU in memory only"];

/// Reads what a test program said; nothing where it did not come to an end.
pub(super) fn read(out: &str, err: &str) -> Option<Tests> {
    let lines = || out.lines().chain(err.lines());
    let result = lines().find_map(|line| line.trim().strip_prefix("test result: "))?;
    let passed = result.split(['.', ';']).find_map(|part| part.trim().strip_suffix(" passed")?.parse().ok())?;
    // What tests print may stand between a test's name and how it went, so names are read from the list behind all of them.
    let list = out.rsplit_once("\nfailures:\n").map_or("", |(_, list)| list);
    let names = list.lines().skip_while(|line| line.is_empty()).take_while(|line| line.starts_with("    "));
    let failed = names.map(|line| line.trim().to_owned()).collect();
    let without = lines().find(|line| WITHOUT.iter().any(|what| line.contains(what)));
    let without_gpu = without.map(|line| line.trim().chars().take(300).collect());
    Some(Tests { passed, failed, without_gpu })
}

/// The sum of a tool of compute-sanitizer; nothing where it did not come to one.
pub(super) fn sum(out: &str, err: &str) -> Option<String> {
    let line = |line: &str| {
        let line = line.trim_start_matches(['=', ' ']);
        (line.starts_with("ERROR SUMMARY") || line.starts_with("RACECHECK SUMMARY")).then(|| line.trim().to_owned())
    };
    out.lines().chain(err.lines()).filter_map(line).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "
running 2 tests
test kernels::tests::choosing::a ... ok
test kernels::tests::moving::b ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 60 filtered out; finished in 0.31s
";

    const FAILED: &str = "
running 2 tests
skipped: no GPU: the NVIDIA driver is missing
test backend::tests::a ... ok
test backend::tests::b ... FAILED

failures:

---- backend::tests::b stdout ----
thread 'backend::tests::b' panicked at x.rs:1:1:
no

failures:
    backend::tests::b

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";

    #[test]
    fn how_tests_went_is_read_from_what_they_say() {
        let tests = read(PASSED, "").unwrap();
        assert_eq!(tests, Tests { passed: 2, failed: Vec::new(), without_gpu: None });
        let tests = read(FAILED, "").unwrap();
        assert_eq!((tests.passed, &tests.failed[..]), (1, &["backend::tests::b".to_owned()][..]));
        assert_eq!(tests.without_gpu.unwrap(), "skipped: no GPU: the NVIDIA driver is missing");
        let half = read(PASSED, "on the GPU in memory only: nothing here\n").unwrap();
        assert!(half.without_gpu.is_some());
        assert_eq!(read("running 2 tests\ntest a ... ok\n", "killed"), None);
    }

    #[test]
    fn the_sum_of_a_tool_is_its_last_line() {
        let said = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n";
        assert_eq!(sum(said, "").as_deref(), Some("ERROR SUMMARY: 0 errors"));
        let said = "========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)\n";
        assert_eq!(sum("", said).as_deref(), Some("RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)"));
        assert_eq!(sum("========= Internal error", ""), None);
    }
}
