//! Records for the tests of this folder.

use std::sync::Arc;

use sshprobe_probes::diagnose::{Code, Confidence, Verdict};
use sshprobe_probes::evidence::{Signature, Stage};
use sshprobe_probes::record::{Auth, AuthResult, HostKey, Ident, Record, Run, Trust};
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::time::UnixMicros;

/// A record of `host:22` that came to `code` in `stage`.
pub(super) fn record(host: &str, code: Code, stage: Stage, detail: &str) -> Record {
    let host = match host.parse() {
        Ok(addr) => Host::Addr(addr, 0),
        Err(_) => Host::Name(host.into()),
    };
    let target = Target { input: Arc::from("input"), index: 0, host, port: 22, user: None, from_range: false };
    let run = Run { id: String::from("run"), version: "0", epoch: UnixMicros(0) };
    Record::assemble(&target, Verdict::new(code, stage, detail), &[], None, 1, &run)
}

/// A healthy OpenSSH.
pub(super) fn healthy(host: &str) -> Record {
    let mut record = record(host, Code::Ok, Stage::Auth, "the methods were listed");
    record.connections = 1;
    record.ident = Some(Ident {
        raw: String::from("SSH-2.0-OpenSSH_9.2p1 Debian-2"),
        raw_b64: None,
        proto: String::from("2.0"),
        software: String::from("OpenSSH_9.2p1"),
        comment: Some(String::from("Debian-2")),
        product: Some(String::from("OpenSSH")),
        version: Some(String::from("9.2p1")),
        os: Some(String::from("Debian 12")),
        device: None,
        os_confidence: Some(Confidence::High),
        package: Some(String::from("2")),
        preamble: Vec::new(),
        preamble_b64: Vec::new(),
    });
    record.host_keys.push(HostKey {
        kind: String::from("ssh-ed25519"),
        bits: Some(256),
        fingerprint: String::from("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"),
        key: String::new(),
        signature: Signature::Verified,
        trust: Trust::Unchecked,
    });
    record.auth = Some(Auth {
        user: String::from("root"),
        methods: Some(vec![String::from("publickey"), String::from("password")]),
        methods_b64: Vec::new(),
        banner: String::new(),
        banner_b64: None,
        banner_truncated: false,
        result: Some(AuthResult::Listed),
    });
    record.timing_us.connect = Some(200);
    record.timing_us.total = Some(12_300);
    record
}
