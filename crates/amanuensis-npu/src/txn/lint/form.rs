//! The header, and bits that mean nothing.

use super::super::{Form, Generation, HEADER_WORDS, Stream};
use super::{Finding, Rule};

pub(super) fn header(stream: &Stream, findings: &mut Vec<Finding>) {
    let header = &stream.header;
    let mut find = |rule, detail: String| findings.push(Finding { rule, operation: None, detail });
    if (header.rows, header.memory_rows) != (6, 1) {
        find(Rule::Rows, format!("{} rows, {} of memory", header.rows, header.memory_rows));
    }
    let generation = Generation::of_code(header.generation);
    let most = generation.map_or(u8::MAX, Generation::columns);
    if generation.is_none() {
        find(Rule::Generation, format!("number {}", header.generation));
    }
    if !(1..=most).contains(&header.columns) {
        find(Rule::Columns, format!("{} columns", header.columns));
    }
    if header.operations as usize != stream.operations.len() {
        find(Rule::OperationCount, format!("{} of {} operations", header.operations, stream.operations.len()));
    }
    let words: usize = stream.instructions().map(|instruction| instruction.words(header.form)).sum();
    let bytes = (words + HEADER_WORDS) * 4;
    if header.bytes as usize != bytes {
        find(Rule::ByteCount, format!("{} of {bytes} bytes", header.bytes));
    }
    if header.form == Form::Optimised {
        find(Rule::NotEmitted, "the shorter form, version 1.0".into());
    }
}

pub(super) fn padding(stream: &Stream, findings: &mut Vec<Finding>) {
    if stream.header.residue != 0 {
        let detail = format!("{:#06x} in the second word of the header", stream.header.residue);
        findings.push(Finding { rule: Rule::Padding, operation: None, detail });
    }
    for (index, operation) in stream.operations.iter().enumerate() {
        let Some(residue) = &operation.residue else { continue };
        let words: Vec<String> = residue.iter().map(|(place, bits)| format!("{bits:#x} in word {place}")).collect();
        let detail = format!("{}: {}", operation.instruction.opcode().name(), words.join(", "));
        findings.push(Finding { rule: Rule::Padding, operation: Some(index), detail });
    }
}
