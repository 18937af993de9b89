//! Mistakes that stood here once, each under a name of its own. The lab holds the same cases beside ssh.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::samples::certificate;
use super::{KeyTypes, KnownHost, KnownHosts, Policy, RevokedKeys, judge_keys, revoked::RevokedKeysBuilder};
use crate::case::{Case, Next, Settings};
use crate::diagnose::Code;
use crate::evidence::{Auth, Evidence, HostKey, Signature, Stage};
use crate::hostkey::{Certificate, UnixTime, key_type};
use crate::negotiate::Offer;
use crate::plan::Plan;
use crate::record::{Record, Run, Trust};
use crate::target::{Host, Target};
use crate::time::{Moment, UnixMicros};
use crate::wire::kexinit::KexInit;

/// 2026-11-23T12:00Z, within the samples' time.
const NOW: UnixTime = UnixTime(1_795_435_200);
const HOST: &str = "host.example";

fn ed25519(byte: u8) -> Vec<u8> {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend([byte; 32]);
    blob
}

fn rsa() -> Vec<u8> {
    let mut blob = b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x01\x01\0\xc1".to_vec();
    blob.extend([0xa5; 255]);
    blob
}

/// The key in a certificate, and its authority's.
fn parts(name: &str) -> (Vec<u8>, Vec<u8>) {
    let blob = certificate(name);
    let certificate = Certificate::parse(&blob).unwrap();
    (certificate.key.clone(), certificate.ca_key.to_vec())
}

fn written(blob: &[u8]) -> String {
    format!("{} {}", key_type(blob).unwrap(), STANDARD.encode(blob))
}

fn policy(lines: &[String]) -> Policy {
    let mut files = KnownHosts::builder();
    assert_eq!(files.file("kh", lines.join("\n").as_bytes()), []);
    Policy { known_hosts: Some(files.build().into()), ..Policy::default() }
}

fn target(port: u16) -> Target {
    Target {
        input: HOST.into(),
        index: 0,
        host: Host::Name(HOST.into()),
        port,
        place: None,
        user: None,
        from_range: false,
    }
}

fn known(policy: Policy, port: u16) -> KnownHost {
    KnownHost::new(&Arc::new(policy), &target(port))
}

/// A connection that showed this key, to a server that has these algorithms.
fn shown(blob: &[u8], offers: &str, port: u16) -> Evidence {
    let mut evidence = Evidence::new(format!("192.0.2.1:{port}").parse().unwrap(), Moment::START);
    evidence.stage = Stage::Auth;
    let lists: [&[u8]; 10] = std::array::from_fn(|at| if at == 1 { offers.as_bytes() } else { &[][..] });
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap());
    evidence.host_key = Some(HostKey { blob: blob.to_vec(), signature: Signature::Verified });
    let auth = Auth {
        service_accepted: true,
        none_sent: true,
        methods: Some([b"publickey".to_vec()].into()),
        ..Auth::default()
    };
    evidence.auth = Some(auth);
    evidence
}

