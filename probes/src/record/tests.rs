//! What a record looks like as JSON.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::case::ResolveFault;
use crate::diagnose::judge;
use crate::evidence::{self, Errno, Evidence, Fault, Identification, LocalTrouble, PreambleLine, Signature};
use crate::plan::Depth;
use crate::target::{Host, Target};
use crate::time::Moment;
use crate::wire::kexinit::KexInit;

fn run() -> Run {
    Run { id: "r1".into(), version: "0.1.0", epoch: UnixMicros(1_795_435_200_000_000) }
}

fn target() -> Target {
    Target {
        input: "10.0.0.0/24:22".into(),
        index: 5,
        host: Host::Addr("10.0.0.5".parse().unwrap(), 0),
        port: 22,
        place: None,
        user: None,
        from_range: true,
    }
}

fn record(connections: &[Evidence]) -> Record {
    let verdict = judge(connections, usize::MAX, Depth::Auth);
    Record::assemble(&target(), verdict, connections, None, None, 1, &run())
}

fn json_of(record: &Record) -> Value {
    let line = serde_json::to_string(record).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), *record);
    serde_json::from_str(&line).unwrap()
}

/// RFC 8032's first public key, as a blob.
fn blob() -> Vec<u8> {
    let key = b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
    [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), key].concat()
}

fn complete() -> Evidence {
    let mut evidence = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::from_micros(1_000_000));
    evidence.stage = Stage::Auth;
    evidence.ended = Moment::from_micros(1_030_000);
    evidence.path.local = Some("10.0.0.1:40000".parse().unwrap());
    evidence.timing = evidence::Timing {
        connect: Some(Duration::from_micros(100)),
        ident: Some(Duration::from_micros(200)),
        kexinit: Some(Duration::from_micros(300)),
        kex: Some(Duration::from_micros(400)),
        auth: Some(Duration::from_micros(500)),
    };
    evidence.preamble.count = 1;
    evidence.preamble.lines.push(PreambleLine { at: Duration::from_micros(150), bytes: b"Keep out".to_vec() });
    evidence.ident = Some(Identification { raw: b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10".to_vec() });
    let lists: [&[u8]; 10] = [
        b"curve25519-sha256,kex-strict-s-v00@openssh.com",
        b"ssh-ed25519",
        b"aes128-ctr",
        b"aes128-ctr,",
        b"hmac-sha2-256",
        b"hmac-sha2-256",
        b"none",
        b"none,zlib@openssh.com",
        b"",
        b"",
    ];
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap());
    evidence.negotiated = Some(evidence::Negotiated {
        kex: "curve25519-sha256",
        host_key: "ssh-ed25519",
        cipher_c2s: "aes128-ctr",
        cipher_s2c: "aes128-ctr",
        mac_c2s: Some("hmac-sha2-256"),
        mac_s2c: Some("hmac-sha2-256"),
        strict_kex: true,
        dh_bits: None,
    });
    evidence.host_key = Some(evidence::HostKey { blob: blob(), signature: Signature::Verified });
    evidence.ext_info = vec![(b"server-sig-algs".to_vec(), b"ssh-ed25519,rsa-sha2-512".to_vec())].into();
    evidence.auth = Some(evidence::Auth {
        user: "root".into(),
        service_accepted: true,
        none_sent: true,
        methods: Some([b"publickey".to_vec(), b"password".to_vec()].into()),
        banner: b"Authorised use only\n".to_vec(),
        ..evidence::Auth::default()
    });
    evidence
}

