//! How one target is reached and judged: as all are, in a way of its own, or not at all.

use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::case::Settings;
use sshprobe_probes::target::Target;

/// A way to targets, and the rules by which they are probed.
#[derive(Debug)]
pub struct Route<T> {
    /// What opens connections.
    pub transport: T,
    /// What the cases of these targets are told.
    pub settings: Arc<Settings>,
    /// How long one connect may take.
    pub connect_timeout: Duration,
    /// What to log in with, if that is not what the run's options have.
    #[cfg(feature = "login")]
    pub credentials: Option<Arc<crate::login::Credentials>>,
}

/// A target together with how it is reached. A [`Target`] alone is reached as the run's options say.
#[derive(Debug)]
pub struct Assigned<T> {
    /// The target.
    pub target: Target,
    /// How it is reached.
    pub by: By<T>,
}

/// How a target is reached.
#[derive(Debug)]
pub enum By<T> {
    /// As the run's options say.
    Usual,
    /// In a way of its own, or one that it shares with some others.
    Own(Arc<Route<T>>),
    /// Not at all, for this reason: its record says so.
    Nothing(String),
}

impl<T> From<Target> for Assigned<T> {
    fn from(target: Target) -> Self {
        Self { target, by: By::Usual }
    }
}
