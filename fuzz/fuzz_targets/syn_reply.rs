#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sshprobe_probes::fuzzing::syn_reply(data));