#[test]
fn a_full_record() {
    let expected = json!({
        "schema": 1, "run": "r1", "version": "0.1.0",
        "target": {"input": "10.0.0.0/24:22", "index": 5, "host": "10.0.0.5", "addr": "10.0.0.5", "port": 22, "via": "tcp"},
        "from_range": true,
        "status": "ok", "code": "ok", "arg": null, "stage": "auth",
        "detail": "\"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\"; host key proven with ssh-ed25519 over curve25519-sha256; \
                   authentication by publickey, password",
        "confidence": "high", "connections": 1, "attempts": 1,
        "tried": [{"addr": "10.0.0.5", "code": "ok", "stage": "auth", "at": "2026-11-23T12:00:01.000Z"}],
        "net": {"local_addr": "10.0.0.1:40000", "spoke_first": false},
        "ident": {"raw": "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", "proto": "2.0", "software": "OpenSSH_9.2p1",
                  "comment": "Debian-2+deb12u10", "product": "OpenSSH", "version": "9.2p1", "os": "Debian 12",
                  "os_confidence": "high", "package": "2+deb12u10", "preamble": ["Keep out"]},
        "kexinit": {"kex": ["curve25519-sha256", "kex-strict-s-v00@openssh.com"], "host_key": ["ssh-ed25519"],
                    "cipher_c2s": ["aes128-ctr"], "cipher_s2c": ["aes128-ctr", ""], "mac_c2s": ["hmac-sha2-256"],
                    "mac_s2c": ["hmac-sha2-256"], "comp_c2s": ["none"], "comp_s2c": ["none", "zlib@openssh.com"],
                    "first_kex_follows": false, "hassh_server": "d7ef43bac7a3c32d6d8300a7b07f5891"},
        "negotiated": {"kex": "curve25519-sha256", "host_key": "ssh-ed25519", "cipher": "aes128-ctr", "mac": "hmac-sha2-256",
                       "strict_kex": true, "dh_bits": null},
        "host_keys": [{"type": "ssh-ed25519", "bits": 256,
                       "fingerprint": "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8",
                       "key": "AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
                       "signature": "verified", "trust": "unchecked"}],
        "ext_info": {"server-sig-algs": "ssh-ed25519,rsa-sha2-512"}, "server_sig_algs": ["ssh-ed25519", "rsa-sha2-512"],
        "auth": {"user": "root", "methods": ["publickey", "password"], "banner": "Authorised use only\n",
                 "banner_truncated": false, "result": "listed"},
        "findings": [{"id": "password-auth-offered", "detail": "password is listed for user \"root\""},
                     {"id": "pre-ident-lines",
                      "detail": "1 line came before the identification, the first: \"Keep out\""},
                     {"id": "no-pq-kex", "detail": "no post-quantum key exchange is offered"},
                     {"id": "empty-name-in-list",
                      "detail": "an empty name stands in encryption_algorithms_server_to_client"}],
        "timing_us": {"connect": 100, "ident": 200, "kexinit": 300, "kex": 400, "auth": 500, "total": 30000},
        "diagnoses": [],
        "started": "2026-11-23T12:00:01.000Z"
    });
    assert_eq!(json_of(&record(&[complete()])), expected);
}

#[test]
fn a_minimal_record_is_one_short_line_with_its_remedy() {
    let mut evidence = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::START);
    evidence.ended = Moment::from_micros(300);
    evidence.timing.connect = Some(Duration::from_micros(300));
    evidence.path.errno = Some(Errno::ECONNREFUSED);
    evidence.fault = Some(Fault::Connect);
    let text = Code::Refused.diagnosis().unwrap();
    let expected = json!({
        "schema": 1, "run": "r1", "version": "0.1.0",
        "target": {"input": "10.0.0.0/24:22", "index": 5, "host": "10.0.0.5", "addr": "10.0.0.5", "port": 22, "via": "tcp"},
        "from_range": true,
        "status": "refused", "code": "refused", "arg": null, "stage": "connect",
        "detail": "the address answered the connection with a reset (ECONNREFUSED after 0.3 ms)",
        "confidence": "high", "connections": 0, "attempts": 1,
        "tried": [{"addr": "10.0.0.5", "code": "refused", "stage": "connect", "at": "2026-11-23T12:00:00.000Z"}],
        "net": {"errno": "ECONNREFUSED", "spoke_first": false},
        "findings": [],
        "timing_us": {"connect": 300, "total": 300},
        "diagnoses": [{"id": "refused", "title": text.title, "causes": text.causes, "remedy": text.remedy}],
        "started": "2026-11-23T12:00:00.000Z"
    });
    assert_eq!(json_of(&record(&[evidence])), expected);
}

#[test]
fn the_remedy_is_ready_to_be_pasted() {
    let mut evidence = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::START);
    evidence.fault = Some(Fault::Timeout);
    let remedy = json_of(&record(&[evidence]))["diagnoses"][0]["remedy"].to_string();
    assert!(remedy.contains("ping 10.0.0.5; nc -vz 10.0.0.5 443"), "{remedy}");
    assert!(remedy.contains("--allow tcp:22 ") && !remedy.contains("HOST") && !remedy.contains("PORT"), "{remedy}");
}

