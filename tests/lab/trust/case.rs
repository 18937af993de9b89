//! A row of the tables, and how an answer of ours compares with one of ssh's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::openssh;

/// One server, what the files hold about it, and what is to be said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// What the row is about; no two of one test have the same.
    pub(super) name: &'static str,
    /// Labels of the host keys, and behind a slash how the first of them is certified: the authority's label and options
    /// of `ssh-keygen -s`.
    pub(super) server: &'static str,
    /// The target. `{h}` is the server's address, here and everywhere, `{n}` its name.
    pub(super) target: &'static str,
    /// Lines of known_hosts. `{ed1}` is the type and base64 of the key of that label, `{#h}` the address hashed.
    pub(super) known: &'static str,
    /// Code and arg, the keys in the record (label, trust, the line of `known` that decided), the number of connections, and
    /// behind a plus sign the findings that are about trust.
    pub(super) ours: &'static str,
    /// What ssh says, in the words of [`said_by_ssh`].
    pub(super) ssh: &'static str,
    /// Why the two may differ. They have to, then.
    pub(super) why: Why,
}

/// A row. The columns are those of [`Row`], in its order.
pub(super) const fn row(
    name: &'static str,
    server: &'static str,
    target: &'static str,
    known: &'static str,
    ours: &'static str,
    ssh: &'static str,
    why: Why,
) -> Row {
    Row { name, server, target, known, ours, ssh, why }
}

/// Why we may differ from ssh: every reason that there is. What is quoted is what this project was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// We do not.
    Agree,
    /// "`host-key-type-gone` and `host-key-type-unknown` are told apart from `host-key-changed`"; ssh says CHANGED to all three.
    Type,
    /// "The probe asks for the key types that known_hosts holds for that host first, so that one connection usually decides",
    /// where ssh does so only if its own first choice is not among them, and never for what stands there without the port.
    KnownFirst,
    /// "A matching CA line with a bad certificate and an unknown plain key is `host-cert-invalid`"; ssh says why on the way and
    /// ends with the plain key as unknown.
    BadCertificate,
    /// "Principals (with the 10.3 change noted)": our rules are those of OpenSSH 10.3, and an older ssh has the older ones.
    Principals,
    /// "Only where needed, or with `--host-key-types all`, further connections fetch the others": ssh sees one key a connection.
    All,
    /// "`--bad-keys FILE` takes a list of fingerprints known to the world"; ssh has no such list.
    BadKeys,
    /// There is no outcome for it among those of host-key-mismatch, so it is a finding beside the name's own answer; ssh asks the
    /// user, and with nobody to ask it leaves.
    Address,
}

impl Why {
    /// Whether the installed ssh is to differ from us for this reason.
    fn holds(self) -> bool {
        match self {
            Self::Agree => false,
            Self::Principals => openssh::version() < (10, 3),
            _ => true,
        }
    }
}

/// A record in the words of [`Row::ours`]. `labels` are those of keys by their base64, `lines` the places of the row's lines.
pub(super) fn written(record: &Value, labels: &BTreeMap<String, String>, lines: &[String]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut code = text(&record["code"]);
    if let Some(arg) = record["arg"].as_str() {
        code = format!("{code} {arg}");
    }
    let keys = record["host_keys"].as_array().cloned().unwrap_or_default();
    let key = |key: &Value| {
        let label = labels.get(&text(&key["key"])).cloned().unwrap_or_else(|| String::from("a stranger"));
        let source = match key["source"].as_str() {
            None => String::from("-"),
            Some(source) => match lines.iter().position(|line| line == source) {
                Some(at) => (at + 1).to_string(),
                None => source.rsplit('/').next().unwrap_or(source).to_owned(),
            },
        };
        format!("{label} {} {source}", text(&key["trust"]))
    };
    let keys: Vec<String> = keys.iter().map(key).collect();
    let mut written = format!("{code} | {} | {}", keys.join("; "), record["connections"]);
    let findings = about_trust(record);
    if !findings.is_empty() {
        written += &format!(" + {}", findings.join(", "));
    }
    written
}

/// The findings about trust. That servers share a key is left out: in the tables they all do.
fn about_trust(record: &Value) -> Vec<&str> {
    const OTHERS: [&str; 3] = ["bad-host-signature", "incomplete", "shared-host-key"];
    let findings = record["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids = findings.iter().filter_map(|finding| finding["id"].as_str());
    ids.filter(|id| id.starts_with("host-") || OTHERS[..2].contains(id)).collect()
}

/// What our answer comes to, in the first word of what ssh says.
pub(super) fn meant(record: &Value) -> String {
    let trusts: Vec<&str> =
        record["host_keys"].as_array().into_iter().flatten().filter_map(|key| key["trust"].as_str()).collect();
    let finding = |id: &str| about_trust(record).contains(&id);
    match record["code"].as_str().expect("a code") {
        _ if trusts.contains(&"revoked") => String::from("revoked"),
        "ok" if finding("host-key-unknown") => String::from("unknown"),
        "ok" if trusts.iter().any(|trust| matches!(*trust, "match" | "ca-match")) => String::from("accepted"),
        "host-key-changed" => String::from("changed"),
        "host-key-unknown" => String::from("unknown"),
        "bad-host-signature" => String::from("not-proven"),
        other => other.to_owned(),
    }
}

/// What ssh wrote to standard error: one word, and behind a colon what it finds wrong with a certificate.
pub(super) fn said_by_ssh(said: &str) -> String {
    let words = [
        ("WARNING: REVOKED HOST KEY DETECTED!", "revoked"),
        (" revoked by file ", "revoked"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "changed"),
        (" differs from the key for the IP address ", "address"),
        (" host key is known for ", "unknown"),
        ("incorrect signature", "not-proven"),
        ("Permission denied (", "accepted"),
    ];
    let word = words.iter().find(|(text, _)| said.contains(text)).map(|(_, word)| *word);
    let word = word.unwrap_or_else(|| panic!("what does ssh mean?\n{said}"));
    let fault = said.lines().map(str::trim).find(|line| line.starts_with("Certificate "));
    fault.map_or_else(|| word.to_owned(), |fault| format!("{word}: {fault}"))
}

impl Row {
    /// Whatever is wrong with the two answers to this row; `exit` is what the program exits with for this target alone.
    pub(super) fn differences(&self, record: &Value, written: &str, exit: Option<i32>, ssh: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, found: &str, wanted: &str| {
            if found != wanted {
                wrong.push(format!("{}: {what}\n    is     {found}\n    not    {wanted}", self.name));
            }
        };
        compare("the record", written, self.ours);
        let status = record["status"].as_str().unwrap_or_default();
        let ok = self.ours.starts_with("ok ");
        compare(
            "the status",
            status,
            if ok {
                "ok"
            } else if self.ours.starts_with("bad-host") {
                "kex-failure"
            } else {
                "host-key-mismatch"
            },
        );
        compare("the exit code", &format!("{exit:?}"), &format!("{:?}", Some(i32::from(!ok))));
        let newer = self.why == Why::Principals && !self.why.holds();
        if !newer {
            compare("ssh", ssh, self.ssh);
        }
        let ours = meant(record);
        let word = ssh.split(':').next().unwrap_or_default();
        match (ours == word, self.why.holds()) {
            (true, false) | (false, true) => {}
            (false, false) => compare("a difference from ssh that nobody asked for", &ours, word),
            (true, true) => {
                compare("no difference from ssh, though one is explained", &ours, &format!("{:?}", self.why))
            }
        }
        wrong
    }
}
