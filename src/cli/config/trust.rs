//! What host keys are held against, and by which rules.

use std::path::PathBuf;
use std::sync::Arc;

use sshprobe_probes::hostkey::FingerprintHash;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::trust::{KeyTypes, Policy};

use super::Config;
use crate::cli::args::TrustArgs;
use crate::error::Error;
use crate::resolve::Anchors;
use crate::trust::{KnownHostsFiles, TrustFiles};

/// How host keys are judged, whatever the files say.
#[derive(Debug, Clone, Default)]
pub struct TrustRules {
    /// Which keys are fetched.
    pub key_types: KeyTypes,
    /// A key that is not known is a failure.
    pub strict: bool,
    /// The name every host is looked up by.
    pub alias: Option<String>,
    /// Addresses of names are looked up too.
    pub check_host_ip: bool,
    /// How fingerprints are shown.
    pub fingerprint_hash: FingerprintHash,
}

impl Config {
    /// Reads the files that host keys are held against. What cannot be used of them becomes a warning.
    ///
    /// # Errors
    /// A file that was named cannot be read.
    pub fn load_trust(&mut self) -> Result<(), Error> {
        // At a depth at which no key is seen, no file is worth a warning; but one that was named must be there.
        let loaded = self.trust_files.load()?;
        if self.depth >= Depth::Kex {
            self.warnings.extend(loaded.warnings);
        }
        self.judge_by(loaded.policy);
        if let (Some(path), Some(sshfp)) = (&self.trust_anchor, &mut self.sshfp) {
            let anchors = Anchors::from_file(path);
            sshfp.anchors = anchors.map_err(|problem| Error::usage(format!("--trust-anchor: {problem}")))?;
        }
        Ok(())
    }

    /// Judges host keys by what is in `policy`, and by the rules that the options set.
    pub fn judge_by(&mut self, policy: Policy) {
        let rules = self.trust_rules.clone();
        self.trust = Some(Arc::new(Policy {
            key_types: rules.key_types,
            strict: rules.strict,
            alias: rules.alias.map(Into::into),
            check_host_ip: rules.check_host_ip,
            fingerprint_hash: rules.fingerprint_hash,
            ..policy
        }));
    }
}

/// What `option` names.
///
/// # Errors
/// `none` stands beside files.
pub(in crate::cli) fn known_hosts_files(option: &str, paths: &[PathBuf]) -> Result<KnownHostsFiles, Error> {
    let none = |path: &PathBuf| path.as_os_str() == "none";
    match paths {
        [] => Ok(KnownHostsFiles::Default),
        [only] if none(only) => Ok(KnownHostsFiles::None),
        paths if paths.iter().any(none) => Err(Error::usage(format!(
            "{option}: none stands alone; leave it or the files away (a file of that name is ./none)"
        ))),
        paths => Ok(KnownHostsFiles::Named(paths.to_vec())),
    }
}

/// Where host keys are looked up.
pub(super) fn trust_files(args: &TrustArgs, depth: Depth) -> Result<TrustFiles, Error> {
    let known_hosts = known_hosts_files("--known-hosts", &args.known_hosts)?;
    if depth < Depth::Kex {
        let without = [
            ("--known-hosts", matches!(known_hosts, KnownHostsFiles::Named(_))),
            ("--strict-host-keys", args.strict_host_keys),
            ("--host-key-alias", args.host_key_alias.is_some()),
            ("--host-key-types", args.host_key_types != KeyTypes::First),
            ("--check-host-ip", args.check_host_ip),
            ("--revoked-host-keys", !args.revoked_host_keys.is_empty()),
            ("--bad-keys", !args.bad_keys.is_empty()),
            ("--sshfp", args.sshfp),
        ];
        if let Some((option, _)) = without.iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: no host key is seen at --depth {}; write --depth kex or deeper, or leave the option away",
                depth.name()
            )));
        }
    }
    if matches!(known_hosts, KnownHostsFiles::None) {
        let without = [
            ("--strict-host-keys", args.strict_host_keys),
            ("--host-key-alias", args.host_key_alias.is_some()),
            ("--check-host-ip", args.check_host_ip),
        ];
        if let Some((option, _)) = without.iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: there is nothing to look up with --known-hosts none; leave one of them away"
            )));
        }
    }
    Ok(TrustFiles { known_hosts, revoked: args.revoked_host_keys.clone(), bad_keys: args.bad_keys.clone() })
}
