//! What is read of an NPU's files: it is understood or refused with a reason, and nothing else happens.

use amanuensis_npu::containers::{Cdo, Pdi, Xclbin};
use amanuensis_npu::packs::Manifest;
use amanuensis_npu::txn::{Expectations, assemble, disassemble, lint, listing, words_of, words_of_text};

/// A stream of instructions, as bytes or as text: listed, judged, and written again to the same words.
pub fn stream(bytes: &[u8]) {
    let text = str::from_utf8(bytes).ok().map(words_of_text);
    for words in [Some(words_of(bytes)), text].into_iter().flatten() {
        match words.and_then(|words| disassemble(&words).map(|stream| (words, stream))) {
            Ok((words, stream)) => {
                assert_eq!(assemble(&stream), words);
                assert!(!listing(&stream).to_string().is_empty());
                for finding in lint(&stream, &Expectations { arguments: Some(3) }) {
                    assert!(!finding.to_string().is_empty());
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// An overlay's file, with everything that is in it.
pub fn overlay(bytes: &[u8]) {
    let Ok(file) = Xclbin::read(bytes) else { return };
    let _ = (file.kernels(), file.metadata());
    let Ok(partition) = file.partition() else { return };
    for kernel in 0..=0xFFF {
        let _ = partition.program_of(kernel);
    }
    for part in &partition.programs {
        program(part.image);
    }
}

/// The program of an overlay, and the commands in it; or these alone.
pub fn program(bytes: &[u8]) {
    if let Ok(program) = Pdi::read(bytes) {
        assert!(program.cdo.commands().count() <= bytes.len() / 4);
    }
    if let Ok(commands) = Cdo::read(bytes) {
        assert!(commands.commands().count() <= bytes.len() / 4);
    }
}

/// The manifest of a pack: what is understood is written and understood again, and planned on or refused.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Manifest::from_toml(text) {
        Ok(manifest) => {
            let again = manifest.to_toml().expect("what was read can be written");
            assert_eq!(Manifest::from_toml(&again).as_ref(), Ok(&manifest));
            if let Ok(overlay) = manifest.planned() {
                assert!(overlay.check().is_ok());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
