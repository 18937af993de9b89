//! The closing summary: counts by status and code, where failures gather, how long each stage took, what to look at next.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::record::{Record, Trust};

use crate::report::columns::color_of;
use crate::report::format::Look;
use crate::report::histogram;
use crate::report::layout::{ascii, cut, ellipsis, width};
use crate::report::networks::Networks;
use crate::report::next::{Next, Reach};
use crate::report::shared_keys::SharedKeys;
use crate::report::span::{connections, count, counted, show};

/// How many networks are named.
const NETWORKS: usize = 5;

/// Where what belongs to a line's heading begins.
const INDENT: usize = 33;

/// What every record added up to, in memory that does not grow with their number.
#[derive(Debug)]
pub struct Summary {
    targets: u64,
    /// Those that an earlier part of the run had done.
    recalled: u64,
    connections: u64,
    codes: BTreeMap<Code, u64>,
    hidden: u64,
    latency: [Latency; STAGES.len()],
    networks: Networks,
    next: Next,
    /// Proven host keys by what known_hosts says of them.
    trust: [u64; TRUST.len()],
    shared: SharedKeys,
}

/// What is told of host keys, in this order; keys that nobody looked up are not.
const TRUST: [(Trust, &str); 6] = [
    (Trust::Match, "match"),
    (Trust::CaMatch, "ca-match"),
    (Trust::Unknown, "unknown"),
    (Trust::CaMismatch, "ca-mismatch"),
    (Trust::Changed, "changed"),
    (Trust::Revoked, "revoked"),
];

/// How to read one stage's time from a record; `None` where the stage was not passed.
type Reading = fn(&Record) -> Option<u64>;

/// The stages whose time is shown, and the whole.
const STAGES: [(&str, Reading); 8] = [
    ("resolve", |record| passed(record, "resolve", record.timing_us.resolve)),
    ("connect", |record| passed(record, "connect", record.timing_us.connect)),
    ("ident", |record| passed(record, "ident", record.timing_us.ident)),
    ("kexinit", |record| passed(record, "kexinit", record.timing_us.kexinit)),
    ("kex", |record| passed(record, "kex", record.timing_us.kex)),
    ("auth", |record| passed(record, "auth", record.timing_us.auth)),
    ("login", |record| passed(record, "login", record.timing_us.login)),
    ("whole, if ok", |record| (record.status == Status::Ok).then_some(record.timing_us.total).flatten()),
];

/// A stage that failed took as long as it took to fail: no latency of the server's.
fn passed(record: &Record, stage: &str, micros: Option<u64>) -> Option<u64> {
    if record.status != Status::Ok && record.stage.name() == stage { None } else { micros }
}

/// One stage's distribution.
#[derive(Debug)]
struct Latency {
    /// Microseconds, to two digits, up to an hour: 20 KiB.
    histogram: Option<Histogram<u64>>,
    longest: u64,
}

impl Latency {
    fn new() -> Self {
        Self { histogram: Histogram::new_with_bounds(1, 3_600_000_000, 2).ok(), longest: 0 }
    }

    fn add(&mut self, micros: u64) {
        self.longest = self.longest.max(micros);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(micros.max(1));
        }
    }
}

/// How the run as a whole went, for the summary's first line.
#[derive(Debug, Clone, Default)]
pub struct Closing<'a> {
    /// From the first target to the last record.
    pub elapsed: Duration,
    /// Connections to jump hosts, beside those that the records count. An earlier part of the run has left none of its own anywhere.
    pub to_jump_hosts: u64,
    /// It was ended before every target was probed.
    pub interrupted: bool,
    /// The option that lists what standard output left out.
    pub list_all: &'static str,
    /// What the place that it is shown on looks like.
    pub look: Look,
    /// What the commands shown can rely on.
    pub reach: Reach<'a>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            targets: 0,
            recalled: 0,
            connections: 0,
            codes: BTreeMap::new(),
            hidden: 0,
            latency: std::array::from_fn(|_| Latency::new()),
            networks: Networks::default(),
            next: Next::default(),
            trust: [0; TRUST.len()],
            shared: SharedKeys::default(),
        }
    }
}

impl Summary {
    /// Puts into a record what only the records before it can tell.
    pub fn compare(&mut self, record: &mut Record) {
        self.shared.note(record);
    }

