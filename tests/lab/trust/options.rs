//! Options that change how keys are looked up and what counts.

use super::case::{Row, Why, row};
use super::ground::{Ground, Group};
use crate::support::guard::lab;
use crate::support::netns::shell;

const STRICT: &[Row] = &[
    row("strict: known", "ed1", "{h}", "{h} {ed1}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
    row("strict: unknown", "ed1", "{h}", "", "host-key-unknown | ed1 unknown - | 1", "unknown", Why::Agree),
    row(
        "strict: unknown authority",
        "ed1 / ca1 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca2}",
        "host-key-unknown ca-unknown | cert ca-mismatch 1 | 1",
        "unknown",
        Why::Agree,
    ),
    row("strict: changed", "ed1", "{h}", "{h} {ed2}", "host-key-changed | ed1 changed 1 | 1", "changed", Why::Agree),
];

const ALIAS: &[Row] = &[
    row("alias", "ed1", "{h}", "Pool.Lab.Test {ed1}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
    row("alias: no port", "ed1", "{h}:2222", "", "ok | ed1 match known_hosts-4:1 | 1", "accepted", Why::Agree),
    row(
        "alias: changed",
        "ed2",
        "{h}",
        "{h} {ed2}",
        "host-key-changed | ed2 changed known_hosts-4:1 | 1",
        "changed",
        Why::Agree,
    ),
    row("alias: of a name", "ed1", "{n}", "{n} {ed2}", "ok | ed1 match known_hosts-4:1 | 1", "accepted", Why::Agree),
    row(
        "alias: in a certificate",
        "ed2 / ca1 -h -n pool.lab.test",
        "{h}",
        "@cert-authority pool.* {ca1}",
        "ok | cert ca-match 1 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "alias: the address in a certificate",
        "ec1 / ca1 -h -n {h}",
        "{h}:2222",
        "{h} {ec1}",
        "host-cert-invalid wrong-principal | cert ca-mismatch known_hosts-4:4 | 1",
        "changed: Certificate invalid: name is not a listed principal",
        Why::BadCertificate,
    ),
];

const ADDRESS: &[Row] = &[
    row("address: agrees", "ed1", "{n}", "{n} {ed1}\n{h} {ed1}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
    row(
        "address: has another key",
        "ed1",
        "{n}",
        "{n} {ed1}\n{h} {ed2}",
        "ok | ed1 match 1 | 1 + host-key-address-mismatch",
        "address",
        Why::Address,
    ),
    row(
        "address: has another key at that port",
        "ed1",
        "{n}:2222",
        "[{n}]:2222 {ed1}\n[{h}]:2222 {ed2}",
        "ok | ed1 match 1 | 1 + host-key-address-mismatch",
        "address",
        Why::Address,
    ),
    row("address: is not known", "ed1", "{n}", "{n} {ed1}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
    row("address: was named", "ed1", "{h}", "{h} {ed1}\n{n} {ed2}", "ok | ed1 match 1 | 1", "accepted", Why::Agree),
    row(
        "address: of a certificate's host",
        "ed1 / ca1 -h -n {n}",
        "{n}",
        "@cert-authority {n} {ca1}\n{h} {ed2}",
        "ok | cert ca-match 1 | 1",
        "accepted",
        Why::Agree,
    ),
];

const BAD_KEYS: &[Row] = &[
    row(
        "bad key by SHA-256",
        "ed1",
        "{h}",
        "{h} {ed1}",
        "host-key-revoked bad-key | ed1 revoked bad-keys:2 | 1",
        "accepted",
        Why::BadKeys,
    ),
    row(
        "bad key by MD5, in a good certificate",
        "ec1 / ca1 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca1}",
        "host-key-revoked bad-key | cert revoked bad-keys:3 | 1",
        "accepted",
        Why::BadKeys,
    ),
    row("no bad key", "ed2", "{h}", "{h} {ed2}", "ok | ed2 match 1 | 1", "accepted", Why::Agree),
];

#[test]
fn trust_under_options_is_that_of_ssh() {
    let Some(_lab) = lab() else { return };
    let rows: Vec<Row> = [STRICT, ALIAS, ADDRESS, BAD_KEYS].concat();
    let ground = Ground::new(&rows);
    let printed = |label: &str, hash: &str| {
        let public = ground.keys.path(label).with_extension("pub");
        let printed = shell("ssh-keygen", &["-l", "-E", hash, "-f", public.to_str().expect("printable")]);
        printed.split(' ').nth(1).expect("a fingerprint").to_owned()
    };
    let bad = format!("# the world's\n{} shipped\n{}\n", printed("ed1", "sha256"), printed("ec1", "md5"));
    ground.file("bad-keys", bad);
    ground.check(&[
        Group { ours: &["--strict-host-keys"], ssh: &[], rows: STRICT },
        Group { ours: &["--host-key-alias", "POOL.lab.test"], ssh: &["HostKeyAlias=POOL.lab.test"], rows: ALIAS },
        Group { ours: &["--check-host-ip"], ssh: &["CheckHostIP=yes"], rows: ADDRESS },
        Group { ours: &["--bad-keys", "{dir}/bad-keys"], ssh: &[], rows: BAD_KEYS },
    ]);
    // Fingerprints of either hash, those found and those known.
    let file = ground.file("known", format!("10.0.0.100 {}\n", ground.public("ed2")));
    for hash in ["sha256", "md5"] {
        let options = ["--fingerprint-hash", hash, "--known-hosts", &file].map(str::to_owned);
        let run = ground.sweep(&["10.0.0.100".into()], &options);
        let key = &run.records[0]["host_keys"][0];
        assert_eq!(key["fingerprint"], printed("ed1", hash).as_str(), "{key}");
        assert_eq!(key["known"][0]["fingerprint"], printed("ed2", hash).as_str(), "{key}");
        let detail = run.records[0]["detail"].as_str().expect("a sentence");
        assert!(["ed1", "ed2"].iter().all(|label| detail.contains(&printed(label, hash))), "{detail}");
    }
}
