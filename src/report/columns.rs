//! The one table of columns: what a row can show of a record, to people and to programs.

use std::fmt;
use std::time::Duration;

use sshprobe_probes::diagnose::{Finding, Status};
use sshprobe_probes::escape::escape;
use sshprobe_probes::findings::Severity;
use sshprobe_probes::record::{HostKey, Ident, Negotiated, Net, Record, Trust};
use sshprobe_probes::target::host_port;

use crate::report::layout::Wish;
use crate::report::selection::is_silence;
use crate::report::span::show;

/// A column: one line of [`COLUMNS`].
pub struct Column {
    /// Its name for `--columns`, and its heading in csv.
    pub name: &'static str,
    /// Its heading in a table.
    pub title: &'static str,
    /// How wide it wants to be in a table.
    pub wish: Wish,
    /// Numbers stand to the right.
    pub right: bool,
    /// It is never cut: half an address is worse than a crooked table.
    pub whole: bool,
    /// The formats that show it unasked.
    pub shown: Shown,
    /// What a program gets to read; numbers carry no unit but that of the column's name. Safe for a terminal too.
    pub value: fn(&Record) -> String,
    /// What a person gets to read, where that is something else. Safe for a terminal.
    pub cell: Option<fn(&Record) -> String>,
    /// The same in fewer words, for where `cell` does not fit.
    pub brief: Option<fn(&Record) -> String>,
}

/// Which formats show a column unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The table and csv.
    Everywhere,
    /// The table alone: csv has its parts.
    Table,
    /// csv alone.
    Csv,
    /// None: `--columns` has to name it.
    OnDemand,
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Column {
    /// What a person gets to read.
    #[must_use]
    pub fn cell(&self, record: &Record) -> String {
        self.cell.unwrap_or(self.value)(record)
    }

    /// What a person gets to read where there is little room.
    #[must_use]
    pub fn brief(&self, record: &Record) -> String {
        self.brief.or(self.cell).unwrap_or(self.value)(record)
    }

    /// The columns that the table shows unasked.
    pub fn of_table() -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(|column| matches!(column.shown, Shown::Everywhere | Shown::Table))
    }

    /// The columns that csv has unasked.
    pub fn of_csv() -> impl Iterator<Item = &'static Column> {
        COLUMNS.iter().filter(|column| matches!(column.shown, Shown::Everywhere | Shown::Csv))
    }
}

