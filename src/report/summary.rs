//! The closing summary: counts by status and code, and how long each stage took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::record::Record;

use crate::report::span::{count, counted, show};

/// What every record added up to, in memory that does not grow with their number.
#[derive(Debug)]
pub struct Summary {
    targets: u64,
    connections: u64,
    codes: BTreeMap<Code, u64>,
    hidden: u64,
    latency: [Latency; STAGES.len()],
}

/// How to read one stage's time from a record; `None` where the stage was not passed.
type Reading = fn(&Record) -> Option<u64>;

/// The stages whose time is shown, and the whole.
const STAGES: [(&str, Reading); 7] = [
    ("resolve", |record| passed(record, "resolve", record.timing_us.resolve)),
    ("connect", |record| passed(record, "connect", record.timing_us.connect)),
    ("ident", |record| passed(record, "ident", record.timing_us.ident)),
    ("kexinit", |record| passed(record, "kexinit", record.timing_us.kexinit)),
    ("kex", |record| passed(record, "kex", record.timing_us.kex)),
    ("auth", |record| passed(record, "auth", record.timing_us.auth)),
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
#[derive(Debug, Clone, Copy, Default)]
pub struct Closing {
    /// From the first target to the last record.
    pub elapsed: Duration,
    /// It was ended before every target was probed.
    pub interrupted: bool,
    /// The option that lists what standard output left out.
    pub list_all: &'static str,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            targets: 0,
            connections: 0,
            codes: BTreeMap::new(),
            hidden: 0,
            latency: std::array::from_fn(|_| Latency::new()),
        }
    }
}

impl Summary {
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
    }

    /// Counts a record that standard output left out.
    pub fn hide(&mut self) {
        self.hidden += 1;
    }

    /// How many records were counted.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.targets
    }

    /// The text, with a line end after each line. It holds nothing that came from the network.
    #[must_use]
    pub fn render(&self, closing: Closing) -> String {
        let mut out = format!(
            "{} in {}, {}",
            counted(self.targets, "target"),
            show(closing.elapsed),
            counted(self.connections, "connection")
        );
        if closing.interrupted {
            out.push_str("; interrupted, the rest was not probed");
        }
        out.push('\n');
        for status in Status::ALL {
            let codes: Vec<(Code, u64)> =
                self.codes.iter().map(|(code, n)| (*code, *n)).filter(|(code, _)| code.status() == *status).collect();
            let total: u64 = codes.iter().map(|(_, n)| n).sum();
            if total == 0 {
                continue;
            }
            let _ = write!(out, "  {:<17}  {:>10}", status.name(), count(total));
            // A status with a single code of the same name has said it all.
            if codes.iter().any(|(code, _)| code.name() != status.name()) {
                let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{code} {}", count(*n))).collect();
                let _ = write!(out, "  {}", codes.join(", "));
            }
            out.push('\n');
        }
        if self.hidden > 0 {
            let _ = writeln!(out, "  ({} not listed; {} lists them all)", count(self.hidden), closing.list_all);
        }
        self.render_latency(&mut out);
        out
    }

    fn render_latency(&self, out: &mut String) {
        let seen = |latency: &Latency| latency.histogram.as_ref().is_some_and(|histogram| !histogram.is_empty());
        if !self.latency.iter().any(seen) {
            return;
        }
        let _ =
            writeln!(out, "  {:<17}  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}", "stage", "count", "p50", "p90", "p99", "max");
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
    }
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
        let closing = Closing { elapsed: Duration::from_millis(21_400), interrupted: false, list_all: "--show all" };
        assert_eq!(
            summary.render(closing),
            "\
1,204 targets in 21.4s, 1,202 connections
  ok                      1,201
  timeout                     2  timeout-connect 1, auth-timeout 1
  refused                     1
  (1 not listed; --show all lists them all)
  stage                   count      p50      p90      p99      max
  connect                 1,201    200us    200us    200us       3s
  whole, if ok            1,201     12ms     12ms     12ms     12ms
"
        );
    }

    #[test]
    fn an_empty_run_has_a_summary_too() {
        let closing = Closing { elapsed: Duration::ZERO, interrupted: true, list_all: "" };
        assert_eq!(
            Summary::default().render(closing),
            "0 targets in 0s, 0 connections; interrupted, the rest was not probed\n"
        );
    }
}
