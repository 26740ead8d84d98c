#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jiefeng_fuzz::list(data));
