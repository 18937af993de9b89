//! Through what targets are reached.

use std::env;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

#[cfg(feature = "login")]
use sshprobe_probes::escape::quote as quoted;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::proxy::{Credentials, expand};
#[cfg(feature = "login")]
use sshprobe_probes::ssh_config::{Jump, jump_chain};

use super::Config;
use crate::cli::args::{NetworkArgs, PathArgs};
#[cfg(feature = "iap")]
use crate::cli::iap::IapWay;
use crate::cli::values::is_link_local;
use crate::engine::{Options, Unfit};
use crate::error::Error;
use crate::resolve::Resolver;
#[cfg(feature = "iap")]
use crate::transport::iap::TokenError;
use crate::transport::tcp::Unusable;
use crate::transport::{Proxy, ProxyCommand, ProxyUrl, Road};

/// Through what targets are reached.
#[derive(Debug, Clone, Default)]
pub enum Way {
    /// Nothing but the network.
    #[default]
    Direct,
    /// A program for each connection, and how many of it run at a time.
    Command(String, usize),
    /// A proxy, with the credentials of the environment.
    Proxy(ProxyUrl, Option<Credentials>),
    /// SSH servers, the one to reach first in front.
    #[cfg(feature = "login")]
    Jump(Vec<Jump>),
    /// The relay of Google Cloud's Identity-Aware Proxy.
    #[cfg(feature = "iap")]
    Iap(Box<IapWay>),
}

/// Why connections cannot begin where they were asked to.
fn no_tcp(why: Unusable, interface: Option<&str>) -> Error {
    match why {
        Unusable::Source { address, reason } if reason.kind() == io::ErrorKind::AddrNotAvailable => {
            not_ours(address, interface)
        }
        other => Unfit::from(other).into(),
    }
}

/// `--source` names an address of somebody else's; a link-local one is an address of one interface only.
pub(in crate::cli) fn not_ours(source: IpAddr, interface: Option<&str>) -> Error {
    let whose = match interface.filter(|_| is_link_local(source)) {
        Some(interface) => format!("the interface {interface}"),
        None => String::from("this machine"),
    };
    Error::usage(format!("--source: {source} is not an address of {whose}; `ip address` lists them"))
}

/// The environment variables with the credentials for `--proxy`.
const PROXY_USER: &str = "SSHPROBE_PROXY_USER";
const PROXY_PASSWORD: &str = "SSHPROBE_PROXY_PASSWORD";

pub(super) fn way(args: PathArgs, targets: &[String], network: &NetworkArgs, depth: Depth) -> Result<Way, Error> {
    #[cfg(feature = "iap")]
    let jumps = args.jump_given();
    #[cfg(feature = "iap")]
    if let Some(iap) = IapWay::new(args.iap, targets)? {
        for (option, given) in [("--proxy-command", args.proxy_command.is_some()), ("--jump", jumps)] {
            if given {
                return Err(Error::usage(format!(
                    "{option}: the targets are reached through the Identity-Aware Proxy; leave {option} away, or the iap://"
                )));
            }
        }
        return Ok(Way::Iap(Box::new(iap.behind(args.proxy.as_deref().map(proxy).transpose()?)?)));
    }
    #[cfg(not(feature = "iap"))]
    let _ = targets;
    if let Some(command) = args.proxy_command {
        if command.eq_ignore_ascii_case("none") {
            return Ok(Way::Direct);
        }
        let begun_here = [("--source", network.source.is_some()), ("--interface", network.interface.is_some())];
        if let Some((option, _)) = begun_here.into_iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: the program of --proxy-command makes the connections; leave it away, or give the program an option like it"
            )));
        }
        if depth == Depth::Connect {
            return Err(Error::usage(
                "--depth connect: a program of --proxy-command does not say when it is connected; take --depth ident",
            ));
        }
        // Its tokens and its length do not depend on the target; a name that is not safe in a shell is that target's matter.
        expand(&command, "host", 22, "user", "host").map_err(|why| Error::usage(format!("--proxy-command: {why}")))?;
        return Ok(Way::Command(command, args.proxy_command_max.get()));
    }
    #[cfg(feature = "login")]
    if let Some(jump) = args.jump.filter(|jump| !jump.eq_ignore_ascii_case("none")) {
        let chain = jump_chain(&jump).ok_or_else(|| {
            Error::usage(format!(
                "--jump: {} is no list of jump hosts; write [USER@]HOST[:PORT], with commas between",
                quoted(&jump, 60)
            ))
        })?;
        return Ok(Way::Jump(chain));
    }
    let Some(url) = args.proxy else { return Ok(Way::Direct) };
    proxy(&url).map(|(url, credentials)| Way::Proxy(url, credentials))
}

/// A proxy, with the credentials of the environment.
fn proxy(url: &str) -> Result<(ProxyUrl, Option<Credentials>), Error> {
    // Not shown: it may hold a password that somebody has put there.
    let url = url.parse::<ProxyUrl>().map_err(|why| Error::usage(format!("--proxy: the URL {why}")))?;
    let credentials = match (env::var(PROXY_USER), env::var(PROXY_PASSWORD)) {
        (Err(env::VarError::NotPresent), Err(env::VarError::NotPresent)) => None,
        (Ok(user), Ok(password)) => {
            let given = Credentials::new(&user, &password);
            Some(given.map_err(|why| Error::usage(format!("{PROXY_USER}, {PROXY_PASSWORD}: {why}")))?)
        }
        _ => {
            return Err(Error::usage(format!(
                "{PROXY_USER}, {PROXY_PASSWORD}: both or none of them have to be set, as UTF-8"
            )));
        }
    };
    Ok((url, credentials))
}

impl Config {
    /// The way to the targets, for an engine with these options.
    ///
    /// # Errors
    /// The address or interface to begin at is not this machine's.
    pub fn road(&self, options: &Options) -> Result<Road, Error> {
        let no_tcp = |why| no_tcp(why, self.interface.as_deref());
        Ok(match &self.way {
            Way::Direct => Road::Tcp(options.tcp().map_err(no_tcp)?),
            // What they begin with; the routes make the rest of it.
            #[cfg(feature = "login")]
            Way::Jump(_) => Road::Tcp(options.tcp().map_err(no_tcp)?),
            Way::Command(command, most) => Road::Command(ProxyCommand::new(options.clock, command, *most)),
            Way::Proxy(url, credentials) => {
                let (tcp, resolver) = (options.tcp().map_err(no_tcp)?, Arc::new(Resolver::new(self.resolver_here())));
                Road::Proxy(Box::new(Proxy::new(options.clock, tcp, url.clone(), credentials.clone(), resolver)))
            }
            #[cfg(feature = "iap")]
            Way::Iap(iap) => {
                let (tcp, resolver) = (options.tcp().map_err(no_tcp)?, Arc::new(Resolver::new(self.resolver_here())));
                Road::Iap(Box::new(iap.road(options.clock, tcp, resolver)?))
            }
        })
    }

    /// Why there is no token for the relay, as a program error.
    #[cfg(feature = "iap")]
    pub(in crate::cli) fn no_token(&self, error: &TokenError) -> Error {
        match &self.way {
            Way::Iap(iap) => iap.no_token(error),
            _ => Error::usage(error.to_string()),
        }
    }
}
