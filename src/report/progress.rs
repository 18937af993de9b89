//! What standard error shows while a run goes on, and the one way to write lines there without tearing them apart.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::pace::Pace;
use crate::report::span::{count, show};

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Snapshot {
    /// Targets with a record.
    pub done: u64,
    /// Targets in all, where that can be known before the end.
    pub total: Option<u64>,
    /// Connections open now.
    pub in_flight: u64,
    /// Addresses that owe an answer to a SYN.
    pub owing: u64,
    /// Targets with a record that speak SSH, where that can be found out at all.
    pub speaking: Option<u64>,
    /// How often a connection was put off because this machine was short of something.
    pub troubles: u64,
    /// The share of packets lost each way, where enough of them tell.
    pub loss: Option<f64>,
    /// How many connections may be in flight, where it is fewer than asked for because the network loses more than it did.
    pub slowed: Option<u64>,
    /// Bytes of memory in use, where the system tells.
    pub memory: Option<u64>,
}

/// Progress on standard error. Everything else that goes to the same terminal passes through it too.
#[derive(Debug)]
pub struct Progress {
    face: Face,
    pace: Mutex<Pace>,
    started: Instant,
}

#[derive(Debug)]
enum Face {
    /// Nothing is shown.
    None,
    /// A bar that is redrawn in place.
    Bar(ProgressBar),
    /// A line now and then, where standard error is no terminal and progress was asked for all the same.
    Lines(Mutex<Option<Instant>>),
}

/// Between two lines where there is no terminal to redraw on.
const LINE_EVERY: Duration = Duration::from_secs(2);

impl Progress {
    /// Progress that shows nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::with(Face::None)
    }

    /// Progress as a bar on a terminal, as lines elsewhere.
    #[must_use]
    pub fn shown() -> Self {
        if !io::stderr().is_terminal() {
            return Self::with(Face::Lines(Mutex::new(None)));
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(style(false));
        Self::with(Face::Bar(bar))
    }

    fn with(face: Face) -> Self {
        Self { face, pace: Mutex::new(Pace::default()), started: Instant::now() }
    }

    /// Whether anything is shown: else nobody has to find out how far the run is.
    pub fn is_shown(&self) -> bool {
        !matches!(self.face, Face::None)
    }

    /// Shows how far the run is. Meant to be called a few times a second.
    pub fn update(&self, at: Snapshot) {
        let now = self.started.elapsed();
        let line = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.observe(now, at.done, at.done + at.in_flight + at.owing, at.total);
            describe(at, &pace)
        };
        match &self.face {
            Face::None => {}
            Face::Bar(bar) => {
                if bar.length() != at.total {
                    match at.total {
                        Some(total) => bar.set_length(total),
                        None => bar.unset_length(),
                    }
                    bar.set_style(style(at.total.is_some()));
                }
                bar.set_message(line);
                bar.set_position(at.done);
                bar.tick();
            }
            Face::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    let _ = writeln!(io::stderr(), "sshprobe: {line}");
                }
            }
        }
    }

    /// Runs `write` while the bar is off the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.face {
            Face::Bar(bar) => bar.suspend(write),
            _ => write(),
        }
    }

    /// Writes a whole line (or several) to standard error. That it may be closed is no reason to stop.
    pub fn say(&self, text: &str) {
        self.suspend(|| {
            let mut stderr = io::stderr().lock();
            let _ = stderr
                .write_all(text.as_bytes())
                .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stderr.write_all(b"\n") });
        });
    }

    /// Takes the bar off the terminal for good.
    pub fn finish(&self) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded { "[{bar:12}] {msg}" } else { "{spinner} {msg}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn describe(at: Snapshot, pace: &Pace) -> String {
    let mut line = match at.total {
        Some(total) => format!("{}/{} done", count(at.done), count(total)),
        None => format!("{} done", count(at.done)),
    };
    if let Some(speaking) = at.speaking.filter(|_| at.done > 0) {
        line += &format!(", {} SSH", count(speaking));
    }
    line += &format!(", {} in flight", count(at.in_flight));
    if at.owing > 0 {
        line += &format!(", {} owe an answer", count(at.owing));
    }
    if let Some(rate) = pace.per_second() {
        line += &format!(", {rate:.0}/s");
    }
    // What is as it should be takes no room.
    if let Some(loss) = at.loss.filter(|loss| *loss >= 0.005) {
        line += &format!(", {:.0}% lost", loss * 100.0);
    }
    if let Some(allowed) = at.slowed {
        line += &format!(", slowed to {} in flight", count(allowed));
    }
    if at.troubles > 0 {
        line += &format!(", {} put off", count(at.troubles));
    }
    if let Some(memory) = at.memory {
        line += &format!(", {} MiB", count(memory / (1024 * 1024)));
    }
    if let Some(left) = pace.left() {
        line += &format!(", ETA {}", show(left));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known_and_no_more() {
        let mut pace = Pace::default();
        assert_eq!(describe(Snapshot::default(), &pace), "0 done, 0 in flight");
        pace.observe(Duration::ZERO, 0, 0, Some(4_096));
        pace.observe(Duration::from_secs(1), 1_000, 1_000, Some(4_096));
        let speaking = Some(12);
        let at = Snapshot { done: 1_000, total: Some(4_096), in_flight: 256, speaking, ..Snapshot::default() };
        assert_eq!(describe(at, &pace), "1,000/4,096 done, 12 SSH, 256 in flight, 1000/s, ETA 4s");
        let at = Snapshot { troubles: 3, loss: Some(0.0204), memory: Some(41 << 20), ..at };
        assert_eq!(
            describe(at, &pace),
            "1,000/4,096 done, 12 SSH, 256 in flight, 1000/s, 2% lost, 3 put off, 41 MiB, ETA 4s"
        );
        let at = Snapshot { loss: Some(0.2), slowed: Some(100), memory: None, troubles: 0, ..at };
        assert_eq!(
            describe(at, &pace),
            "1,000/4,096 done, 12 SSH, 256 in flight, 1000/s, 20% lost, slowed to 100 in flight, ETA 4s"
        );
        let at = Snapshot { loss: Some(0.004), slowed: None, ..at };
        assert_eq!(describe(at, &pace), "1,000/4,096 done, 12 SSH, 256 in flight, 1000/s, ETA 4s");
    }

    /// Nothing is SSH as far as `--depth connect` goes.
    #[test]
    fn where_nobody_can_be_seen_to_speak_ssh_nothing_is_said_of_it() {
        let at = Snapshot { done: 10, in_flight: 3, ..Snapshot::default() };
        assert_eq!(describe(at, &Pace::default()), "10 done, 3 in flight");
        let at = Snapshot { owing: 4_096, ..at };
        assert_eq!(describe(at, &Pace::default()), "10 done, 3 in flight, 4,096 owe an answer");
    }
}
