//! Whoever sits in the middle: with the right public key and no private half, and with a key of their own.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::responder::{HostKeyPair, Script, Signing};

use super::case::{Row, Why, meant, row, said_by_ssh};
use super::ground::{Ground, place};
use crate::support::guard::lab;
use crate::support::responder::Crowd;

/// The honest server.
const ROWS: &[Row] = &[row("honest", "ed1", "{h}", "", "", "", Why::Agree)];

/// The address in front of which somebody sits.
const MIDDLE: &str = "10.0.0.50";

#[test]
fn trust_is_never_given_to_who_only_shows_the_right_key() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(ROWS);
    let public = ground.public("ed1");
    let blob = STANDARD.decode(public.split(' ').nth(1).expect("base64")).expect("base64");
    let honest = place(0).0.to_string();
    ground.topology.take_out(MIDDLE);
    let middle: IpAddr = MIDDLE.parse().expect("an address");
    let at = SocketAddr::new(middle, 22);
    let known = ground.file("known", format!("{honest} {public}\n{MIDDLE} {public}\n"));
    let options = ["--known-hosts".to_owned(), known.clone()];

    let run = ground.sweep(std::slice::from_ref(&honest), &options);
    assert_eq!(run.records[0]["host_keys"][0]["trust"], "match", "the key is the honest server's: {}", run.stderr);

    let own = || HostKeyPair::from_seed(&[0x4d; 32]);
    let healthy = || Script::healthy(&[0x4d; 32]);
    let in_front = [
        ("the right key, signed with another", healthy().with_host_key(own().posing_as(&blob)), "not-proven"),
        (
            "the right key, and a signature over another exchange",
            healthy().with_host_key(own().posing_as(&blob)).signing(Signing::Wrong),
            "not-proven",
        ),
        ("a key of their own", healthy(), "changed"),
    ];
    for (who, script, expected) in in_front {
        let _crowd = Crowd::start(&ground.topology.special, at, script, 1);
        for more in [&[][..], &["--strict-host-keys"], &["--host-key-types", "all"], &["--depth", "kex"]] {
            let options: Vec<String> =
                options.iter().cloned().chain(more.iter().map(|&word| word.to_owned())).collect();
            let run = ground.sweep(&[MIDDLE.to_owned()], &options);
            let record = &run.records[0];
            assert_eq!((meant(record).as_str(), run.status.code()), (expected, Some(1)), "{who} {more:?}: {record}");
            let key = &record["host_keys"][0];
            if expected == "not-proven" {
                assert_eq!((&record["code"], &record["status"]), (&"bad-host-signature".into(), &"kex-failure".into()));
                assert_eq!((&key["signature"], &key["trust"]), (&"bad".into(), &"unchecked".into()), "{who}: {record}");
                assert_eq!(key["key"], STANDARD.encode(&blob).as_str(), "it shows that very key");
                assert!(key["source"].is_null() && record["connections"] == 1, "{who}: {record}");
            } else {
                assert_eq!(
                    (&record["code"], &key["trust"]),
                    (&"host-key-changed".into(), &"changed".into()),
                    "{record}"
                );
                assert_eq!(key["source"], format!("{known}:2").as_str());
                let detail = record["detail"].as_str().expect("a sentence");
                let both = [ground.keys.fingerprint("ed1"), key["fingerprint"].as_str().expect("one").to_owned()];
                assert!(both.iter().all(|fingerprint| detail.contains(fingerprint)), "{detail}");
                let remedy = record["diagnoses"][0]["remedy"].to_string();
                assert!(remedy.contains(&format!("ssh-keygen -f {known} -R {MIDDLE}, ")), "{remedy}");
            }
        }
        assert_eq!(said_by_ssh(&ground.ssh(MIDDLE, &known, &[])), expected, "{who}");
    }
}