#[test]
fn fields_stand_in_the_order_of_the_document() {
    let line = serde_json::to_string(&record(&[complete()])).unwrap();
    let order = [
        "\"schema\"",
        "\"run\"",
        "\"target\"",
        "\"status\"",
        "\"code\"",
        "\"detail\"",
        "\"net\"",
        "\"ident\"",
        "\"timing_us\"",
    ];
    let places: Vec<_> = order.iter().map(|key| line.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn what_came_instead_of_an_identification_is_kept_bytes_and_all() {
    let mut evidence = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::START);
    evidence.stage = Stage::Ident;
    evidence.fault = Some(Fault::Eof);
    evidence.first_bytes = b"caf\xe9 ferm\xe9\nbye".to_vec();
    evidence.preamble.count = 1;
    evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: b"caf\xe9 ferm\xe9".to_vec() });
    evidence.preamble.partial = b"bye".to_vec();
    let json = json_of(&record(&[evidence]));
    assert_eq!(json["code"], "refused-text");
    assert_eq!(json["first_bytes_b64"], "Y2Fm6SBmZXJt6QpieWU=");
    assert_eq!(json["preamble"], json!(["caf\u{fffd} ferm\u{fffd}", "bye"]));
    assert_eq!(json["preamble_b64"], json!(["Y2Fm6SBmZXJt6Q==", "Ynll"]));
    assert_eq!(json["detail"], "the server said \"caf\\xe9 ferm\\xe9\" and closed the connection after 0.0 ms");
    assert!(json.get("ident").is_none());
}

#[test]
fn bytes_that_are_no_text_come_in_base64_beside_it() {
    let mut evidence = complete();
    evidence.ident = Some(Identification { raw: b"SSH-2.0-caf\xe9".to_vec() });
    let auth = evidence.auth.as_mut().unwrap();
    auth.methods = Some([b"publickey".to_vec(), b"\xff".to_vec()].into());
    auth.banner = b"\xe9".to_vec();
    auth.banner_truncated = true;
    evidence.ext_info =
        vec![(b"x".to_vec(), b"\xff".to_vec()), (b"y".to_vec(), b"\xff".to_vec()), (b"y".to_vec(), b"z".to_vec())]
            .into();
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], [b"\xff"; 10], false)).unwrap());
    let json = json_of(&record(&[evidence]));
    assert_eq!(json["ident"]["raw"], "SSH-2.0-caf\u{fffd}");
    assert_eq!(json["ident"]["raw_b64"], "U1NILTIuMC1jYWbp");
    assert_eq!(json["auth"]["methods"], json!(["publickey", "\u{fffd}"]));
    assert_eq!(json["auth"]["methods_b64"], json!(["cHVibGlja2V5", "/w=="]));
    assert_eq!(json["auth"]["banner_b64"], "6Q==");
    assert_eq!(json["auth"]["banner_truncated"], true);
    assert_eq!(json["ext_info"], json!({"x": "\u{fffd}", "y": "z"}));
    assert_eq!(json["ext_info_b64"], json!({"x": "/w=="}));
    assert!(json["kexinit"]["payload_b64"].is_string());
    assert!(json.get("server_sig_algs").is_none());
}

