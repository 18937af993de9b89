//! The one table of columns: what a row of the table format can show of a record.

use std::time::Duration;

use sshprobe_probes::diagnose::Status;
use sshprobe_probes::escape::escape;
use sshprobe_probes::record::Record;

use crate::report::layout::Wish;
use crate::report::selection::is_silence;
use crate::report::span::show;

/// A column: one line of [`COLUMNS`].
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// How wide it wants to be.
    pub wish: Wish,
    /// Numbers stand to the right.
    pub right: bool,
    /// It is never cut: half an address is worse than a crooked table.
    pub whole: bool,
    /// What it shows, safe for a terminal.
    pub cell: fn(&Record) -> String,
}

/// Every column, from left to right.
pub static COLUMNS: [Column; 7] = [
    Column {
        title: "STATUS",
        wish: Wish { least: 14, most: Some(17), leaves: 0 },
        right: false,
        whole: true,
        cell: |record| record.status.name().to_owned(),
    },
    Column {
        title: "HOST",
        wish: Wish { least: 18, most: Some(30), leaves: 0 },
        right: false,
        whole: true,
        cell: host,
    },
    Column {
        title: "TIME",
        wish: Wish { least: 6, most: Some(6), leaves: 2 },
        right: true,
        whole: true,
        cell: |record| record.timing_us.total.map_or_else(String::new, |us| show(Duration::from_micros(us))),
    },
    Column {
        title: "SOFTWARE",
        wish: Wish { least: 12, most: Some(20), leaves: 1 },
        right: false,
        whole: false,
        cell: |record| record.ident.as_ref().map_or_else(String::new, |ident| escape(&ident.software)),
    },
    Column {
        title: "HOST KEY",
        wish: Wish { least: 24, most: Some(58), leaves: 3 },
        right: false,
        whole: false,
        cell: host_key,
    },
    Column {
        title: "METHODS",
        wish: Wish { least: 9, most: Some(40), leaves: 4 },
        right: false,
        whole: false,
        cell: methods,
    },
    Column { title: "WHY", wish: Wish { least: 44, most: None, leaves: 0 }, right: false, whole: false, cell: why },
];

/// `host:port`, an IPv6 address in brackets; the address behind a name is not shown, as it is in the record.
fn host(record: &Record) -> String {
    let host = escape(&record.target.host);
    if host.contains(':') {
        format!("[{host}]:{}", record.target.port)
    } else {
        format!("{host}:{}", record.target.port)
    }
}

/// The first key's type, shortened, and its fingerprint.
fn host_key(record: &Record) -> String {
    let Some(key) = record.host_keys.first() else { return String::new() };
    let name = escape(&key.kind);
    let short = name.strip_prefix("ssh-").or_else(|| name.strip_prefix("ecdsa-sha2-")).unwrap_or(&name);
    format!("{short} {}", key.fingerprint)
}

/// The methods listed, in the server's order; what an empty list means `WHY` says.
fn methods(record: &Record) -> String {
    let methods = record.auth.as_ref().and_then(|auth| auth.methods.as_ref());
    methods.map_or_else(String::new, |methods| escape(methods.join(",")))
}

/// The code where the status does not say it all, then the sentence; of a healthy target what else was noticed.
fn why(record: &Record) -> String {
    if record.status == Status::Ok {
        let ids: Vec<&str> = record.findings.iter().map(|finding| finding.id.name()).collect();
        return ids.join(", ");
    }
    // The detail was escaped where it was made; what is escaped already stays as it is.
    let detail = escape(&record.detail);
    if record.code.name() == record.status.name() { detail } else { format!("{}: {detail}", record.code) }
}

/// The SGR parameter (ECMA-48 8.3.117) of a status: green is fine, yellow may pass by itself, red will not; what
/// nobody named and does not answer is dim.
#[must_use]
pub fn color(record: &Record) -> &'static str {
    match record.status {
        Status::Ok => "32",
        status if is_silence(status) && record.from_range => "2",
        Status::Timeout | Status::Throttled | Status::Tarpit => "33",
        Status::LocalError => "35",
        _ => "31",
    }
}
