//! Fingerprints in DNS: a real server with signed and unsigned zones, real resolvers that validate or not, and one that lies.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use sshprobe::resolve::{Anchors, Resolver, ResolverOptions, Security, Sshfp, SshfpFault, SshfpOptions};
use sshprobe_probes::trust::sshfp::SshfpRecord;

use crate::support::dns::NameServer;
use crate::support::guard::lab;
use crate::support::netns::Netns;
use crate::support::zones::{Signing, Zone, Zones};

const AUTHORITY: &str = "192.0.2.53";
const VALIDATING: &str = "192.0.2.54";
const PLAIN: &str = "192.0.2.55";
const LYING: &str = "192.0.2.56";

const RIGHT: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const WRONG: &str = "0202020202020202020202020202020202020202020202020202020202020202";

fn records() -> String {
    format!(
        "host IN A 192.0.2.1\nhost IN SSHFP 4 2 {RIGHT}\nwrong IN A 192.0.2.1\nwrong IN SSHFP 4 2 {WRONG}\n\
         type IN A 192.0.2.1\ntype IN SSHFP 200 99 00ff\nnone IN A 192.0.2.1\nalias IN CNAME host\n\
         out IN CNAME host.unsigned.lab.\nforged IN A 192.0.2.1\nforged IN SSHFP 4 2 {RIGHT}\nforged IN SSHFP 1 1 {}\n\
         *.wild IN SSHFP 4 2 {RIGHT}\n",
        "3".repeat(40)
    )
}

/// The lab: one namespace with a server for each address.
struct Stage {
    netns: Netns,
    zones: Zones,
}

impl Stage {
    fn new() -> Self {
        let netns = Netns::new("dns");
        for address in [AUTHORITY, VALIDATING, PLAIN, LYING] {
            netns.ip(&format!("addr add {address}/32 dev lo"));
        }
        let records = records();
        let (digest, other) = ("3".repeat(40), "4".repeat(40));
        let forged = [(digest.as_str(), other.as_str())];
        let zone = |name, signing| Zone { name, signing, records: &records, forged: &[] };
        let zones = [
            Zone { forged: &forged, ..zone("signed", Signing::Nsec) },
            zone("nsec3", Signing::Nsec3),
            zone("unsigned", Signing::None),
            zone("expired", Signing::Expired),
            zone("wrongds", Signing::WrongDs),
            zone("stripped", Signing::Stripped),
        ];
        let zones = Zones::start(&netns, address(AUTHORITY), &zones);
        Self { netns, zones }
    }

    /// What each name gives of one resolver; nothing is kept from one call to the next.
    fn ask(&self, server: &str, trust_ad: bool, anchors: Anchors, names: &[&str]) -> Vec<Result<Sshfp, SshfpFault>> {
        let options = ResolverOptions {
            servers: vec![SocketAddr::new(address(server), 53)],
            hosts: "no/such/file".into(),
            resolv_conf: "no/such/file".into(),
            per_server: Some(Duration::from_secs(2)),
            sshfp: SshfpOptions { trust_ad, anchors },
            ..ResolverOptions::default()
        };
        self.netns.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let resolver = Resolver::new(options);
            runtime.block_on(async {
                let mut all = Vec::new();
                for name in names {
                    all.push(resolver.sshfp(name).await);
                }
                all
            })
        })
    }

    fn root(&self) -> Anchors {
        anchors(&self.zones.anchor())
    }
}

