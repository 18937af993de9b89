//! Records for the tests of this folder.

use std::sync::Arc;

use sshprobe_probes::diagnose::{Code, Confidence, Verdict};
use sshprobe_probes::evidence::{Signature, Stage};
use sshprobe_probes::record::{Auth, AuthResult, HostKey, Ident, Record, Run, Trust};
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::time::UnixMicros;

/// A record of `host:22` that came to `code` in `stage`.
pub(crate) fn record(host: &str, code: Code, stage: Stage, detail: &str) -> Record {
    let host = match host.parse() {
        Ok(addr) => Host::Addr(addr, 0),
        Err(_) => Host::Name(host.into()),
    };
    let target =
        Target { input: Arc::from("input"), index: 0, host, port: 22, place: None, user: None, from_range: false };
    let run = Run { id: "run".into(), version: "0", epoch: UnixMicros(0) };
    Record::assemble(&target, Verdict::new(code, stage, detail), &[], None, None, 1, &run)
}

/// A healthy OpenSSH.
pub(crate) fn healthy(host: &str) -> Record {
    let mut record = record(host, Code::Ok, Stage::Auth, "the methods were listed");
    record.connections = 1;
    record.ident = Some(Arc::new(Ident {
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
    }));
    record.host_keys.push(HostKey {
        kind: "ssh-ed25519".into(),
        bits: Some(256),
        fingerprint: String::from("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"),
        key: String::new(),
        signature: Signature::Verified,
        trust: Trust::Match,
        source: Some(String::from("/home/ann/.ssh/known_hosts:7")),
        known: Vec::new(),
        known_as: Vec::new(),
        cert: None,
        sshfp: None,
    });
    record.auth = Some(Auth {
        user: "root".into(),
        methods: Some([String::from("publickey"), String::from("password")].into()),
        methods_b64: Vec::new(),
        banner: String::new(),
        banner_b64: None,
        banner_truncated: false,
        result: Some(AuthResult::Listed),
        attempts: None,
        withheld: Vec::new(),
    });
    record.timing_us.connect = Some(200);
    record.timing_us.total = Some(12_300);
    record
}

/// Records of servers that send what steers a terminal: healthy and failed ones.
pub(crate) fn hostile() -> Vec<Record> {
    let bytes = "\u{1b}[2J\r\n\t\0\u{9b}31m\u{202e}\u{7f}\u{2066}";
    let mut evil = healthy(bytes);
    evil.target.input = bytes.into();
    evil.arg = Some(bytes.into());
    evil.host_keys[0].kind = bytes.into();
    evil.host_keys[0].fingerprint = bytes.into();
    if let Some(ident) = evil.ident.as_mut().map(Arc::make_mut) {
        for text in [&mut ident.raw, &mut ident.software] {
            *text = bytes.into();
        }
        for text in [&mut ident.product, &mut ident.version, &mut ident.os, &mut ident.device, &mut ident.package] {
            *text = Some(bytes.into());
        }
    }
    if let Some(auth) = &mut evil.auth {
        auth.methods = Some(vec![bytes.into(); 3].into());
        auth.banner = bytes.into();
        auth.user = bytes.into();
    }
    evil.detail = bytes.into();
    let mut closed = evil.clone();
    closed.code = Code::Disconnected;
    closed.status = Code::Disconnected.status();
    vec![evil, closed]
}
