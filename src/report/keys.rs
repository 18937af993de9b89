//! Proven host keys as lines that other programs read: known_hosts (sshd(8)), or the SSHFP records of a zone (RFC 4255).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::IpAddr;

use nix::net::if_::if_indextoname;
use sshprobe_probes::diagnose::FindingId;
use sshprobe_probes::record::{ProvenKey, Record};
use sshprobe_probes::trust::sshfp::records_for;
use sshprobe_probes::trust::{KeyTypes, LookupName, hashed_name, known_hosts_line};

use crate::report::format::Encoder;
use crate::report::selection::is_silence;
use crate::sys::entropy;

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of known_hosts.
    KnownHosts {
        /// Nobody can read the name in it.
        hashed: bool,
    },
    /// SSHFP records, one for each digest.
    Sshfp,
}

/// What is to be written of each record.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How.
    pub form: Form,
    /// Which keys; all where it says first.
    pub types: KeyTypes,
    /// Several targets may go by one name: what would be written a second time is left out.
    pub each_once: bool,
}

/// What a record has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gain {
    /// Nothing, and nobody expected anything: a silent address of a range.
    Nothing,
    /// Nothing, for this reason (escaped).
    Failed(String),
    /// Keys.
    Keys {
        /// Whose.
        name: LookupName,
        /// Proven ones, of the types asked for.
        keys: Vec<ProvenKey>,
        /// Which more of those types the server says it has, and why they are not there (escaped).
        lacking: Option<String>,
    },
}

impl Asked {
    /// What there is to write of a record.
    #[must_use]
    pub fn of(&self, record: &Record) -> Gain {
        let outcome = || match &record.arg {
            Some(arg) => format!("{} ({}): {}", record.code, sshprobe_probes::escape::escape(arg), record.detail),
            None => format!("{}: {}", record.code, record.detail),
        };
        let proven = record.proven_keys();
        if proven.is_empty() && record.from_range && is_silence(record.status) {
            return Gain::Nothing;
        }
        if proven.is_empty() {
            return Gain::Failed(outcome());
        }
        let Some(name) = name(record) else {
            return Gain::Failed(String::from("its name cannot stand in a line"));
        };
        if self.form == Form::Sshfp && place(record).parse::<IpAddr>().is_ok() {
            return Gain::Failed(String::from("an address has no SSHFP records; name the host"));
        }
        let has: Vec<&str> = proven.iter().map(|key| key.kind).collect();
        let keys: Vec<ProvenKey> = proven.iter().filter(|key| self.wants(key.kind)).cloned().collect();
        let mut lacking = record.unproven_types();
        lacking.retain(|kind| self.wants(kind));
        let incomplete = || record.findings.iter().find(|finding| finding.id == FindingId::Incomplete);
        let lacking = (!lacking.is_empty()).then(|| {
            let why = incomplete().map_or_else(outcome, |finding| finding.detail.to_string());
            format!("no {} key: {why}", lacking.join(", "))
        });
        match (keys.is_empty(), lacking) {
            (false, lacking) => Gain::Keys { name, keys, lacking },
            (true, Some(lacking)) => Gain::Failed(lacking),
            (true, None) => Gain::Failed(format!("no key of the types asked for; it has {}", has.join(", "))),
        }
    }

    fn wants(&self, kind: &str) -> bool {
        match &self.types {
            KeyTypes::Listed(types) => types.contains(&kind),
            KeyTypes::First | KeyTypes::All => true,
        }
    }
}

/// Where the target is, which is what ssh looks up.
fn place(record: &Record) -> &str {
    record.target.hostname.as_deref().unwrap_or(&record.target.host)
}

/// The name that ssh would look the target up by. A scope is written as the interface's name, as ssh is given it.
///
/// `None` if something in it would make other names of it in the file: a comma, a bar, a pattern. A target's name never has
/// such a thing, but an interface can be called anything.
fn name(record: &Record) -> Option<LookupName> {
    let host = match place(record).split_once('%') {
        Some((addr, scope)) => {
            let name = match scope.parse() {
                Ok(index) => if_indextoname(index).ok()?.into_string().ok()?,
                Err(_) => scope.to_owned(),
            };
            format!("{addr}%{name}")
        }
        None => place(record).to_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '%');
    let fine = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_') && host.chars().all(plain);
    fine.then(|| LookupName::new(&host, record.target.port))
}