/// A choice of columns, in the order they are to stand in.
#[derive(Debug, Clone)]
pub struct Columns(pub Vec<&'static Column>);

const fn column(
    name: &'static str,
    title: &'static str,
    shown: Shown,
    least: usize,
    most: usize,
    value: fn(&Record) -> String,
) -> Column {
    let wish = Wish { least, most: Some(most), leaves: 0, steps: false };
    Column { name, title, wish, right: false, whole: false, shown, value, cell: None, brief: None }
}

const fn number(name: &'static str, title: &'static str, shown: Shown, value: fn(&Record) -> String) -> Column {
    Column { right: true, whole: true, ..column(name, title, shown, 6, 9, value) }
}

/// Every column, from left to right.
pub static COLUMNS: [Column; 52] = [
    Column { whole: true, ..column("status", "STATUS", Shown::Everywhere, 14, 14, |r| r.status.name().to_owned()) },
    column("code", "CODE", Shown::Csv, 16, 26, |r| r.code.name().to_owned()),
    column("arg", "ARG", Shown::Csv, 6, 12, |r| optional(r.arg.as_ref())),
    column("stage", "STAGE", Shown::Csv, 7, 7, |r| r.stage.name().to_owned()),
    Column {
        whole: true,
        cell: Some(host_and_port),
        ..column("host", "HOST", Shown::Everywhere, 18, 18, |r| escape(&r.target.host))
    },
    column("addr", "ADDRESS", Shown::Csv, 15, 39, |r| r.target.addr.map_or_else(String::new, |addr| addr.to_string())),
    number("port", "PORT", Shown::Csv, |r| r.target.port.to_string()),
    Column {
        wish: Wish { least: 6, most: Some(6), leaves: 2, steps: false },
        cell: Some(|r| r.timing_us.total.map_or_else(String::new, |us| show(Duration::from_micros(us)))),
        ..number("time_ms", "TIME", Shown::Everywhere, |r| millis(r.timing_us.total))
    },
    Column {
        wish: Wish { least: 12, most: Some(20), leaves: 1, steps: false },
        ..column("software", "SOFTWARE", Shown::Everywhere, 12, 20, |r| ident(r, |ident| escape(&ident.software)))
    },
    Column {
        wish: Wish { least: 18, most: Some(66), leaves: 4, steps: true },
        cell: Some(|r| key(r, |key| format!("{} {}{}", short_type(key), key.fingerprint, known(key)))),
        brief: Some(|r| key(r, short_key)),
        ..column("key", "HOST KEY", Shown::Table, 18, 66, |r| {
            key(r, |key| format!("{} {}", escape(&*key.kind), key.fingerprint))
        })
    },
    column("key_type", "KEY TYPE", Shown::Csv, 11, 19, |r| key(r, |key| escape(&*key.kind))),
    number("key_bits", "BITS", Shown::Csv, |r| key(r, |key| optional(key.bits.as_ref()))),
    column("fingerprint", "FINGERPRINT", Shown::Csv, 24, 50, |r| key(r, |key| key.fingerprint.clone())),
    column("signature", "SIGNATURE", Shown::Csv, 9, 9, |r| key(r, |key| word(&key.signature))),
    column("trust", "TRUST", Shown::Csv, 9, 11, |r| key(r, |key| word(&key.trust))),
    column("trust_source", "TRUST SOURCE", Shown::Csv, 20, 40, |r| key(r, |key| text(key.source.as_ref()))),
    column("known_as", "KNOWN AS", Shown::OnDemand, 12, 40, |r| key(r, |key| key.known_as.join(" "))),
    column("keys", "KEYS", Shown::OnDemand, 24, 80, |r| {
        let each = |key: &HostKey| escape(format!("{} {}{}", short_type(key), key.fingerprint, known(key)));
        r.host_keys.iter().map(each).collect::<Vec<_>>().join("; ")
    }),
    column("sshfp", "SSHFP", Shown::OnDemand, 8, 9, |r| {
        key(r, |key| key.sshfp.as_ref().map_or_else(String::new, |sshfp| sshfp.result.clone()))
    }),
    Column {
        wish: Wish { least: 18, most: Some(40), leaves: 3, steps: false },
        brief: Some(short_methods),
        ..column("methods", "METHODS", Shown::Everywhere, 12, 40, methods)
    },
    Column {
        wish: Wish { least: 44, most: None, leaves: 0, steps: false },
        brief: Some(serious),
        ..column("why", "WHY", Shown::Table, 44, 44, why)
    },
    Column {
        wish: Wish { least: 30, most: None, leaves: 0, steps: false },
        ..column("detail", "DETAIL", Shown::Csv, 30, 30, |r| escape(&r.detail))
    },
    column("findings", "FINDINGS", Shown::Csv, 18, 60, |r| names(r.findings.iter())),
    column("target", "TARGET", Shown::Csv, 18, 40, |r| escape(&*r.target.input)),
    number("index", "INDEX", Shown::Csv, |r| r.target.index.to_string()),
    column("started", "STARTED", Shown::Csv, 24, 24, |r| r.started.to_string()),
    column("via", "VIA", Shown::OnDemand, 5, 13, |r| word(&r.target.via)),
    column("user", "USER", Shown::OnDemand, 6, 16, |r| {
        r.auth.as_ref().map_or_else(String::new, |auth| escape(&*auth.user))
    }),
    column("confidence", "CONFIDENCE", Shown::OnDemand, 10, 10, |r| word(&r.confidence)),
    number("connections", "CONNS", Shown::OnDemand, |r| r.connections.to_string()),
    number("attempts", "TRIES", Shown::OnDemand, |r| r.attempts.to_string()),
    column("ident", "IDENTIFICATION", Shown::OnDemand, 24, 60, |r| ident(r, |ident| escape(&ident.raw))),
    column("product", "PRODUCT", Shown::OnDemand, 8, 16, |r| ident(r, |ident| text(ident.product.as_ref()))),
    column("version", "VERSION", Shown::OnDemand, 7, 12, |r| ident(r, |ident| text(ident.version.as_ref()))),
    column("os", "OS", Shown::OnDemand, 9, 16, |r| ident(r, |ident| text(ident.os.as_ref()))),
    column("device", "DEVICE", Shown::OnDemand, 8, 20, |r| ident(r, |ident| text(ident.device.as_ref()))),
    column("package", "PACKAGE", Shown::OnDemand, 9, 16, |r| ident(r, |ident| text(ident.package.as_ref()))),
    column("kex", "KEX", Shown::OnDemand, 18, 36, |r| agreed(r, |agreed| escape(&*agreed.kex))),
    column("host_key_alg", "HOST KEY ALG", Shown::OnDemand, 12, 20, |r| agreed(r, |agreed| escape(&*agreed.host_key))),
    column("cipher", "CIPHER", Shown::OnDemand, 16, 32, |r| agreed(r, |agreed| escape(&*agreed.cipher))),
    column("mac", "MAC", Shown::OnDemand, 13, 32, |r| agreed(r, |agreed| text(agreed.mac.as_ref()))),
    column("hassh", "HASSH", Shown::OnDemand, 32, 32, |r| {
        r.kexinit.as_ref().map_or_else(String::new, |kexinit| escape(&kexinit.hassh_server))
    }),
    column("banner", "BANNER", Shown::OnDemand, 16, 60, |r| {
        r.auth.as_ref().map_or_else(String::new, |auth| escape(&auth.banner))
    }),
    column("errno", "ERRNO", Shown::OnDemand, 12, 16, |r| net(r, |net| text(net.errno.as_ref()))),
    column("icmp", "ICMP", Shown::OnDemand, 5, 28, |r| net(r, icmp)),
    number("resolve_ms", "RESOLVE", Shown::OnDemand, |r| millis(r.timing_us.resolve)),
    number("connect_ms", "CONNECT", Shown::OnDemand, |r| millis(r.timing_us.connect)),
    number("ident_ms", "IDENT", Shown::OnDemand, |r| millis(r.timing_us.ident)),
    number("kexinit_ms", "KEXINIT", Shown::OnDemand, |r| millis(r.timing_us.kexinit)),
    number("kex_ms", "KEX", Shown::OnDemand, |r| millis(r.timing_us.kex)),
    number("auth_ms", "AUTH", Shown::OnDemand, |r| millis(r.timing_us.auth)),
    number("login_ms", "LOGIN", Shown::OnDemand, |r| millis(r.timing_us.login)),
];

/// `host:port`, an IPv6 address in brackets; the address behind a name is not shown, as it is in the record.
fn host_and_port(record: &Record) -> String {
    host_port(&escape(&record.target.host), record.target.port)
}

fn optional(value: Option<&impl ToString>) -> String {
    value.map_or_else(String::new, |value| escape(value.to_string()))
}

fn text(value: Option<&impl AsRef<str>>) -> String {
    value.map_or_else(String::new, |value| escape(value.as_ref()))
}

/// A serialised word as it stands in the record.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Microseconds as milliseconds, exactly.
fn millis(micros: Option<u64>) -> String {
    micros.map_or_else(String::new, |us| format!("{}.{:03}", us / 1000, us % 1000))
}

fn ident(record: &Record, of: impl Fn(&Ident) -> String) -> String {
    record.ident.as_deref().map_or_else(String::new, of)
}

fn agreed(record: &Record, of: impl Fn(&Negotiated) -> String) -> String {
    record.negotiated.as_ref().map_or_else(String::new, of)
}

fn net(record: &Record, of: impl Fn(&Net) -> String) -> String {
    record.net.as_ref().map_or_else(String::new, of)
}

fn icmp(net: &Net) -> String {
    let Some(icmp) = &net.icmp else { return String::new() };
    let from = icmp.from.map_or_else(String::new, |from| format!(" from {from}"));
    format!("{}/{}{from}", icmp.kind, icmp.code)
}

/// Of the key that the outcome speaks of: one that is not the one known, else the first.
fn key(record: &Record, of: impl Fn(&HostKey) -> String) -> String {
    let mut worst_first = [Trust::Revoked, Trust::Changed, Trust::CaMismatch].into_iter();
    let worst = worst_first.find_map(|trust| record.host_keys.iter().find(|key| key.trust == trust));
    worst.or(record.host_keys.first()).map_or_else(String::new, |key| escape(of(key)))
}

fn short_type(key: &HostKey) -> &str {
    let name = &*key.kind;
    name.strip_prefix("ssh-").or_else(|| name.strip_prefix("ecdsa-sha2-")).unwrap_or(name)
}

/// What known_hosts says of it, as a word behind it.
fn known(key: &HostKey) -> String {
    if key.trust == Trust::Unchecked { String::new() } else { format!(" {}", word(&key.trust)) }
}

/// Of a key that is the one known nobody has to compare the fingerprint; one that is not known needs no word, as most are not
/// where addresses are swept.
fn short_key(key: &HostKey) -> String {
    match key.trust {
        Trust::Match | Trust::CaMatch => format!("{}{}", short_type(key), known(key)),
        Trust::Unknown => format!("{} {}", short_type(key), short_fingerprint(key)),
        _ => format!("{} {}{}", short_type(key), short_fingerprint(key), known(key)),
    }
}

/// What a person compares first, and enough to tell the keys of a fleet apart: 48 bits.
fn short_fingerprint(key: &HostKey) -> String {
    let (hash, digits) = key.fingerprint.split_once(':').unwrap_or(("", &key.fingerprint));
    // Six bits a character, or the same of pairs of hexadecimal digits with colons.
    digits.chars().take(if hash == "MD5" { 17 } else { 8 }).collect()
}

/// The methods listed, in the server's order; what an empty list means `why` says.
fn methods(record: &Record) -> String {
    let methods = record.auth.as_ref().and_then(|auth| auth.methods.as_ref());
    methods.map_or_else(String::new, |methods| escape(methods.join(",")))
}

/// The long ones as the options of sshd_config call them.
fn short_methods(record: &Record) -> String {
    let methods = record.auth.as_ref().and_then(|auth| auth.methods.as_deref()).unwrap_or_default();
    let short = methods.iter().map(|method| match method.as_str() {
        "publickey" => "pubkey",
        "keyboard-interactive" => "kbdinteractive",
        "gssapi-with-mic" => "gssapi",
        other => other,
    });
    escape(short.collect::<Vec<_>>().join(","))
}

fn names<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    findings.map(|finding| finding.id.name()).collect::<Vec<_>>().join(" ")
}

