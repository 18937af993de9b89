//! `-v` and `-vv`: what the engine tells about single connections, as lines on standard error.
//!
//! A subscriber of our own, as there is little to it: no spans, no filters but a level, and lines that have to pass
//! through [`Progress`] lest they tear the bar apart.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use sshprobe_probes::escape::escape;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::report::Progress;
use crate::report::layout::ascii;

/// Tells events of this program.
struct Verbose {
    level: LevelFilter,
    progress: Arc<Progress>,
    started: Instant,
    ascii: bool,
}

/// What `-v` given so often shows.
fn level(times: u8) -> LevelFilter {
    match times {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

/// Listens from now on to the end of the process, if `-v` was given at all.
pub(super) fn listen(times: u8, progress: &Arc<Progress>, ascii: bool) {
    if times > 0 {
        let subscriber =
            Verbose { level: level(times), progress: Arc::clone(progress), started: Instant::now(), ascii };
        // A process runs one sweep; were there a second, the first one's would do.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

impl Subscriber for Verbose {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What the resolver tells about itself is not meant. Whether an event would be heard is asked with neither kind.
        !metadata.is_span() && *metadata.level() <= self.level && metadata.target().starts_with("sshprobe::")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        // It was escaped where it was made; a second time changes nothing.
        let text = escape(text.0);
        let text = if self.ascii { ascii(&text) } else { text };
        self.progress.say(&format!("sshprobe: {:>8.3}s {text}", self.started.elapsed().as_secs_f64()));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // None is enabled; an id there has to be, and it must not be 0.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message, and after it whatever else an event carries.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_shows_more() {
        assert!(level(0) < level(1) && level(1) < level(2) && level(2) == level(9));
    }
}