    /// Counts one record.
    pub fn add(&mut self, record: &Record) {
        self.targets += 1;
        self.connections += u64::from(record.connections);
        *self.codes.entry(record.code).or_default() += 1;
        for ((_, reading), latency) in STAGES.iter().zip(&mut self.latency) {
            if let Some(micros) = reading(record) {
                latency.add(micros);
            }
        }
        for key in &record.host_keys {
            if let Some(at) = TRUST.iter().position(|(trust, _)| *trust == key.trust) {
                self.trust[at] += 1;
            }
        }
        self.networks.add(record);
        self.next.add(record);
    }

    /// Counts a record that an earlier part of the run has written.
    pub fn recall(&mut self, mut record: Record) {
        self.compare(&mut record);
        self.add(&record);
        self.recalled += 1;
    }

    /// Counts empty addresses of ranges that an earlier part of the run has done and not written: how many came to what, and
    /// where they are.
    pub fn recall_empty(
        &mut self,
        codes: &BTreeMap<Code, u64>,
        connections: u64,
        addrs: impl IntoIterator<Item = IpAddr>,
    ) {
        for (code, count) in codes {
            *self.codes.entry(*code).or_default() += count;
            self.targets += count;
            self.recalled += count;
            self.next.add_empty(*count);
        }
        self.connections += connections;
        addrs.into_iter().for_each(|addr| self.networks.add_empty(addr));
    }

    /// Counts an empty address of a range that has no record, and so none that standard output could have listed.
    pub fn add_empty(&mut self, code: Code, addr: IpAddr) {
        self.targets += 1;
        self.hidden += 1;
        *self.codes.entry(code).or_default() += 1;
        self.next.add_empty(1);
        self.networks.add_empty(addr);
    }

    /// Adds what another summary has counted, of empty addresses that have no record.
    pub fn absorb(&mut self, empty: Self) {
        self.targets += empty.targets;
        self.hidden += empty.hidden;
        for (code, count) in empty.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.next.add_empty(empty.targets);
        self.networks.absorb(empty.networks);
    }

    /// Counts a record that standard output left out.
    pub fn hide(&mut self) {
        self.hidden += 1;
    }

    /// How many came to what.
    #[must_use]
    pub const fn codes(&self) -> &BTreeMap<Code, u64> {
        &self.codes
    }