/// How much a finding matters.
pub(super) fn severity(finding: &Finding) -> Severity {
    finding.id.text().map_or(Severity::Info, |text| text.severity)
}

/// The findings from a severity on, the gravest first.
fn findings(record: &Record, from: Severity) -> String {
    let mut found: Vec<&Finding> = record.findings.iter().filter(|finding| severity(finding) >= from).collect();
    found.sort_by_key(|finding| std::cmp::Reverse(severity(finding)));
    names(found.into_iter())
}

/// The code where the status does not say it all, then the sentence; of a healthy target what else was noticed. What is
/// merely good to know is left to the record.
fn why(record: &Record) -> String {
    if record.status == Status::Ok {
        return findings(record, Severity::Low);
    }
    // The detail was escaped where it was made; what is escaped already stays as it is.
    let detail = escape(&record.detail);
    if record.code.name() == record.status.name() { detail } else { format!("{}: {detail}", record.code) }
}

/// The same of a healthy target, with nothing but what is to be put right at once.
fn serious(record: &Record) -> String {
    if record.status == Status::Ok { findings(record, Severity::High) } else { why(record) }
}

/// The SGR parameter (ECMA-48 8.3.117) of a status: green is fine, yellow may pass by itself, red will not; what
/// nobody named and does not answer is dim.
#[must_use]
pub fn color(record: &Record) -> &'static str {
    if record.from_range && is_silence(record.status) { "2" } else { color_of(record.status) }
}