fn anchors(file: &Path) -> Anchors {
    Anchors::from_file(file).unwrap_or_else(|problem| panic!("{problem}"))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ed25519(digest: &str) -> SshfpRecord {
    let digit = u8::from_str_radix(&digest[..2], 16).expect("hexadecimal");
    SshfpRecord { algorithm: 4, fp_type: 2, digest: vec![digit; 32] }
}

/// What became of a name, in one line.
fn told(result: &Result<Sshfp, SshfpFault>) -> String {
    match result {
        Ok(found) => match &found.security {
            Security::Insecure(why) => format!("insecure: {why}"),
            Security::Bogus(why) => format!("bogus: {why}"),
            other => format!("{other:?}"),
        },
        Err(fault) => format!("none: {fault}"),
    }
}

#[track_caller]
fn expect(stage: &Stage, server: &str, trust_ad: bool, anchors: Anchors, rows: &[(&str, &str)]) {
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    let results = stage.ask(server, trust_ad, anchors, &names);
    let wrong: Vec<String> = rows
        .iter()
        .zip(&results)
        .filter(|((_, expected), result)| !told(result).starts_with(expected))
        .map(|((name, expected), result)| format!("{name}: {} instead of {expected}", told(result)))
        .collect();
    assert!(wrong.is_empty(), "{server}, trust-ad {trust_ad}:\n{}", wrong.join("\n"));
}

/// What holds whichever resolver passes the signatures on.
const BY_SIGNATURES: [(&str, &str); 12] = [
    ("host.signed.lab", "Secure"),
    ("wrong.signed.lab", "Secure"),
    ("type.signed.lab", "Secure"),
    ("alias.signed.lab", "Secure"),
    // Its denial by NSEC is not understood, that by NSEC3 is.
    ("any.wild.signed.lab", "insecure: any.wild.signed.lab. comes of a wildcard, and whether it may is not proved"),
    ("host.nsec3.lab", "Secure"),
    ("any.wild.nsec3.lab", "Secure"),
    ("none.signed.lab", "none: no SSHFP record"),
    ("gone.signed.lab", "none: no such name"),
    ("host.unsigned.lab", "insecure: the zone of host.unsigned.lab. is not signed"),
    ("out.signed.lab", "insecure: the zone of host.unsigned.lab. is not signed"),
    ("none.unsigned.lab", "none: no SSHFP record"),
];

/// What a resolver that validates refuses, and what is wrong with it all the same.
const BROKEN: [(&str, &str); 4] = [
    ("forged.signed.lab", "bogus: no signature over SSHFP of forged.signed.lab. holds"),
    ("host.expired.lab", "bogus: the signature over SSHFP of host.expired.lab. expired 5 days ago"),
    ("host.wrongds.lab", "bogus: no signature over SSHFP of host.wrongds.lab. holds"),
    ("host.stripped.lab", "bogus: SSHFP of host.stripped.lab. is not signed, though its zone is"),
];

#[test]
fn fingerprints_are_as_secure_as_their_chain() {
    let Some(_lab) = lab() else { return };
    let stage = Stage::new();
    let _validating = stage.zones.resolver(&stage.netns, address(VALIDATING), true);
    let _plain = stage.zones.resolver(&stage.netns, address(PLAIN), false);
    for server in [VALIDATING, PLAIN] {
        for anchors in [stage.root(), anchors(&stage.zones.anchor_digest())] {
            expect(&stage, server, false, anchors.clone(), &BY_SIGNATURES);
            expect(&stage, server, false, anchors, &BROKEN);
        }
    }
    let names = ["host.signed.lab", "wrong.signed.lab", "type.signed.lab", "alias.signed.lab"];
    let found = stage.ask(VALIDATING, false, stage.root(), &names).into_iter().map(Result::unwrap);
    let found: Vec<(String, Vec<SshfpRecord>)> = found.map(|found| (found.name, found.records)).collect();
    let odd = SshfpRecord { algorithm: 200, fp_type: 99, digest: vec![0, 255] };
    let expected = [ed25519(RIGHT), ed25519(WRONG), odd, ed25519(RIGHT)].map(|record| vec![record]);
    assert_eq!(found, names.map(str::to_owned).into_iter().zip(expected).collect::<Vec<_>>());

    // The anchor of one zone is enough for it, and says nothing of the others.
    let own = [("host.signed.lab", "Secure"), ("host.nsec3.lab", "insecure: no trust anchor is above host.nsec3.lab.")];
    expect(&stage, VALIDATING, false, anchors(&stage.zones.anchor_of("signed.lab.")), &own);
    // Another key than the zone has; the world's root where this one is meant.
    let other = anchors(&stage.zones.anchor_of("stripped.lab."));
    expect(
        &stage,
        PLAIN,
        false,
        other,
        &[("host.stripped.lab", "insecure: no signature can be checked: 192.0.2.55:53")],
    );
    let no_key_of = [("host.signed.lab", "bogus: none of the keys of . is the trusted one")];
    expect(&stage, VALIDATING, false, Anchors::root(), &no_key_of);
}

#[test]
fn fingerprints_by_the_ad_bit_only_for_who_trusts_it() {
    let Some(_lab) = lab() else { return };
    let stage = Stage::new();
    let _validating = stage.zones.resolver(&stage.netns, address(VALIDATING), true);
    let _plain = stage.zones.resolver(&stage.netns, address(PLAIN), false);
    let _lying = NameServer::start(&stage.netns, address(LYING));
    let trusted = [
        ("host.signed.lab", "SecureByAd"),
        ("alias.signed.lab", "SecureByAd"),
        ("host.unsigned.lab", "insecure: the zone of host.unsigned.lab. is not signed"),
        ("none.signed.lab", "none: no SSHFP record"),
    ];
    expect(&stage, VALIDATING, true, stage.root(), &trusted);
    expect(&stage, VALIDATING, true, stage.root(), &BROKEN);
    // It never says AD: signatures count.
    expect(&stage, PLAIN, true, stage.root(), &BY_SIGNATURES);
    // Nothing but the bit speaks for these records.
    let ignored = [("vouched.lab.test", "insecure: no signature can be checked: 192.0.2.56:53 gives no")];
    expect(&stage, LYING, false, Anchors::root(), &ignored);
    expect(&stage, LYING, false, stage.root(), &ignored);
    expect(&stage, LYING, true, Anchors::root(), &[("vouched.lab.test", "SecureByAd")]);
}

#[test]
fn fingerprints_of_a_resolver_in_trouble() {
    let Some(_lab) = lab() else { return };
    let stage = Stage::new();
    let _validating = stage.zones.resolver(&stage.netns, address(VALIDATING), true);
    let _lying = NameServer::start(&stage.netns, address(LYING));
    // The trust anchor is the lab's root by name only: the resolver's verdict is all there is to tell.
    let unrelated = anchors(&stage.zones.anchor_of("stripped.lab."));
    let told = "none: 192.0.2.54:53 answered SERVFAIL, but has records when asked not to check (CD): the DNSSEC chain";
    expect(&stage, VALIDATING, false, unrelated, &[("host.expired.lab", told), ("forged.signed.lab", told)]);
    let start = Instant::now();
    let rows = [
        ("gone.lab.test", "none: no such name"),
        ("empty.lab.test", "none: no SSHFP record"),
        ("broken.lab.test", "none: 192.0.2.56:53 answered SERVFAIL"),
        ("refused.lab.test", "none: 192.0.2.56:53 answered REFUSED"),
        ("loop.lab.test", "none: "),
        ("garbage.lab.test", "none: "),
        ("mute.lab.test", "none: no answer in time"),
    ];
    expect(&stage, LYING, false, stage.root(), &rows);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