    /// How many records were counted.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.targets
    }

    /// The text, with a line end after each line. Of what came from the network it holds names, escaped and quoted.
    #[must_use]
    pub fn render(&self, closing: &Closing<'_>) -> String {
        let look = &closing.look;
        let mut out = format!(
            "{}{} in {}, {}",
            counted(self.targets, "target"),
            if self.recalled > 0 {
                format!(", {} of them before --resume,", count(self.recalled))
            } else {
                String::new()
            },
            show(closing.elapsed),
            connections(self.connections, closing.to_jump_hosts)
        );
        if closing.interrupted {
            out.push_str("; interrupted, the rest was not probed");
        }
        out.push('\n');
        self.render_codes(&mut out, look);
        if self.hidden > 0 {
            let _ = writeln!(out, "  ({} not listed; {} lists them all)", count(self.hidden), closing.list_all);
        }
        self.render_host_keys(&mut out, look);
        self.render_networks(&mut out, look);
        self.render_latency(&mut out, look);
        self.render_next(&mut out, closing);
        out
    }

    fn render_codes(&self, out: &mut String, look: &Look) {
        for status in Status::ALL {
            let codes: Vec<(Code, u64)> =
                self.codes.iter().map(|(code, n)| (*code, *n)).filter(|(code, _)| code.status() == *status).collect();
            let total: u64 = codes.iter().map(|(_, n)| n).sum();
            if total == 0 {
                continue;
            }
            let padding = " ".repeat(17_usize.saturating_sub(status.name().len()));
            let _ = write!(out, "  {}{padding}  {:>10}", paint(status.name(), color_of(*status), look), count(total));
            // A status with a single code of the same name has said it all.
            if codes.iter().any(|(code, _)| code.name() != status.name()) {
                list(out, &codes, look);
            }
            out.push('\n');
        }
    }

    fn render_host_keys(&self, out: &mut String, look: &Look) {
        let counted = TRUST.iter().zip(self.trust).filter(|(_, n)| *n > 0);
        let words: Vec<(&str, u64)> = counted.map(|((_, word), n)| (*word, n)).collect();
        if !words.is_empty() {
            let total = words.iter().map(|(_, n)| n).sum();
            let _ = write!(out, "  {}{:>21}", paint("host keys", "1", look), count(total));
            list(out, &words, look);
            out.push('\n');
        }
        let shared = self.shared.lines();
        if !shared.is_empty() {
            let _ = writeln!(out, "{}", paint("  the same host key at several addresses", "1", look));
            for line in shared {
                let _ = writeln!(out, "    {}", spell(&line, look));
            }
        }
    }

    fn render_networks(&self, out: &mut String, look: &Look) {
        let worst = self.networks.worst(NETWORKS);
        if worst.is_empty() {
            return;
        }
        // Counts of networks that had to be forgotten for a while are lower bounds.
        let least = if self.networks.forgot { "at least " } else { "" };
        let _ = writeln!(out, "{}", paint(&format!("  worst networks, {least}so many failing"), "1", look));
        for (network, tally) in worst {
            let failing = format!("{}/{}", count(tally.failures), count(tally.targets));
            let _ = write!(out, "  {network:<17}  {failing:>10}");
            list(out, &tally.codes, look);
            out.push('\n');
        }
    }

    fn render_latency(&self, out: &mut String, look: &Look) {
        let seen = |latency: &Latency| latency.histogram.as_ref().is_some_and(|histogram| !histogram.is_empty());
        if !self.latency.iter().any(seen) {
            return;
        }
        let heading =
            format!("  {:<17}  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}", "stage", "count", "p50", "p90", "p99", "max");
        let _ = writeln!(out, "{}", paint(&heading, "1", look));
        for ((name, _), latency) in STAGES.iter().zip(&self.latency) {
            let Some(histogram) = latency.histogram.as_ref().filter(|histogram| !histogram.is_empty()) else {
                continue;
            };
            let at =
                |quantile: f64| show(Duration::from_micros(histogram.value_at_quantile(quantile).min(latency.longest)));
            let _ = writeln!(
                out,
                "  {:<17}  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}",
                name,
                count(histogram.len()),
                at(0.5),
                at(0.9),
                at(0.99),
                show(Duration::from_micros(latency.longest))
            );
        }
        if let Some(histogram) = self.latency.last().and_then(|whole| whole.histogram.as_ref()) {
            for row in histogram::rows(histogram, look.ascii) {
                let line = format!("    {:<15}  {:>10}  {}", row.span, count(row.count), row.bar);
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
    }

    fn render_next(&self, out: &mut String, closing: &Closing<'_>) {
        let look = &closing.look;
        let steps = self.next.steps(closing.reach);
        if steps.is_empty() {
            return;
        }
        let _ = writeln!(out, "{}", paint("  look at next", "1", look));
        for step in steps {
            let mut what = format!("  {}", spell(&step.what, look));
            if let Some(wide) = look.width {
                what = cut(&what, wide, ellipsis(look.ascii));
            }
            // The command is never cut: it is there to be copied.
            let _ = writeln!(out, "{what}\n      {}", spell(&step.command, look));
        }
    }
}

/// Words and their counts behind a heading that ends at [`INDENT`], on further lines where one does not hold them.
fn list(out: &mut String, codes: &[(impl fmt::Display, u64)], look: &Look) {
    let limit = look.width.map_or(usize::MAX, |width| width.max(INDENT + 1));
    let mut at = INDENT - 2;
    for (index, (code, n)) in codes.iter().enumerate() {
        let comma = if index + 1 < codes.len() { "," } else { "" };
        let piece = format!("{code} {}{comma}", count(*n));
        let gap = if index == 0 { 2 } else { 1 };
        if index > 0 && at + gap + width(&piece) > limit {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT));
            at = INDENT;
        } else {
            out.push_str(&" ".repeat(gap));
            at += gap;
        }
        out.push_str(&piece);
        at += width(&piece);
    }
}

