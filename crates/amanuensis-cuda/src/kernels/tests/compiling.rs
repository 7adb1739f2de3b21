//! Kernels become machine code for every kind of GPU they are meant for, wherever NVRTC is found.

use super::super::{NAMES, source};
use crate::driver::real::Compiler;

/// Ampere's two kinds, Ada, Hopper and Blackwell.
const TARGETS: [u32; 5] = [80, 86, 89, 90, 100];

/// A machine code file says itself that it is one.
const ELF: &[u8] = b"\x7fELF";

pub(super) fn compiler() -> Option<Compiler> {
    match Compiler::load() {
        Ok(compiler) => Some(compiler),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Those of the targets that the compiler knows, which grow with its versions.
pub(super) fn targets(compiler: &Compiler) -> Vec<String> {
    let known = compiler.tool().targets.unwrap_or_default();
    assert!(known.contains(&90), "every NVRTC that is taken knows Hopper: {known:?}");
    let (known, unknown): (Vec<u32>, Vec<u32>) = TARGETS.iter().partition(|number| known.contains(number));
    for number in unknown {
        eprintln!("skipped: NVRTC {} does not know sm_{number}", compiler.version());
    }
    known.iter().map(|number| format!("sm_{number}")).collect()
}

#[test]
fn kernels_compile_without_warnings_and_keep_to_their_registers() {
    let Some(compiler) = compiler() else { return };
    for target in &targets(&compiler) {
        let verbose = ["--ptxas-options=-v"];
        let compiled = compiler.compile(&source(), target, &verbose).unwrap_or_else(|error| panic!("{error}"));
        let report = compiled.log;
        assert!(!report.contains("warning"), "{target}: {report}");
        assert!(compiled.code.starts_with(ELF), "{target}");
        for name in NAMES {
            let found = compiled.code.windows(name.len()).any(|bytes| bytes == name.as_bytes());
            assert!(found, "{name} is not in the code for {target}");
        }
        let frames: Vec<&str> = report.lines().filter(|line| line.contains("bytes stack frame")).collect();
        assert_eq!(frames.len(), NAMES.len(), "{target}: {report}");
        for frame in frames {
            let nothing = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads";
            assert!(frame.contains(nothing), "{target}: {frame}");
        }
        eprintln!(
            "NVRTC {}, {target}: {} bytes, no warnings, nothing spilled",
            compiler.version(),
            compiled.code.len()
        );
    }
}

#[test]
fn an_error_of_the_compiler_names_its_line() {
    let Some(compiler) = compiler() else { return };
    let broken = source().replacen("half_t* out", "half_t* uot", 1);
    let Err(error) = compiler.compile(&broken, "sm_90", &[]) else { panic!("it compiles") };
    let text = error.to_string();
    assert!(text.contains("unfold.cu(") && text.contains("\"out\" is undefined") && text.contains("sm_90"), "{text}");
}