#[test]
fn what_an_earlier_connection_learned_is_kept() {
    let mut choked = complete();
    choked.fault = Some(Fault::Eof);
    choked.auth.as_mut().unwrap().methods = None;
    let mut throttled = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::from_micros(5_000_000));
    throttled.stage = Stage::Ident;
    throttled.ended = Moment::from_micros(5_020_000);
    throttled.fault = Some(Fault::Eof);
    throttled.first_bytes = b"Not allowed at this time\r\n".to_vec();
    let json = json_of(&record(&[choked.clone(), throttled.clone()]));
    assert_eq!(json["code"], "refused-at-userauth");
    assert_eq!(json["connections"], 2);
    assert_eq!(json["tried"][1]["code"], "throttled-or-penalised");
    assert_eq!(json["tried"][1]["at"], "2026-11-23T12:00:05.000Z");
    assert_eq!(json["timing_us"]["total"], 50_000);
    assert_eq!(json["ident"]["software"], "OpenSSH_9.2p1");
    assert!(json.get("first_bytes_b64").is_none());
    assert!(json["auth"].get("result").is_none() && json["auth"].get("methods").is_none());

    // The address reported is the one that decided; keys are listed once, a bad signature is not made good.
    let mut refused = Evidence::new("[2001:db8::5]:22".parse().unwrap(), Moment::START);
    refused.path.errno = Some(Errno::ECONNREFUSED);
    refused.fault = Some(Fault::Connect);
    let json = json_of(&record(&[refused, complete()]));
    assert_eq!(json["target"]["addr"], "10.0.0.5");
    assert_eq!(
        json["tried"][0],
        json!({"addr": "2001:db8::5", "code": "refused", "stage": "connect", "at": "2026-11-23T12:00:00.000Z"})
    );
    let mut bad = complete();
    bad.stage = Stage::Kex;
    bad.fault = Some(Fault::BadSignature("does not verify"));
    bad.host_key.as_mut().unwrap().signature = Signature::Bad;
    let json = json_of(&record(&[complete(), bad]));
    assert_eq!(json["code"], "bad-host-signature");
    assert_eq!(json["host_keys"].as_array().unwrap().len(), 1);
    assert_eq!(json["host_keys"][0]["signature"], "bad");
    assert_eq!(json["auth"]["result"], "listed");
}

#[test]
fn targets_without_a_connection_have_a_record_too() {
    let named = Target {
        host: Host::Name("nowhere.example".into()),
        input: "nowhere.example".into(),
        from_range: false,
        ..target()
    };
    let unresolved = |fault| {
        let record = Record::unresolved(&named, &fault, Duration::from_millis(20), &run(), Moment::from_micros(30_000));
        let json = json_of(&record);
        assert_eq!(json["status"], "dns-failure");
        assert_eq!(json["stage"], "resolve");
        assert_eq!(json["connections"], 0);
        assert_eq!(json["timing_us"], json!({"resolve": 20_000, "total": 20_000}));
        assert!(json["target"].get("addr").is_none() && json.get("from_range").is_none() && json.get("net").is_none());
        (json["code"].as_str().unwrap().to_owned(), record.detail)
    };
    assert_eq!(
        unresolved(ResolveFault::NxDomain),
        ("dns-nxdomain".into(), "the name nowhere.example does not exist".into())
    );
    let (code, detail) = unresolved(ResolveFault::ServFail("REFUSED \u{1b}[0m".into()));
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("dns-servfail", "the resolver could not answer for nowhere.example: REFUSED \\x1b[0m")
    );
    assert_eq!(unresolved(ResolveFault::NoAddress).0, "dns-no-address");
    assert_eq!(unresolved(ResolveFault::Timeout).0, "dns-timeout");

    let record = Record::internal(&target(), "index out of bounds", &run(), Moment::START);
    assert_eq!((record.status, record.code), (Status::LocalError, Code::Internal));
    assert_eq!(json_of(&record)["detail"], "a fault of this program: index out of bounds");
    let record = Record::local(&target(), LocalTrouble::ResourceLimit, Some(Errno::EMFILE), &run(), Moment::START);
    assert_eq!((record.status, record.code), (Status::LocalError, Code::LocalResourceLimit));
    assert!(record.detail.ends_with("(EMFILE)"), "{}", record.detail);
}

proptest! {
    #[test]
    fn any_record_is_one_line_that_can_be_read_back(
        connections in proptest::collection::vec(crate::diagnose::tests::any_evidence(), 0..4),
        attempts: u32,
    ) {
        let verdict = judge(&connections, usize::MAX, Depth::Auth);
        let record = Record::assemble(&target(), verdict, &connections, None, None, attempts, &run());
        json_of(&record);
    }
}