fn paint(text: &str, sgr: &str, look: &Look) -> String {
    if look.color { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
}

fn spell(text: &str, look: &Look) -> String {
    if look.ascii { ascii(text) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::{healthy, record};

    #[test]
    fn counts_and_latencies_are_those_of_the_records() {
        let mut summary = Summary::default();
        for _ in 0..1_200 {
            summary.add(&healthy("a"));
        }
        let mut slow = healthy("b");
        slow.timing_us.connect = Some(3_000_000);
        slow.connections = 2;
        summary.add(&slow);
        let mut silent = record("c", Code::TimeoutConnect, Stage::Connect, "no answer");
        silent.timing_us.connect = Some(5_000_000);
        silent.timing_us.total = Some(5_000_000);
        summary.add(&silent);
        summary.add(&record("d", Code::AuthTimeout, Stage::Auth, "nothing"));
        summary.add(&record("e", Code::Refused, Stage::Connect, "no"));
        summary.hide();
        let closing = Closing { elapsed: Duration::from_millis(21_400), list_all: "--show all", ..Closing::default() };
        assert_eq!(
            summary.render(&closing),
            "\
1,204 targets in 21.4s, 1,202 connections
  ok                      1,201
  timeout                     2  timeout-connect 1, auth-timeout 1
  refused                     1
  (1 not listed; --show all lists them all)
  host keys                1,201  match 1,201
  stage                   count      p50      p90      p99      max
  connect                 1,201    200us    200us    200us       3s
  whole, if ok            1,201     12ms     12ms     12ms     12ms
  look at next
  1 timeout-connect: Nothing answered the connection attempt
      sshprobe -v --connect-timeout 15s c:22
  1 auth-timeout: The server did not answer the first authentication request
      sshprobe -v --timeout 60s d:22
  1 refused: Nothing listens on the port
      sshprobe explain refused
"
        );
    }

    /// What an earlier part of a run has done counts as if this one had.
    #[test]
    fn what_was_done_before_is_counted_too() {
        let mut empty = record("10.0.0.1", Code::TimeoutConnect, Stage::Connect, "");
        (empty.from_range, empty.target.addr, empty.connections) = (true, "10.0.0.1".parse().ok(), 0);
        let answered = |last: u8| {
            let mut failed = record(&format!("10.0.{last}.7"), Code::ClosedNoIdent, Stage::Ident, "x");
            failed.target.addr = failed.target.host.parse().ok();
            failed
        };
        let (mut whole, mut resumed) = (Summary::default(), Summary::default());
        let all = [healthy("a"), answered(0), answered(0), answered(1), answered(1)];
        for record in all.iter().chain([&empty, &empty]) {
            whole.add(record);
        }
        let addrs = [empty.target.addr; 2].into_iter().flatten();
        resumed.recall_empty(&[(Code::TimeoutConnect, 2)].into(), 0, addrs);
        all[..3].iter().for_each(|record| resumed.recall(record.clone()));
        all[3..].iter().for_each(|record| resumed.add(record));
        let (whole, resumed) = (whole.render(&Closing::default()), resumed.render(&Closing::default()));
        assert_eq!(resumed, whole.replacen("7 targets in", "7 targets, 5 of them before --resume, in", 1));
        assert!(
            whole.contains("10.0.0.0/24               2/4") && whole.contains("timeout                     2"),
            "{whole}"
        );
    }

    #[test]
    fn an_empty_run_has_a_summary_too() {
        let closing = Closing { interrupted: true, ..Closing::default() };
        assert_eq!(
            Summary::default().render(&closing),
            "0 targets in 0s, 0 connections; interrupted, the rest was not probed\n"
        );
    }

    #[test]
    fn where_all_is_well_the_summary_is_short() {
        let mut summary = Summary::default();
        summary.add(&healthy("10.0.0.1"));
        summary.add(&healthy("10.0.1.1"));
        let text = summary.render(&Closing::default());
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn lines_are_folded_and_networks_named() {
        let mut summary = Summary::default();
        let codes =
            [Code::ClosedNoIdent, Code::ResetNoIdent, Code::ClosedAfter5s, Code::ClosedAfterIdent, Code::KexClosed];
        for (last, code) in codes.iter().enumerate() {
            let addr = format!("10.0.1.{last}");
            let mut failed = record(&addr, *code, Stage::Ident, "x");
            failed.target.addr = addr.parse().ok();
            summary.add(&failed);
        }
        let mut well = healthy("10.0.2.1");
        well.target.addr = "10.0.2.1".parse().ok();
        summary.add(&well);
        let look = Look { width: Some(80), ..Look::default() };
        let text = summary.render(&Closing { look, ..Closing::default() });
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
        assert!(
            text.contains(
                "  closed                      5  closed-no-ident 1, reset-no-ident 1,\n                                 closed-after-5s 1,"
            ),
            "{text}"
        );
        assert!(text.contains("\n  10.0.1.0/24               5/5  closed-no-ident 1,"), "{text}");
        assert!(!text.contains("10.0.2.0/24"), "{text}");
    }
}