fn judged(policy: Policy, port: u16, blob: &[u8]) -> (Trust, Option<(Code, Option<&'static str>)>) {
    let evidence = shown(blob, "ssh-ed25519", port);
    let host = known(policy, port);
    let judgement = judge_keys(&[&evidence], Some(&host), NOW).remove(0).judgement;
    (judgement.trust, judgement.mismatch.map(|mismatch| (mismatch.code, mismatch.arg)))
}

/// The record said `revoked` and the target was `ok`.
#[test]
fn a_key_revoked_under_the_name_without_its_port_fails_the_target() {
    let lines = [format!("@revoked {HOST} {}", written(&ed25519(1)))];
    let revoked = (Trust::Revoked, Some((Code::HostKeyRevoked, Some("marker"))));
    assert_eq!(judged(policy(&lines), 2222, &ed25519(1)), revoked);
    // A key of the name with the port settles it, as for ssh.
    let lines = [lines[0].clone(), format!("[{HOST}]:2222 {}", written(&ed25519(1)))];
    assert_eq!(judged(policy(&lines), 2222, &ed25519(1)), (Trust::Match, None));
}

/// An authority that is revoked only without the port was taken for one that nobody knows, and a revoked key in the certificate of
/// a trusted one for a good key.
#[test]
fn what_is_revoked_under_the_name_without_its_port_is_so_in_certificates_too() {
    let (plain, ca) = parts("good");
    let blob = certificate("good");
    let trusted = format!("@cert-authority {HOST} {}", written(&ca));
    let by_ca = [trusted.clone(), format!("@revoked {HOST} {}", written(&ca))];
    let by_key = [trusted, format!("@revoked {HOST} {}", written(&plain))];
    for port in [22, 2222] {
        let ca_revoked = (Trust::Revoked, Some((Code::HostCertInvalid, Some("ca-revoked"))));
        assert_eq!(judged(policy(&by_ca), port, &blob), ca_revoked, "{port}");
        let key_revoked = (Trust::Revoked, Some((Code::HostKeyRevoked, Some("marker"))));
        assert_eq!(judged(policy(&by_key), port, &blob), key_revoked, "{port}");
    }
    // The authority of the name with the port does not hold, and then the plain key is looked for.
    let expired = certificate("user");
    let (plain, ca) = parts("user");
    let lines =
        [format!("@cert-authority [{HOST}]:2222 {}", written(&ca)), format!("@revoked {HOST} {}", written(&plain))];
    let key_revoked = (Trust::Revoked, Some((Code::HostKeyRevoked, Some("marker"))));
    assert_eq!(judged(policy(&lines), 2222, &expired), key_revoked);
}

fn asked_first(policy: Policy, port: u16) -> String {
    let offer = Offer::modern();
    let offer = known(policy, port).reordered(&offer).unwrap_or(offer);
    offer.host_key().split(',').next().unwrap().to_owned()
}

/// Somebody's `@cert-authority` line made the keys of the name without its port count as types to ask for.
#[test]
fn types_known_without_the_port_are_not_asked_for_where_keys_are_known_with_it() {
    let (_, ca) = parts("good");
    let lines = [
        format!("@cert-authority another.example {}", written(&ca)),
        format!("[{HOST}]:2222 {}", written(&rsa())),
        format!("{HOST} {}", written(&ed25519(1))),
    ];
    assert_eq!(asked_first(policy(&lines), 2222), "rsa-sha2-512");
    assert_eq!(asked_first(policy(&lines), 22), "ssh-ed25519");
    let host = known(policy(&lines), 2222);
    let server = shown(&rsa(), "rsa-sha2-512,ssh-ed25519", 2222).kexinit.unwrap();
    assert_eq!(host.worth_fetching(&server, &["ssh-rsa"], true), [""; 0]);
    // Where there is nothing with the port, they are.
    assert_eq!(asked_first(policy(&lines[2..]), 2222), "ssh-ed25519");
}

fn list(keys: &[Vec<u8>]) -> RevokedKeys {
    let mut builder = RevokedKeysBuilder::default();
    let lines: Vec<String> = keys.iter().map(|key| written(key)).collect();
    assert_eq!(builder.file("list", lines.join("\n").as_bytes()), Ok(Vec::new()));
    builder.build()
}

/// A host known by its plain key was asked for that, and so never showed the certificate that is revoked.
#[test]
fn certificates_are_asked_for_where_something_is_revoked() {
    let (plain, ca) = parts("good");
    let line = format!("{HOST} {}", written(&plain));
    assert_eq!(asked_first(policy(std::slice::from_ref(&line)), 22), "ssh-ed25519");
    let marked = [line.clone(), format!("@revoked * {}", written(&ca))];
    assert_eq!(asked_first(policy(&marked), 22), "ssh-ed25519-cert-v01@openssh.com");
    let listed = Policy { revoked: list(std::slice::from_ref(&ca)).into(), ..policy(std::slice::from_ref(&line)) };
    assert_eq!(asked_first(listed, 22), "ssh-ed25519-cert-v01@openssh.com");
    let unknown = Policy { revoked: list(std::slice::from_ref(&ca)).into(), ..policy(&[]) };
    assert_eq!(asked_first(unknown, 22), "ssh-ed25519-cert-v01@openssh.com");
    // The certificate of the type that is known, not of any other.
    let other = [format!("{HOST} {}", written(&rsa()))];
    let other = Policy { revoked: list(&[ca]).into(), ..policy(&other) };
    assert_eq!(asked_first(other, 22), "rsa-sha2-512-cert-v01@openssh.com");
}

/// `--host-key-types rsa` brought an Ed25519 certificate first, and took a connection more.
#[test]
fn certificates_of_types_that_were_not_listed_are_not_asked_for_first() {
    let (_, ca) = parts("good");
    let lines = [format!("@cert-authority {HOST} {}", written(&ca))];
    assert_eq!(asked_first(policy(&lines), 22), "ssh-ed25519-cert-v01@openssh.com");
    let listed = Policy { key_types: KeyTypes::Listed(vec!["ssh-rsa"]), ..policy(&lines) };
    assert_eq!(asked_first(listed, 22), "rsa-sha2-512-cert-v01@openssh.com");
}

/// Runs a case to its end; the n-th connection shows the n-th key.
fn run(policy: Policy, shows: &[Vec<u8>]) -> Record {
    let epoch = UnixMicros(NOW.0 * 1_000_000);
    let run = Arc::new(Run { id: "test".into(), version: "0", epoch });
    let settings = Settings {
        plan: Arc::new(Plan::default()),
        retries: 0,
        per_host: Duration::from_secs(1),
        run,
        trust: Some(Arc::new(policy)),
    };
    let addr = "192.0.2.1:22".parse().unwrap();
    let mut case = Case::new(target(22), [addr], None, Arc::new(settings), Moment::START, 1);
    let mut shows = shows.iter();
    loop {
        match case.next(Moment::START) {
            Next::Connect(_) => {
                let blob = shows.next().expect("no connection more than that");
                case.add(shown(blob, "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512", 22));
            }
            Next::Done(record) => return *record,
        }
    }
}

/// A certificate that held left a doubt where its plain key differs from those known, and took connections more.
#[test]
fn a_certificate_that_holds_leaves_no_doubt_that_other_keys_could_settle() {
    let (_, ca) = parts("good");
    let authority = format!("@cert-authority {HOST} {}", written(&ca));
    let keys = [format!("{HOST} {}", written(&ed25519(2))), format!("{HOST} {}", written(&rsa()))];
    let lines = [authority, keys[0].clone(), keys[1].clone()];
    let record = run(policy(&lines), &[certificate("good")]);
    assert_eq!((record.code, record.connections, record.host_keys[0].trust), (Code::Ok, 1, Trust::CaMatch));
    // Neither does what is revoked.
    let revoked = Policy { revoked: list(&[ed25519(3)]).into(), ..policy(&keys) };
    let record = run(revoked, &[ed25519(3)]);
    assert_eq!((record.code, record.connections), (Code::HostKeyRevoked, 1));
    // A plain key that differs does.
    let record = run(policy(&lines), &[ed25519(3), rsa()]);
    assert_eq!((record.code, record.connections), (Code::HostKeyChanged, 2));
}