/// The lines of every record, as far as it has any.
pub struct KeyLines {
    asked: Asked,
    /// Of what was written before.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl KeyLines {
    /// Nothing written yet.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        Self { asked, seen: HashSet::new(), hasher: RandomState::new() }
    }
}

impl Encoder for KeyLines {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        let Gain::Keys { name, keys, .. } = self.asked.of(record) else { return Ok(()) };
        for ProvenKey { blob, .. } in &keys {
            if self.asked.each_once && !self.seen.insert(self.hasher.hash_one((&name, blob))) {
                continue;
            }
            match self.asked.form {
                Form::Sshfp => {
                    for each in records_for(blob) {
                        writeln!(out, "{}", each.zone_line(name.host()))?;
                    }
                }
                Form::KnownHosts { hashed } => {
                    let names = if hashed {
                        hashed_name(&name, &entropy::salt().map_err(io::Error::other)?)
                    } else {
                        name.as_str().to_owned()
                    };
                    let line = known_hosts_line(&names, blob);
                    writeln!(out, "{}", line.ok_or_else(|| io::Error::other("a key that names no type"))?)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::diagnose::{Code, Finding};
    use sshprobe_probes::evidence::{Signature, Stage};
    use sshprobe_probes::record::Kexinit;

    use std::sync::Arc;

    use super::*;
    use crate::report::samples::{healthy, hostile, record};

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAJj1xd1gfGJ+bMHaKEXG05Y2E1SMXlo8P1B3fGR0t48";
    const KNOWN_HOSTS: Form = Form::KnownHosts { hashed: false };

    fn asked(form: Form) -> Asked {
        Asked { form, types: KeyTypes::All, each_once: false }
    }

    /// `host` with a proven Ed25519 key, offering these algorithms.
    fn proven(host: &str, port: u16, offers: &[&str]) -> Record {
        let mut record = healthy(host);
        record.target.port = port;
        record.host_keys[0].key = ED25519.to_owned();
        let none = Vec::new;
        record.kexinit = Some(Arc::new(Kexinit {
            kex: none(),
            host_key: offers.iter().map(ToString::to_string).collect(),
            cipher_c2s: none(),
            cipher_s2c: none(),
            mac_c2s: none(),
            mac_s2c: none(),
            comp_c2s: none(),
            comp_s2c: none(),
            first_kex_follows: false,
            hassh_server: String::new(),
            payload_b64: None,
        }));
        record
    }

    fn lines(asked: Asked, records: &[Record]) -> Vec<String> {
        let (mut lines, mut out) = (KeyLines::new(asked), Vec::new());
        records.iter().for_each(|record| lines.record(record, &mut out).expect("written"));
        let text = String::from_utf8(out).expect("ASCII");
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn names_stand_as_ssh_writes_them() {
        for (host, port, name) in [
            ("web1.example", 22, "web1.example"),
            ("web1.example", 2222, "[web1.example]:2222"),
            ("10.0.0.1", 22, "10.0.0.1"),
            ("10.0.0.1", 22022, "[10.0.0.1]:22022"),
            ("2001:db8::1", 22, "2001:db8::1"),
            ("2001:db8::1", 222, "[2001:db8::1]:222"),
        ] {
            let expected = format!("{name} ssh-ed25519 {ED25519}");
            assert_eq!(lines(asked(KNOWN_HOSTS), &[proven(host, port, &[])]), [expected]);
        }
        for written in ["fe80::1%1", "fe80::1%lo"] {
            let mut scoped = proven("x", 22, &[]);
            scoped.target.host = String::from(written);
            assert_eq!(lines(asked(KNOWN_HOSTS), &[scoped]), [format!("fe80::1%lo ssh-ed25519 {ED25519}")]);
        }
    }

    #[test]
    fn every_hashed_line_has_a_salt_of_its_own() {
        let host = proven("web1.example", 22, &[]);
        let lines = lines(asked(Form::KnownHosts { hashed: true }), &[host.clone(), host]);
        assert!(lines.iter().all(|line| line.starts_with("|1|") && line.ends_with(ED25519) && !line.contains("web1")));
        assert_ne!(lines[0], lines[1]);
    }

    #[test]
    fn records_of_a_zone_have_no_port_and_addresses_none() {
        let both = lines(asked(Form::Sshfp), &[proven("web1.example", 2222, &[])]);
        assert!(both[0].starts_with("web1.example IN SSHFP 4 1 ") && both[1].starts_with("web1.example IN SSHFP 4 2 "));
        for host in ["10.0.0.1", "::1"] {
            let record = proven(host, 22, &[]);
            assert_eq!(lines(asked(Form::Sshfp), std::slice::from_ref(&record)), Vec::<String>::new());
            assert!(matches!(asked(Form::Sshfp).of(&record), Gain::Failed(why) if why.contains("name the host")));
        }
    }

    #[test]
    fn what_was_not_proven_is_not_written() {
        let all = asked(KNOWN_HOSTS);
        for signature in [Signature::Bad, Signature::Unchecked] {
            let mut shown = proven("web1.example", 22, &["ssh-ed25519"]);
            shown.host_keys[0].signature = signature;
            (shown.code, shown.status) = (Code::BadHostSignature, Code::BadHostSignature.status());
            shown.detail = String::from("it does not hold");
            assert_eq!(all.of(&shown), Gain::Failed(String::from("bad-host-signature: it does not hold")));
            assert_eq!(lines(all.clone(), &[shown]), Vec::<String>::new());
        }
        let mut silent = record("10.0.0.1", Code::TimeoutConnect, Stage::Connect, "no answer");
        assert_eq!(all.of(&silent), Gain::Failed(String::from("timeout-connect: no answer")));
        silent.from_range = true;
        assert_eq!(all.of(&silent), Gain::Nothing);
        let mut web = record("10.0.0.1", Code::NotSsh, Stage::Ident, "this is http");
        (web.arg, web.from_range) = (Some(String::from("http")), true);
        assert_eq!(all.of(&web), Gain::Failed(String::from("not-ssh (http): this is http")));
    }

    #[test]
    fn a_type_that_is_offered_and_lacking_is_told() {
        let offers = ["rsa-sha2-512", "ssh-ed25519"];
        let mut host = proven("web1.example", 22, &offers);
        host.findings.push(Finding::new(FindingId::Incomplete, String::from("it ended early")));
        let Gain::Keys { keys, lacking, .. } = asked(KNOWN_HOSTS).of(&host) else { panic!("keys") };
        assert_eq!((keys.len(), lacking.as_deref()), (1, Some("no ssh-rsa key: it ended early")));
        let of = |types: &[&'static str]| Asked { types: KeyTypes::Listed(types.to_vec()), ..asked(KNOWN_HOSTS) };
        assert!(matches!(of(&["ssh-ed25519"]).of(&host), Gain::Keys { lacking: None, .. }));
        assert_eq!(of(&["ssh-rsa"]).of(&host), Gain::Failed(String::from("no ssh-rsa key: it ended early")));
        let none = "no key of the types asked for; it has ssh-ed25519";
        assert_eq!(of(&["ssh-dss"]).of(&host), Gain::Failed(String::from(none)));
        assert_eq!(lines(of(&["ssh-dss"]), &[host]), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_would_read_as_something_else_is_not_written() {
        for host in
            ["*", "a,b", "!a", "a b", "|1|x|y", "@revoked", "#a", "a\nb", "a\u{1b}[2J", "", "-a", "a]:22", "\u{e4}"]
        {
            let mut record = proven("web1.example", 22, &[]);
            record.target.host = host.to_owned();
            assert_eq!(lines(asked(KNOWN_HOSTS), std::slice::from_ref(&record)), Vec::<String>::new(), "{host:?}");
            assert!(matches!(asked(KNOWN_HOSTS).of(&record), Gain::Failed(_)), "{host:?}");
        }
        for mut record in hostile() {
            record.host_keys[0].key = ED25519.to_owned();
            assert_eq!(lines(asked(KNOWN_HOSTS), &[record]), Vec::<String>::new());
        }
    }

    #[test]
    fn what_the_addresses_of_one_name_share_is_written_once() {
        let host = proven("web1.example", 22, &[]);
        let (once, every) = (Asked { each_once: true, ..asked(KNOWN_HOSTS) }, asked(KNOWN_HOSTS));
        let other = proven("web1.example", 2222, &[]);
        let all = [host.clone(), other, host];
        assert_eq!((lines(once, &all).len(), lines(every, &all).len()), (2, 3));
    }
}
