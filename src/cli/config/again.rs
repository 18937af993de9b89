//! The same once more, by hand: the options that lead ssh, or another run, where this one goes.

use std::path::PathBuf;

#[cfg(feature = "login")]
use sshprobe_probes::ssh_config::Jump;
use sshprobe_probes::trust::KeyTypes;

use super::{Config, Way};
use crate::cli::values::is_link_local;
use crate::report::next::quote;
use crate::target::Families;
use crate::trust::KnownHostsFiles;

impl Config {
    /// The options of ssh's that lead it where this run goes, as they would be typed, with a blank after each; `None` where it has
    /// none for the way.
    #[must_use]
    pub fn ssh_options(&self) -> Option<String> {
        let mut out = String::new();
        self.host_args.ssh_config.iter().for_each(|file| out += &format!("-F {} ", quote(file)));
        match &self.way {
            Way::Direct => {}
            Way::Command(command, _) => out += &format!("-o {} ", quote(&format!("ProxyCommand={command}"))),
            #[cfg(feature = "login")]
            Way::Jump(chain) => out += &format!("-J {} ", quote(&joined(chain))),
            Way::Proxy(..) => return None,
            #[cfg(feature = "iap")]
            Way::Iap(_) => return None,
        }
        // ssh asks for the address of -b beside the interface of -B, not together with it.
        let scope = self.interface.as_deref().filter(|_| self.source.is_some_and(is_link_local));
        let scope = scope.map(|name| format!("%{name}")).unwrap_or_default();
        self.source.iter().for_each(|addr| out += &format!("-b {} ", quote(&format!("{addr}{scope}"))));
        self.interface.iter().for_each(|name| out += &format!("-B {} ", quote(name)));
        #[cfg(feature = "login")]
        for (option, paths) in
            [("-i ", &self.login.given.identities), ("-o CertificateFile=", &self.login.given.certificates)]
        {
            paths.iter().for_each(|path| out += &format!("{option}{} ", quote(&path.to_string_lossy())));
        }
        out += self.family_option();
        Some(out)
    }

    /// The options that decide how a target is reached and judged, as they would be typed again, with a blank after each.
    #[must_use]
    pub fn reach_options(&self) -> String {
        let mut out = String::new();
        out += self.hosts.options();
        self.resolvers.iter().for_each(|server| out += &format!("--resolver {} ", quote(&server.to_string())));
        match &self.way {
            Way::Direct => {}
            Way::Command(command, _) => out += &format!("--proxy-command {} ", quote(command)),
            #[cfg(feature = "login")]
            Way::Jump(chain) => out += &format!("--jump {} ", quote(&joined(chain))),
            Way::Proxy(url, _) => out += &format!("--proxy {} ", quote(&url.to_string())),
            #[cfg(feature = "iap")]
            Way::Iap(iap) => out += &iap.options(),
        }
        self.source.iter().for_each(|addr| out += &format!("--source {addr} "));
        self.interface.iter().for_each(|name| out += &format!("--interface {} ", quote(name)));
        match &self.trust_files.known_hosts {
            KnownHostsFiles::Default | KnownHostsFiles::Configured(_) => {}
            KnownHostsFiles::None => out += "--known-hosts none ",
            KnownHostsFiles::Named(paths) => {
                paths.iter().for_each(|path| out += &format!("--known-hosts {} ", quote(&path.to_string_lossy())));
            }
        }
        let mut files = |option: &str, paths: &[PathBuf]| {
            paths.iter().for_each(|path| out += &format!("{option} {} ", quote(&path.to_string_lossy())));
        };
        files("--revoked-host-keys", &self.trust_files.revoked);
        files("--bad-keys", &self.trust_files.bad_keys);
        let rules = &self.trust_rules;
        match &rules.key_types {
            KeyTypes::First => {}
            KeyTypes::All => out += "--host-key-types all ",
            KeyTypes::Listed(types) => out += &format!("--host-key-types {} ", types.join(",")),
        }
        rules.alias.iter().for_each(|name| out += &format!("--host-key-alias {} ", quote(name)));
        for (given, option) in [(rules.strict, "--strict-host-keys "), (rules.check_host_ip, "--check-host-ip ")] {
            if given {
                out += option;
            }
        }
        if let Some(sshfp) = &self.sshfp {
            out += "--sshfp ";
            out += if sshfp.trust_ad { "--trust-ad " } else { "" };
            let anchor = |path: &PathBuf| format!("--trust-anchor {} ", quote(&path.to_string_lossy()));
            self.trust_anchor.iter().for_each(|path| out += &anchor(path));
        }
        #[cfg(feature = "login")]
        {
            out += &self.login.options();
        }
        out += self.family_option();
        out
    }

    /// ssh has it too.
    const fn family_option(&self) -> &'static str {
        match self.families {
            Families::V4Only => "-4 ",
            Families::V6Only => "-6 ",
            Families::Any => "",
        }
    }
}

/// Jump hosts as -J takes them, here and by ssh.
#[cfg(feature = "login")]
fn joined(chain: &[Jump]) -> String {
    chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
