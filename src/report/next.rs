//! What to look at next: the outcomes worth a look, each with the one command that tells more.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sshprobe_probes::diagnose::{Code, FindingId, Status};
use sshprobe_probes::escape::escape;
use sshprobe_probes::findings::Severity;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::host_port;

use crate::report::columns::severity;
use crate::report::selection::is_silence;

/// How many steps are shown: whoever has more to do begins with these.
const STEPS: usize = 3;

/// What is worth a look, with one example of each: no more than there are codes and findings.
#[derive(Debug, Default)]
pub(super) struct Next {
    codes: BTreeMap<Code, Seen>,
    findings: BTreeMap<FindingId, Seen>,
    /// Addresses of ranges that did not answer.
    silent: u64,
    /// Everything else.
    answered: u64,
}

#[derive(Debug)]
struct Seen {
    count: u64,
    example: Example,
}

/// A target that others can be told by.
#[derive(Debug, Clone)]
struct Example {
    host: String,
    port: u16,
    user: Option<String>,
    arg: Option<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// How many targets, what, and what that means.
    pub(super) what: String,
    /// The command to type.
    pub(super) command: String,
}

/// What commands can rely on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach<'a> {
    /// The targets are gone when the run is over: only what can be read about them is left.
    pub gone: bool,
    /// The options of this run that decide how a target is reached, as one would type them, with a blank after each.
    pub options: &'a str,
    /// Those of them that ssh has, as it has them; `None` where ssh does not get there by itself.
    pub ssh: Option<&'a str>,
}

impl Next {
    /// Notes one record.
    pub(super) fn add(&mut self, record: &Record) {
        if record.from_range && is_silence(record.status) {
            self.silent += 1;
        } else {
            self.answered += 1;
            if record.status != Status::Ok {
                note(&mut self.codes, record.code, record);
            }
        }
        for finding in record.findings.iter().filter(|finding| severity(finding) == Severity::High) {
            note(&mut self.findings, finding.id, record);
        }
    }

    /// Notes so many addresses of ranges that did not answer.
    pub(super) fn add_empty(&mut self, count: u64) {
        self.silent += count;
    }

    /// The most useful steps, the most urgent first; none where all is well.
    pub(super) fn steps(&self, reach: Reach<'_>) -> Vec<Step> {
        let mut steps: Vec<((u8, Reverse<u64>), Step)> = Vec::new();
        for (code, seen) in &self.codes {
            let title = code.diagnosis().map_or("", |diagnosis| diagnosis.title);
            let what = format!("{} {code}: {title}", crate::report::span::count(seen.count));
            steps.push(((urgency(*code), Reverse(seen.count)), Step { what, command: command(*code, seen, reach) }));
        }
        for (id, seen) in &self.findings {
            let title = id.text().map_or("", |text| text.title);
            let what = format!("{} {id}: {title}", crate::report::span::count(seen.count));
            steps.push(((1, Reverse(seen.count)), Step { what, command: format!("sshprobe explain {id}") }));
        }
        if self.answered == 0 && self.silent > 1 {
            let what = String::from("nothing answered at all: a filter or a missing route before all of it is likely");
            steps.push(((0, Reverse(0)), Step { what, command: String::from("sshprobe explain timeout-connect") }));
        }
        steps.sort_by_key(|(rank, _)| *rank);
        steps.into_iter().take(STEPS).map(|(_, step)| step).collect()
    }
}

fn note<K: Ord>(seen: &mut BTreeMap<K, Seen>, what: K, record: &Record) {
    let example = || Example {
        host: record.target.host.clone(),
        port: record.target.port,
        user: record.auth.as_ref().map(|auth| auth.user.to_string()),
        arg: record.arg.clone(),
    };
    seen.entry(what).or_insert_with(|| Seen { count: 0, example: example() }).count += 1;
}

/// What makes the other results doubtful comes first, then what smells of an attack, then the rest by its number.
fn urgency(code: Code) -> u8 {
    match code {
        Code::BadHostSignature => 1,
        _ => match code.status() {
            Status::LocalError => 0,
            Status::HostKeyMismatch => 1,
            _ => 2,
        },
    }
}

/// The command that tells most about an outcome: another look at one of the targets where that shows more than can be
/// read, else what can be read.
fn command(code: Code, seen: &Seen, reach: Reach<'_>) -> String {
    let Example { host, port, user, arg } = &seen.example;
    let explain = format!("sshprobe explain {code}");
    // A name that had to be escaped would reach another host, or none; one that begins with - would be an option.
    if reach.gone || escape(host) != *host || host.starts_with('-') {
        return explain;
    }
    let quoted = quote(host);
    let target = quote(&host_port(host, *port));
    match code {
        Code::NotSsh if arg.as_deref() == Some("http") => format!("curl -v {}", quote(&url("http", host, *port))),
        Code::NotSsh if arg.as_deref() == Some("tls") => format!("openssl s_client -connect {target}"),
        Code::DnsNxdomain | Code::DnsServfail | Code::DnsNoAddress | Code::DnsTimeout => {
            format!("getent ahosts {quoted}")
        }
        Code::ConnectedNoIdent | Code::IdentTimeout | Code::KexinitTimeout | Code::KexTimeout | Code::AuthTimeout => {
            format!("sshprobe -v --timeout 60s {}{target}", reach.options)
        }
        Code::TimeoutConnect => format!("sshprobe -v --connect-timeout 15s {}{target}", reach.options),
        Code::NoCommonKex
        | Code::NoCommonHostkey
        | Code::NoCommonCipher
        | Code::NoCommonMac
        | Code::NoCommonCompression
        | Code::KexClosed
        | Code::AuthClosed
        | Code::Disconnected
        | Code::ServiceDenied
        | Code::RefusedAtUserauth
        | Code::AuthNoMethods
        | Code::AuthNoCommonMethod
        | Code::AuthFailed => {
            let Some(options) = reach.ssh else { return explain };
            let user = user.as_ref().filter(|user| escape(user) == **user);
            let user = user.map_or_else(String::new, |user| format!("-l {} ", quote(user)));
            let port = if *port == 22 { String::new() } else { format!("-p {port} ") };
            format!("ssh -v {options}{port}{user}{quoted}")
        }
        _ => explain,
    }
}