/// [`color`] of a status alone.
#[must_use]
pub fn color_of(status: Status) -> &'static str {
    match status {
        Status::Ok => "32",
        Status::Timeout | Status::Throttled | Status::Tarpit => "33",
        Status::LocalError => "35",
        _ => "31",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::samples::{healthy, hostile};

    #[test]
    fn names_are_unique_and_made_for_a_command_line() {
        let names: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), COLUMNS.len());
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.iter().all(plain), "{names:?}");
    }

    #[test]
    fn no_column_lets_anything_through_that_steers_a_terminal() {
        for column in &COLUMNS {
            for record in hostile() {
                for cell in [(column.value)(&record), column.cell(&record), column.brief(&record)] {
                    assert!(!cell.chars().any(sshprobe_probes::escape::is_unsafe), "{column:?}: {cell:?}");
                }
            }
        }
    }

    #[test]
    fn programs_get_plain_numbers_and_whole_names() {
        let record = healthy("10.0.0.5");
        let value = |name: &str| {
            let column = COLUMNS.iter().find(|column| column.name == name).expect("a column");
            (column.value)(&record)
        };
        assert_eq!(value("time_ms"), "12.300");
        assert_eq!((value("host"), value("port")), (String::from("10.0.0.5"), String::from("22")));
        assert_eq!((value("key_type"), value("key_bits")), (String::from("ssh-ed25519"), String::from("256")));
        assert_eq!((value("signature"), value("trust")), (String::from("verified"), String::from("match")));
        assert_eq!((value("os"), value("via")), (String::from("Debian 12"), String::from("tcp")));
    }
}
