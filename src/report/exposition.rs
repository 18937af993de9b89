//! What a run is doing in Prometheus' text format, for node_exporter's textfile collector.
//!
//! Names, units and types follow Prometheus' own rules: base units, counters that end in `_total`, one metric with labels
//! instead of many without. Nothing that comes from the network is in it.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::time::UnixMicros;

/// What there is to tell at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The run's name, as in its records.
    pub run: String,
    /// When it began, or this part of it.
    pub started: UnixMicros,
    /// For how long it has been going on.
    pub elapsed: Duration,
    /// It is not over.
    pub running: bool,
    /// Targets in all, where that is known.
    pub targets: Option<u64>,
    /// Targets taken up that hold no connection and owe no answer to a SYN: waiting for a name, a slot, their pace, or a slow reader of the records.
    pub waiting: u64,
    /// Connections that are open or being opened.
    pub in_flight: u64,
    /// Connections begun.
    pub opened: u64,
    /// Of a SYN sweep.
    pub syn: Option<SynFigures>,
    /// How often a connection was put off because this machine was short of something.
    pub troubles: u64,
    /// Targets that identified themselves as SSH servers, in this part of the run.
    pub speaking: u64,
    /// Handshakes that a target answered, and those of them for which the kernel had to send its SYN again.
    pub answers: (u64, u64),
    /// The share of packets lost each way, where enough of them tell.
    pub loss: Option<f64>,
    /// Records by what they say, those of an earlier part of the run too.
    pub codes: BTreeMap<Code, u64>,
    /// Bytes of memory in use, where the system tells.
    pub memory: Option<u64>,
}

/// What there is to tell of a SYN sweep.
#[derive(Debug, Clone, Copy, Default)]
pub struct SynFigures {
    /// Addresses that owe an answer.
    pub owing: u64,
    /// SYNs sent, those that were sent again too.
    pub sent: u64,
}

/// The text, a metric after the other.
#[must_use]
pub fn render(figures: &Figures) -> String {
    let mut out = Exposition(String::new());
    let labels = format!("{{run=\"{}\",version=\"{}\"}}", figures.run, env!("CARGO_PKG_VERSION"));
    out.family("info", "gauge", "Which run this is; always 1.");
    out.sample("info", &labels, 1);
    let started = figures.started.0 as f64 / 1e6;
    out.single("start_time_seconds", "gauge", "When the run, or this part of it, began, since 1970.", Some(started));
    out.single("elapsed_seconds", "gauge", "For how long it has been going on.", Some(figures.elapsed.as_secs_f64()));
    out.single("running", "gauge", "1 until the run is over, then 0.", Some(u8::from(figures.running)));
    out.single("targets", "gauge", "Targets in all; absent until standard input has ended.", figures.targets);
    let waiting = "Targets taken up that hold no connection and owe no answer to a SYN.";
    out.single("targets_waiting", "gauge", waiting, Some(figures.waiting));
    let open = "Connections that are open or being opened.";
    out.single("connections_in_flight", "gauge", open, Some(figures.in_flight));
    out.single("connections_total", "counter", "Connections begun.", Some(figures.opened));
    let owing = "Addresses that owe an answer to a SYN of --syn; absent without it.";
    out.single("syn_targets_in_flight", "gauge", owing, figures.syn.map(|syn| syn.owing));
    let sent = "SYNs that --syn has sent, those that were sent again too; absent without it.";
    out.single("syns_sent_total", "counter", sent, figures.syn.map(|syn| syn.sent));
    let troubles = "How often a connection was put off because this machine was short of something.";
    out.single("local_troubles_total", "counter", troubles, Some(figures.troubles));
    let speaking = "Targets that identified themselves as SSH servers, in this part of the run.";
    out.single("ssh_targets_total", "counter", speaking, Some(figures.speaking));
    let (answers, resent) = figures.answers;
    out.single("handshakes_total", "counter", "Handshakes that a target answered.", Some(answers));
    let again = "Handshakes for which the kernel had to send its SYN again.";
    out.single("handshakes_resent_total", "counter", again, Some(resent));
    let loss = "Share of packets lost each way, as far as those tell; absent until 50 have answered.";
    out.single("loss_ratio", "gauge", loss, figures.loss);
    out.family("records_total", "counter", "Records by status and code, those of earlier parts of the run too.");
    for (code, count) in &figures.codes {
        let labels = format!("{{status=\"{}\",code=\"{}\"}}", code.status(), code);
        out.sample("records_total", &labels, count);
    }
    out.single("resident_memory_bytes", "gauge", "Memory in use.", figures.memory);
    out.0
}

struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP sshprobe_{name} {help}\n# TYPE sshprobe_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "sshprobe_{name}{labels} {value}");
    }

    /// A metric without labels; nothing where there is no value.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.family(name, kind, help);
            self.sample(name, "", value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_prometheus() {
        let figures = Figures {
            run: String::from("00ff"),
            started: UnixMicros(1_795_435_200_500_000),
            elapsed: Duration::from_millis(2_500),
            running: true,
            targets: Some(256),
            waiting: 3,
            in_flight: 7,
            opened: 40,
            syn: Some(SynFigures { owing: 12, sent: 90 }),
            troubles: 1,
            speaking: 31,
            answers: (33, 2),
            loss: Some(0.25),
            codes: [(Code::Ok, 30), (Code::TimeoutConnect, 4), (Code::ConnectedNoIdent, 1)].into(),
            memory: Some(9_000_000),
        };
        let text = render(&figures);
        let version = env!("CARGO_PKG_VERSION");
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                &format!("sshprobe_info{{run=\"00ff\",version=\"{version}\"}} 1"),
                "sshprobe_start_time_seconds 1795435200.5",
                "sshprobe_elapsed_seconds 2.5",
                "sshprobe_running 1",
                "sshprobe_targets 256",
                "sshprobe_targets_waiting 3",
                "sshprobe_connections_in_flight 7",
                "sshprobe_connections_total 40",
                "sshprobe_syn_targets_in_flight 12",
                "sshprobe_syns_sent_total 90",
                "sshprobe_local_troubles_total 1",
                "sshprobe_ssh_targets_total 31",
                "sshprobe_handshakes_total 33",
                "sshprobe_handshakes_resent_total 2",
                "sshprobe_loss_ratio 0.25",
                "sshprobe_records_total{status=\"ok\",code=\"ok\"} 30",
                "sshprobe_records_total{status=\"timeout\",code=\"timeout-connect\"} 4",
                "sshprobe_records_total{status=\"timeout\",code=\"connected-no-ident\"} 1",
                "sshprobe_resident_memory_bytes 9000000",
            ]
        );
        // Each family is announced once, before its samples, and no counter goes by another name.
        let announced: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE sshprobe_")).collect();
        assert_eq!(announced.len(), 17);
        assert!(announced.iter().all(|line| line.ends_with(" counter") == line.contains("_total ")), "{announced:?}");
        assert!(text.ends_with('\n') && text.is_ascii());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = render(&Figures::default());
        assert!(
            !["sshprobe_targets ", "memory", "_syn"].iter().any(|name| text.contains(name))
                && text.contains("sshprobe_running 0\n")
        );
    }
}