#[test]
fn connections_count_those_that_were_made() {
    let count = |connections: &[Evidence], asked| {
        let verdict = judge(connections, usize::MAX, asked);
        json_of(&Record::assemble(&target(), verdict, connections, None, None, 1, &run()))["connections"].clone()
    };
    let new = || Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::START);
    let failed = |fault, errno| {
        let mut evidence = new();
        (evidence.fault, evidence.path.errno) = (Some(fault), errno);
        evidence
    };
    let refused = || failed(Fault::Connect, Some(Errno::ECONNREFUSED));
    assert_eq!(count(&[refused()], Depth::Auth), 0);
    assert_eq!(count(&[refused(), complete()], Depth::Auth), 1);
    assert_eq!(count(&[failed(Fault::ConnectTimeout, None)], Depth::Auth), 0);
    assert_eq!(count(&[failed(Fault::Local(LocalTrouble::ResourceLimit), None)], Depth::Auth), 0);
    // `--depth connect` enters no stage behind it.
    assert_eq!(count(&[new()], Depth::Connect), 1);
    // Accepted, then reset before connect() returned.
    assert_eq!(count(&[failed(Fault::Connect, Some(Errno::ECONNRESET))], Depth::Auth), 1);
}

#[test]
fn extensions_whose_names_are_no_text_are_not_lost_in_each_other() {
    let mut evidence = complete();
    evidence.ext_info = vec![(b"\xff".to_vec(), b"one".to_vec()), (b"\xfe".to_vec(), b"two".to_vec())].into();
    let json = json_of(&record(&[evidence]));
    assert_eq!(json["ext_info_raw_b64"], json!([["/w==", "b25l"], ["/g==", "dHdv"]]));
    assert_eq!(json_of(&record(&[complete()])).get("ext_info_raw_b64"), None);
}

fn shown(blob: &[u8], signature: Signature) -> Evidence {
    let mut evidence = complete();
    evidence.host_key = Some(evidence::HostKey { blob: blob.to_vec(), signature });
    evidence
}

