#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| amanuensis_server::fuzzing::query(&String::from_utf8_lossy(bytes)));