fn url(scheme: &str, host: &str, port: u16) -> String {
    format!("{scheme}://{}/", host_port(host, port))
}

/// A word as a POSIX shell takes it for itself and nothing else.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::diagnose::Finding;
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::{healthy, hostile, record};

    fn steps(records: &[Record]) -> Vec<String> {
        let mut next = Next::default();
        records.iter().for_each(|record| next.add(record));
        next.steps(Reach { ssh: Some(""), ..Reach::default() }).into_iter().map(|step| step.command).collect()
    }

    fn failed(host: &str, code: Code) -> Record {
        record(host, code, Stage::Ident, "x")
    }

    #[test]
    fn where_all_is_well_there_is_nothing_to_do() {
        let mut empty = failed("10.0.0.1", Code::Refused);
        empty.from_range = true;
        assert_eq!(steps(&[healthy("a"), healthy("b"), empty]), [""; 0]);
    }

    #[test]
    fn what_is_urgent_comes_before_what_is_frequent_and_three_are_enough() {
        let mut open = healthy("open");
        open.findings.push(Finding::new(FindingId::AuthNoneAccepted, "none was accepted"));
        let mut records = vec![open, failed("a", Code::BadHostSignature), failed("b", Code::LocalResourceLimit)];
        records.extend((0..9).map(|_| failed("c", Code::ClosedNoIdent)));
        assert_eq!(
            steps(&records),
            [
                "sshprobe explain local-resource-limit",
                "sshprobe explain bad-host-signature",
                "sshprobe explain auth-none-accepted"
            ]
        );
        records.drain(..3);
        records.push(failed("10.0.0.7", Code::TimeoutConnect));
        assert_eq!(
            steps(&records),
            ["sshprobe explain closed-no-ident", "sshprobe -v --connect-timeout 15s 10.0.0.7:22"]
        );
    }

    #[test]
    fn silence_everywhere_is_worth_a_word() {
        let mut empty = failed("10.0.0.1", Code::TimeoutConnect);
        empty.from_range = true;
        assert_eq!(steps(&[empty.clone(), empty]), ["sshprobe explain timeout-connect"]);
    }

    #[test]
    fn names_are_quoted_for_the_shell_and_strange_ones_are_left_out() {
        for (host, code, arg, command) in [
            ("web", Code::NoCommonKex, None, "ssh -v web"),
            ("2001:db8::7", Code::NotSsh, Some("http"), "curl -v 'http://[2001:db8::7]:22/'"),
            ("a;reboot", Code::DnsNxdomain, None, "getent ahosts 'a;reboot'"),
            ("a'b", Code::AuthTimeout, None, "sshprobe -v --timeout 60s 'a'\\''b:22'"),
            ("web", Code::NotSsh, Some("tls"), "openssl s_client -connect web:22"),
            ("-oProxyCommand=x", Code::NoCommonKex, None, "sshprobe explain no-common-kex"),
            ("a\u{202e}b", Code::NoCommonKex, None, "sshprobe explain no-common-kex"),
        ] {
            let mut record = failed(host, code);
            record.arg = arg.map(str::to_owned);
            assert_eq!(steps(&[record]), [command]);
        }
        for mut record in hostile() {
            record.code = Code::AuthFailed;
            record.status = Status::AuthFailure;
            assert_eq!(steps(&[record]), ["sshprobe explain auth-failed"]);
        }
    }

    #[test]
    fn every_own_command_names_a_code_that_is_explained() {
        for code in Code::ALL.iter().filter(|code| code.status() != Status::Ok) {
            let commands = steps(&[failed("host.example", *code)]);
            let [command] = commands.as_slice() else { panic!("{code}: {commands:?}") };
            let known = ["sshprobe ", "ssh -v ", "getent ahosts ", "curl -v ", "openssl "];
            assert!(known.iter().any(|start| command.starts_with(start)), "{command}");
            if let Some(word) = command.strip_prefix("sshprobe explain ") {
                assert!(word.parse::<Code>().is_ok_and(|code| code.diagnosis().is_some()), "{word}");
            }
        }
    }

    #[test]
    fn what_is_gone_can_only_be_read_about() {
        let mut next = Next::default();
        next.add(&failed("web", Code::NoCommonKex));
        let steps = next.steps(Reach { gone: true, ..Reach::default() });
        assert_eq!(steps[0].command, "sshprobe explain no-common-kex");
        let mut next = Next::default();
        next.add(&failed("web", Code::AuthTimeout));
        let steps = next.steps(Reach { gone: false, options: "--source 192.0.2.1 ", ssh: Some("-b 192.0.2.1 ") });
        assert_eq!(steps[0].command, "sshprobe -v --timeout 60s --source 192.0.2.1 web:22");
        let mut next = Next::default();
        next.add(&failed("web", Code::NoCommonKex));
        let command = |ssh| next.steps(Reach { ssh, ..Reach::default() })[0].command.clone();
        assert_eq!(command(Some("-F lab.conf -i id ")), "ssh -v -F lab.conf -i id web");
        assert_eq!(command(None), "sshprobe explain no-common-kex", "ssh would go another way");
    }
}
