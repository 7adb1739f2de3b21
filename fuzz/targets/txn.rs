#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| amanuensis_fuzz::npu::stream(bytes));
