//! `npu disasm`: an instruction stream in words, and what is wrong with it behind that.

use std::fmt::Write as _;

use amanuensis_npu::txn::{Expectations, Severity, disassemble, lint, listing, words_of, words_of_text};

use super::{Stop, print_text, read};
use crate::args::NpuDisasm;

/// Bytes of a file: the longest stream has 16 MiB, and as text nine letters for four bytes.
const LIMIT: u64 = 40 << 20;

pub(super) fn run(asked: &NpuDisasm) -> Result<u8, Stop> {
    let bytes = read(&asked.input, LIMIT)?;
    // The second byte of a stream in bytes is a small number, which no text has.
    let text = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
    let words = match str::from_utf8(&bytes) {
        Ok(words) if text => words_of_text(words),
        _ => words_of(&bytes),
    };
    let stream = words.and_then(|words| disassemble(&words)).map_err(anyhow::Error::new)?;
    let findings = lint(&stream, &Expectations { arguments: asked.arguments });
    let mut text = listing(&stream).to_string();
    let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error).count();
    for finding in &findings {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{finding}");
    }
    let _ = match (errors, findings.len() - errors) {
        (0, 0) => write!(text, "nothing is wrong with it"),
        (errors, notes) => write!(text, "{errors} errors, {notes} notes"),
    };
    print_text(&text)?;
    Ok(u8::from(errors > 0))
}