#[test]
fn only_proven_keys_are_passed_on_and_of_certificates_the_key() {
    let certificate = crate::trust::samples::certificate("good");
    let plain = crate::hostkey::plain_key(&certificate).unwrap().into_owned();
    let blobs = |record: &Record| record.proven_keys().into_iter().map(|key| key.blob).collect::<Vec<_>>();
    let verified = |blob: &[u8]| shown(blob, Signature::Verified);
    assert_eq!(blobs(&record(&[verified(&blob()), verified(&blob())])), [blob()]);
    assert_eq!(blobs(&record(&[verified(&certificate), verified(&plain)])), std::slice::from_ref(&plain));
    let both = record(&[verified(&blob()), verified(&plain)]);
    assert_eq!(both.proven_keys().len(), 2, "two of one type, as of a pool that has no common key");
    assert!(both.proven_keys().iter().all(|key| key.kind == "ssh-ed25519"));
    assert_eq!(both.unproven_types(), Vec::<&str>::new());
    let unseen = record(&[shown(&blob(), Signature::Unchecked)]);
    assert_eq!((blobs(&unseen), unseen.unproven_types()), (vec![], vec!["ssh-ed25519"]));
    for bad in [
        &[shown(&blob(), Signature::Bad)][..],
        &[verified(&blob()), shown(&blob(), Signature::Bad)],
        &[verified(&plain), shown(&blob(), Signature::Bad)],
        &[shown(&certificate, Signature::Bad), verified(&plain)],
    ] {
        assert_eq!(blobs(&record(bad)), Vec::<Vec<u8>>::new());
    }
    // What says of itself that it is a key of a type that is not known, and what is none.
    for blob in [&b"\0\0\0\x0bssh-unknown"[..], b"x", b""] {
        assert_eq!(blobs(&record(&[verified(blob)])), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn types_offered_and_not_proven_are_named() {
    let mut evidence = shown(&blob(), Signature::Verified);
    let lists: [&[u8]; 10] = [
        b"curve25519-sha256",
        b"rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519,ssh-dss-cert-v01@openssh.com,unheard-of",
        b"aes128-ctr",
        b"aes128-ctr",
        b"hmac-sha2-256",
        b"hmac-sha2-256",
        b"none",
        b"none",
        b"",
        b"",
    ];
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap());
    assert_eq!(record(&[evidence]).unproven_types(), ["ecdsa-sha2-nistp256", "ssh-rsa", "ssh-dss"]);
}

#[test]
fn what_is_to_be_removed_is_named_file_by_file() {
    let removal = |name: &str, file: &str, line, by_pattern| crate::trust::Removal {
        name: name.to_owned(),
        source: crate::trust::Source { file: file.into(), line: Some(line) },
        by_pattern,
    };
    let place = crate::diagnose::Place::new("web1", None, 2222);
    let remedy = |removals: &[crate::trust::Removal]| {
        let Explained { remedy, .. } = Explained::new(Code::HostKeyChanged, place, removals);
        remedy.into_iter().filter(|line| line.contains("new key is right")).collect::<Vec<_>>()
    };
    let plain = "if the new key is right: ssh-keygen -f";
    assert_eq!(
        remedy(&[removal("[web1]:2222", "a", 1, false), removal("[web1]:2222", "/b c", 7, false)]),
        [
            format!("{plain} a -R '[web1]:2222', then add it; if not, do not connect"),
            format!("{plain} '/b c' -R '[web1]:2222', then add it; if not, do not connect"),
        ]
    );
    // A pattern for a whole fleet is nobody's to remove for one host.
    let edited =
        remedy(&[removal("web1", "a", 3, true), removal("web1", "a", 9, false), removal("web1", "b", 1, false)]);
    assert_eq!(edited[0], "if the new key is right, edit by hand, as other hosts are spoken of too: a:3, a:9");
    assert!(edited[1].starts_with(&format!("{plain} b -R web1,")) && edited.len() == 2, "{edited:?}");
    // What a shell made up for this run is gone.
    assert!(
        remedy(&[removal("web1", "/dev/fd/63", 1, false)])[0].starts_with(&format!("{plain} KNOWN_HOSTS_FILE -R web1"))
    );
}

/// What is to be typed names who was named to the server, and of another way than the one that was taken nothing is said.
#[test]
fn remedies_fit_the_user_and_the_way() {
    let by = |via, code, arg: &str| {
        let hop = |host: &str| super::JumpHost {
            host: host.into(),
            kind: None,
            fingerprint: None,
            trust: None,
            source: None,
        };
        let hops = if via == Via::Jump { vec![hop("ops@gate"), hop("root@inner:2222")] } else { Vec::new() };
        let trouble = evidence::TunnelTrouble::lasting(code, Some(arg.to_owned()), String::from("x"));
        let mut failed = Evidence::new("10.0.0.5:22".parse().unwrap(), Moment::START);
        failed.fault = Some(Fault::Tunnel);
        failed.tunnel = Some(Box::new(evidence::Tunnel {
            trouble: Some(trouble),
            jump_hosts: hops.into(),
            ..evidence::Tunnel::new(via)
        }));
        let record = record(&[failed]);
        let json = json_of(&record);
        let again: Record = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(json_of(&again), json, "read again it is the same");
        json["diagnoses"][0].clone()
    };
    let texts = |diagnosis: &Value| diagnosis.to_string();
    let jumped = texts(&by(Via::Jump, Code::JumpFailed, "refused"));
    assert!(jumped.contains("ssh -J ops@gate,root@inner:2222 -p 22 -v 10.0.0.5"), "{jumped}");
    assert!(jumped.contains(": sshprobe --depth login -i KEY -J ops@gate root@inner:2222\""), "{jumped}");
    let forbidden = texts(&by(Via::Jump, Code::JumpForbidden, "administratively-prohibited"));
    assert!(forbidden.contains("sshd -T -C user=root |"), "{forbidden}");
    let behind_jump = texts(&by(Via::Jump, Code::ProxyRefused, "refused"));
    assert!(behind_jump.contains("of a jump host: ") && !behind_jump.contains("of a proxy"), "{behind_jump}");
    let behind_proxy = texts(&by(Via::HttpConnect, Code::ProxyRefused, "403"));
    assert!(behind_proxy.contains("of a proxy: ") && !behind_proxy.contains("jump host"), "{behind_proxy}");

    let place = crate::diagnose::Place { user: Some("root"), ..crate::diagnose::Place::new("web1", None, 22) };
    let Explained { remedy, .. } = Explained::new(Code::AuthNoMethods, place, &[]);
    assert!(remedy.iter().any(|line| line.contains("sshd -T -C user=root,addr=SOURCE | grep")), "{remedy:?}");
}
