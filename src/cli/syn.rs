//! `--syn`: whether a run may begin with a SYN sweep, and with which rights it goes on.

use std::sync::Arc;

use clap::Args;

use crate::cli::config::{Config, Way, not_ours};
use crate::engine::Syn;
use crate::error::Error;
use crate::report::span::{counted, show};
use crate::sweep::{Sockets, Unopened};
use crate::sys::capabilities;

/// `--syn`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SynArgs {
    /// Send bare SYNs first, and connect only to addresses that answer them; needs root or CAP_NET_RAW, which is given up once the sockets are open
    #[arg(long, help_heading = "Pace")]
    pub syn: bool,
}

/// A SYN sweep as it was asked for.
#[derive(Debug, Clone)]
pub struct SynSweep {
    /// SYNs to an address after the first.
    pub retries: u32,
    /// What it is done with, once that was opened.
    pub sockets: Option<Arc<Sockets>>,
}

impl SynSweep {
    /// `--retries` where it was not given.
    pub const RETRIES: u32 = 2;

    /// A sweep with these retries, if it was asked for.
    ///
    /// # Errors
    /// Something stands between this machine and the targets, to which SYNs would not lead.
    pub(super) fn new(args: SynArgs, retries: Option<u32>, way: &Way) -> Result<Option<Self>, Error> {
        if !args.syn {
            return Ok(None);
        }
        let between = match way {
            Way::Direct => {
                return Ok(Some(Self { retries: retries.unwrap_or(Self::RETRIES), sockets: None }));
            }
            Way::Command(..) => "a program makes the connections (--proxy-command)",
            Way::Proxy(..) => "the targets are reached through a proxy (--proxy)",
            #[cfg(feature = "login")]
            Way::Jump(_) => "the targets are reached through jump hosts (--jump)",
            #[cfg(feature = "iap")]
            Way::Iap(_) => "the targets are reached through the Identity-Aware Proxy",
        };
        Err(Error::usage(format!("--syn: {between}, and SYNs from here do not lead there; leave --syn away")))
    }

    /// Opens the sockets.
    ///
    /// # Errors
    /// The right to it is missing.
    fn open(&mut self, config: &Config) -> Result<(), Error> {
        let sockets = Sockets::open(config.source, config.interface.as_deref()).map_err(|why| match why {
            Unopened::NoRight => {
                Error::usage(format!("--syn: {why}; without --syn all is probed by connections, which need no right"))
            }
            // Whoever leads the SYNs elsewhere by it is told what is told without them.
            Unopened::NotOurs(source) => not_ours(source, config.interface.as_deref()),
            Unopened::System(_) => Error::usage(format!("--syn: {why}")),
        })?;
        self.sockets = Some(Arc::new(sockets));
        Ok(())
    }

    /// For the engine.
    pub(super) fn engine(&self) -> Option<Syn> {
        Some(Syn { sockets: Arc::clone(self.sockets.as_ref()?), retries: self.retries, nobody: None })
    }

    /// For `--plan`.
    pub(super) fn told(&self, config: &Config) -> String {
        format!(
            "bare SYNs to plain addresses first, up to {} to each within {}; only those that listen are connected to; \
             needs root or CAP_NET_RAW",
            counted(u64::from(self.retries) + 1, "SYN"),
            show(config.connect_timeout),
        )
    }
}

impl Config {
    /// Opens what only a process with the right to may open. To be called early, as a run without the right is at its end.
    ///
    /// # Errors
    /// The right is missing.
    pub(super) fn open_sockets(&mut self) -> Result<(), Error> {
        let Some(mut syn) = self.syn.take() else { return Ok(()) };
        syn.open(self)?;
        self.syn = Some(syn);
        Ok(())
    }

    /// Gives up what this process may do beyond other users, where it was needed for raw sockets. To be called when all inputs
    /// have been read, and before there are other threads.
    ///
    /// # Errors
    /// The kernel does not let us.
    pub(super) fn give_up_rights(&self) -> Result<(), Error> {
        if self.syn.is_none() {
            return Ok(());
        }
        // By sudo, a file is written into a folder that is somebody else's.
        let writes = self.output.file.is_some() || self.stats_file.is_some();
        let kept: &[u32] = if writes { &[capabilities::DAC_OVERRIDE] } else { &[] };
        capabilities::keep_only(kept)
            .map_err(|source| Error::System { what: "cannot give up the rights of root", source })
    }
}
