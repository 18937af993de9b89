//! `iap://` targets: what a user writes, and what the relay is asked for.
//!
//! Two forms, told apart by the number of names alone:
//!
//! ```text
//! iap://PROJECT/ZONE/INSTANCE[:PORT][?interface=nic0]          an instance
//! iap://PROJECT/REGION/NETWORK/GROUP/HOST[:PORT]               a host behind a destination group
//! ```
//!
//! HOST is a name, an IPv4 address or an IPv6 address in brackets.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::escape;

/// The longest name Google gives to an instance, zone, region, network or group (RFC 1035 label).
const LABEL_MAX: usize = 63;
/// The longest host name (RFC 1035 section 2.3.4, without the trailing dot).
const HOST_MAX: usize = 253;
/// The longest target that is looked at at all.
const TARGET_MAX: usize = 1024;
/// How much of a wrong part a message shows, in characters.
const SHOWN: usize = 60;

/// What an `iap://` target names, with a project, and a port unless the default is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IapTarget {
    project: Box<str>,
    backend: Backend,
    port: Option<u16>,
}

/// What stands behind the relay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// A virtual machine of Compute Engine.
    #[non_exhaustive]
    Instance {
        /// Its zone, such as `us-central1-a`.
        zone: Box<str>,
        /// Its name. The relay takes no ids and no addresses.
        instance: Box<str>,
        /// Its network interface, `nic0` unless told otherwise.
        interface: Box<str>,
    },
    /// A host in a VPC, or reached through one, that a destination group allows.
    #[non_exhaustive]
    Host {
        /// The region of the destination group.
        region: Box<str>,
        /// The VPC network.
        network: Box<str>,
        /// The destination group.
        group: Box<str>,
        /// Name or address, without brackets.
        host: Box<str>,
    },
}

/// Why an `iap://` target cannot be understood, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IapTargetError {
    /// Another scheme, or none.
    #[error("this is no iap:// target: write iap://PROJECT/ZONE/INSTANCE[:PORT]")]
    Scheme,
    /// More than any name can need.
    #[error("the target is longer than {TARGET_MAX} bytes: write iap://PROJECT/ZONE/INSTANCE[:PORT]")]
    TooLong,
    /// `iap://user@…`.
    #[error("a user cannot stand in an iap:// target: give it with -l")]
    User,
    /// `#…`.
    #[error("# has no meaning in an iap:// target: leave out what follows it")]
    Fragment,
    /// Neither three nor five names.
    #[error(
        "{0} names where 3 or 5 are wanted: write iap://PROJECT/ZONE/INSTANCE or iap://PROJECT/REGION/NETWORK/GROUP/HOST"
    )]
    Parts(usize),
    /// Nothing where a name is wanted.
    #[error("the {part} is missing: write {form}")]
    Missing {
        /// Which name.
        part: &'static str,
        /// The form it belongs to.
        form: &'static str,
    },
    /// A name that Google would not give.
    #[error("{shown} is no {part}: write {rule}")]
    Name {
        /// Which name.
        part: &'static str,
        /// What stood there.
        shown: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// A region where a zone is wanted.
    #[error("{0} is a region: write one of its zones, such as {0}-a")]
    RegionForZone(Box<str>),
    /// A zone where a region is wanted.
    #[error("{zone} is a zone: write its region {region}")]
    ZoneForRegion {
        /// What stood there.
        zone: Box<str>,
        /// What was probably meant.
        region: Box<str>,
    },
    /// An address where an instance is wanted.
    #[error("{0} is an address: write the instance's name, or iap://PROJECT/REGION/NETWORK/GROUP/{0}")]
    AddressForInstance(Box<str>),
    /// `[…` without its end, or something behind it.
    #[error("{0} is no IPv6 address in brackets: write [ADDRESS] or [ADDRESS]:PORT")]
    Bracket(String),
    /// An IPv6 address without brackets, or two ports.
    #[error("there is more than one colon: write HOST:PORT, and an IPv6 address as [ADDRESS]:PORT")]
    Colons,
    /// `name:`, `name:0`, `name:ssh`, `name:70000`.
    #[error("{0} is no port: write one from 1 to 65535")]
    Port(String),
    /// A parameter other than `interface`.
    #[error("the parameter {0} is not known: write ?interface=nic0 or none")]
    Parameter(String),
    /// `interface` twice.
    #[error("the interface stands there twice: write it once")]
    Twice,
    /// `interface` of a host behind a destination group.
    #[error("a host behind a destination group has no interface to choose: leave ?interface out")]
    HostInterface,
}

const INSTANCE_FORM: &str = "iap://PROJECT/ZONE/INSTANCE[:PORT]";
const HOST_FORM: &str = "iap://PROJECT/REGION/NETWORK/GROUP/HOST[:PORT]";
const LABEL_RULE: &str = "lower-case letters, digits and hyphens, beginning with a letter, at most 63";
const PROJECT_RULE: &str = "the project's id: lower-case letters, digits and hyphens, after DOMAIN: if it has one";
const INTERFACE_RULE: &str = "nic0, nic1 and so on";
const HOST_RULE: &str = "a host name, an IPv4 address or an IPv6 address in brackets";

impl IapTarget {
    /// The port where none is written.
    pub const DEFAULT_PORT: u16 = 22;
    /// The interface where none is written; gcloud's default too.
    pub const DEFAULT_INTERFACE: &'static str = "nic0";

    /// The names and addresses that may lead to it without the relay, in the order to try them: what the VPC's own DNS calls an
    /// instance, then its bare name, which the DNS here may have for it.
    #[must_use]
    pub fn direct_names(&self) -> Vec<String> {
        match &self.backend {
            Backend::Host { host, .. } => vec![host.to_string()],
            Backend::Instance { zone, instance, .. } => {
                // A project of a domain is turned round there.
                let project = match self.project.split_once(':') {
                    Some((domain, project)) => format!("{project}.{domain}"),
                    None => self.project.to_string(),
                };
                vec![format!("{instance}.{zone}.c.{project}.internal"), instance.to_string()]
            }
        }
    }

    /// An instance whose parts come from elsewhere: `--iap` with `--project` and `--zone`.
    ///
    /// # Errors
    /// A part that Google would not give as a name.
    pub fn instance(project: &str, zone: &str, instance: &str, port: Option<u16>) -> Result<Self, IapTargetError> {
        let backend = instance_backend(zone, instance, Self::DEFAULT_INTERFACE)?;
        Ok(Self { project: checked_project(project, INSTANCE_FORM)?, backend, port })
    }

    /// Reads an `iap://` target.
    ///
    /// # Errors
    /// One clause that names what is wrong and how to write it. What it quotes is safe to show.
    pub fn parse(text: &str) -> Result<Self, IapTargetError> {
        let (scheme, rest) = text.split_once("://").ok_or(IapTargetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("iap") {
            return Err(IapTargetError::Scheme);
        }
        if text.len() > TARGET_MAX {
            return Err(IapTargetError::TooLong);
        }
        if rest.contains('#') {
            return Err(IapTargetError::Fragment);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        if path.contains('@') {
            return Err(IapTargetError::User);
        }
        let parts: Vec<&str> = path.split('/').collect();
        match *parts.as_slice() {
            [project, zone, last] => {
                let project = checked_project(project, INSTANCE_FORM)?;
                let (instance, port) = name_and_port(last)?;
                let interface = query.map(interface).transpose()?.unwrap_or(Self::DEFAULT_INTERFACE);
                Ok(Self { project, backend: instance_backend(zone, instance, interface)?, port })
            }
            [project, region, network, group, last] => {
                let project = checked_project(project, HOST_FORM)?;
                let region = label("region", region, HOST_FORM)?;
                if let Some(of) = region_of(&region) {
                    return Err(IapTargetError::ZoneForRegion { region: of.into(), zone: region });
                }
                let network = label("network", network, HOST_FORM)?;
                let group = label("destination group", group, HOST_FORM)?;
                let (host, port) = name_and_port(last)?;
                let host = checked_host(host, last.starts_with('['))?;
                match query.map(interface).transpose()? {
                    Some(_) => Err(IapTargetError::HostInterface),
                    None => Ok(Self { project, backend: Backend::Host { region, network, group, host }, port }),
                }
            }
            [""] => Err(IapTargetError::Missing { part: "project", form: INSTANCE_FORM }),
            _ => Err(IapTargetError::Parts(parts.len())),
        }
    }

    /// The project's id.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// What stands behind the relay.
    #[must_use]
    pub const fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The port written, if one was.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The same target on another port, as a list of ports makes it.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The same target without the port, which is then told by whoever names it.
    #[must_use]
    pub fn without_port(mut self) -> Self {
        self.port = None;
        self
    }

    /// What the record calls the host: the instance's name, or the host's name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.backend {
            Backend::Instance { instance, .. } => instance,
            Backend::Host { host, .. } => host,
        }
    }
}

impl std::str::FromStr for IapTarget {
    type Err = IapTargetError;

    fn from_str(text: &str) -> Result<Self, IapTargetError> {
        Self::parse(text)
    }
}

/// What [`IapTarget::parse`] reads back as the same target.
impl fmt::Display for IapTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iap://{}/", self.project)?;
        match &self.backend {
            Backend::Instance { zone, instance, .. } => write!(f, "{zone}/{instance}")?,
            Backend::Host { region, network, group, host } if host.contains(':') => {
                write!(f, "{region}/{network}/{group}/[{host}]")?;
            }
            Backend::Host { region, network, group, host } => write!(f, "{region}/{network}/{group}/{host}")?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.backend {
            Backend::Instance { interface, .. } if &**interface != Self::DEFAULT_INTERFACE => {
                write!(f, "?interface={interface}")
            }
            _ => Ok(()),
        }
    }
}

fn shown(text: &str) -> String {
    escape::quote(text, SHOWN)
}

fn instance_backend(zone: &str, instance: &str, interface: &str) -> Result<Backend, IapTargetError> {
    let zone = label("zone", zone, INSTANCE_FORM)?;
    if zone.contains('-') && zone.ends_with(|c: char| c.is_ascii_digit()) {
        return Err(IapTargetError::RegionForZone(zone));
    }
    if instance.parse::<Ipv4Addr>().is_ok() || instance.parse::<Ipv6Addr>().is_ok() {
        return Err(IapTargetError::AddressForInstance(instance.into()));
    }
    let instance = label("instance", instance, INSTANCE_FORM)?;
    Ok(Backend::Instance { zone, instance, interface: interface.into() })
}

/// The region of a zone as Google names them: the region ends with a digit, the zone has one more letter.
fn region_of(zone: &str) -> Option<&str> {
    let (region, letter) = zone.rsplit_once('-')?;
    let is_zone =
        region.ends_with(|c: char| c.is_ascii_digit()) && letter.len() == 1 && letter.bytes().all(is_lower_letter);
    is_zone.then_some(region)
}

fn is_lower_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase()
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// A name as Google gives them: RFC 1035's label in lower case.
fn label(part: &'static str, text: &str, form: &'static str) -> Result<Box<str>, IapTargetError> {
    if text.is_empty() {
        return Err(IapTargetError::Missing { part, form });
    }
    let fits = text.len() <= LABEL_MAX
        && text.bytes().all(is_label_byte)
        && text.bytes().next().is_some_and(is_lower_letter)
        && !text.ends_with('-');
    if fits { Ok(text.into()) } else { Err(IapTargetError::Name { part, shown: shown(text), rule: LABEL_RULE }) }
}

/// A project's id, also one of an organisation's domain (`example.com:project`), also its number.
fn checked_project(text: &str, form: &'static str) -> Result<Box<str>, IapTargetError> {
    if text.is_empty() {
        return Err(IapTargetError::Missing { part: "project", form });
    }
    let (domain, id) = text.split_once(':').map_or((None, text), |(domain, id)| (Some(domain), id));
    let names = |text: &str, dots: bool| {
        !text.is_empty()
            && text.bytes().all(|byte| is_label_byte(byte) || dots && byte == b'.')
            && !text.starts_with(['-', '.'])
            && !text.ends_with(['-', '.'])
    };
    let fits = text.len() <= HOST_MAX && names(id, false) && domain.is_none_or(|domain| names(domain, true));
    if fits {
        Ok(text.into())
    } else {
        Err(IapTargetError::Name { part: "project", shown: shown(text), rule: PROJECT_RULE })
    }
}

/// A host behind a destination group, in lower case.
fn checked_host(text: &str, bracketed: bool) -> Result<Box<str>, IapTargetError> {
    if bracketed {
        let addr = text.parse::<Ipv6Addr>().map_err(|_| IapTargetError::Bracket(shown(text)))?;
        return Ok(addr.to_string().into());
    }
    if text.is_empty() {
        return Err(IapTargetError::Missing { part: "host", form: HOST_FORM });
    }
    let wrong = || IapTargetError::Name { part: "host", shown: shown(text), rule: HOST_RULE };
    // What has digits and dots only is an address or a slip of the pen, never a name.
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return text.parse::<Ipv4Addr>().map(|addr| addr.to_string().into()).map_err(|_| wrong());
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let labels = name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if labels && name.len() <= HOST_MAX { Ok(name.to_ascii_lowercase().into()) } else { Err(wrong()) }
}

/// The last name of a target with its port. Brackets are taken off.
fn name_and_port(text: &str) -> Result<(&str, Option<u16>), IapTargetError> {
    if let Some(inner) = text.strip_prefix('[') {
        let (addr, behind) = inner.split_once(']').ok_or_else(|| IapTargetError::Bracket(shown(text)))?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((addr, Some(checked_port(port)?))),
            None if behind.is_empty() => Ok((addr, None)),
            None => Err(IapTargetError::Bracket(shown(text))),
        };
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, port)) if port.contains(':') => Err(IapTargetError::Colons),
        Some((name, port)) => Ok((name, Some(checked_port(port)?))),
    }
}

fn checked_port(text: &str) -> Result<u16, IapTargetError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.then(|| text.parse::<u16>().ok()).flatten().filter(|port| *port != 0);
    port.ok_or_else(|| IapTargetError::Port(shown(text)))
}

/// The interface out of what follows the question mark.
fn interface(query: &str) -> Result<&str, IapTargetError> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "interface" {
            return Err(IapTargetError::Parameter(shown(name)));
        }
        // Dynamic interfaces are called nic0.5 after their VLAN.
        let number = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = value.strip_prefix("nic").is_some_and(|rest| match rest.split_once('.') {
            Some((nic, vlan)) => number(nic) && number(vlan),
            None => number(rest),
        });
        if !fits {
            return Err(IapTargetError::Name { part: "interface", shown: shown(value), rule: INTERFACE_RULE });
        }
        if found.replace(value).is_some() {
            return Err(IapTargetError::Twice);
        }
    }
    found.ok_or_else(|| IapTargetError::Parameter(shown(query)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> IapTarget {
        IapTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_names_of_the_direct_way() {
        let names = |text: &str| IapTarget::parse(text).unwrap().direct_names();
        assert_eq!(names("iap://my-proj/us-central1-a/vm1:2222"), ["vm1.us-central1-a.c.my-proj.internal", "vm1"]);
        assert_eq!(
            names("iap://example.com:my-proj/us-central1-a/vm1")[0],
            "vm1.us-central1-a.c.my-proj.example.com.internal"
        );
        assert_eq!(names("iap://p-1/us-central1/net/group/10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(names("iap://p-1/us-central1/net/group/[2001:db8::1]"), ["2001:db8::1"]);
    }

    #[test]
    fn both_forms_are_read() {
        let vm = read("iap://my-proj/us-central1-a/vm1");
        assert_eq!((vm.project(), vm.host(), vm.port()), ("my-proj", "vm1", None));
        assert_eq!(vm, IapTarget::instance("my-proj", "us-central1-a", "vm1", None).unwrap());
        let vm = read("IAP://example.com:my-proj/us-central1-a/vm1:2222?interface=nic1");
        assert_eq!((vm.project(), vm.port()), ("example.com:my-proj", Some(2222)));
        assert!(matches!(vm.backend(), Backend::Instance { interface, .. } if &**interface == "nic1"));
        let host = read("iap://p/us-east1/default/on-prem/DB.Corp.example.:22");
        assert_eq!((host.host(), host.port()), ("db.corp.example", Some(22)));
        assert!(matches!(host.backend(), Backend::Host { group, .. } if &**group == "on-prem"));
        assert_eq!(read("iap://p/r/n/g/[2001:DB8::1]:22").host(), "2001:db8::1");
        assert_eq!(read("iap://p/r/n/g/10.0.0.5").with_port(7).to_string(), "iap://p/r/n/g/10.0.0.5:7");
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "iap://p/us-central1-a/vm1",
            "iap://123456/z/vm1:22",
            "iap://example.com:p/z/vm1:65535?interface=nic0.5",
            "iap://p/us-east1/n/g/db.example:22",
            "iap://p/r/n/g/[2001:db8::1]:22",
            "iap://p/r/n/g/[::1]",
            "iap://p/r/n/g/10.1.2.3",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("iap://p/z/vm?interface=nic0").to_string(), "iap://p/z/vm");
    }

    /// Every malformed form names what is wrong and how to write it.
    #[test]
    fn malformed_targets_are_named() {
        for (text, wanted) in [
            ("", "no iap:// target"),
            ("p/z/vm", "no iap:// target"),
            ("http://p/z/vm", "no iap:// target"),
            ("iap:/p/z/vm", "no iap:// target"),
            ("iap://", "the project is missing"),
            ("iap://p", "1 names where 3 or 5"),
            ("iap://p/z", "2 names where 3 or 5"),
            ("iap://p/z/n/vm", "4 names where 3 or 5"),
            ("iap://p/r/n/g/h/x", "6 names where 3 or 5"),
            ("iap://p/z/vm/", "4 names where 3 or 5"),
            ("iap:///z/vm", "the project is missing"),
            ("iap://p//vm", "the zone is missing"),
            ("iap://p/z/", "the instance is missing"),
            ("iap://p/z/:22", "the instance is missing"),
            ("iap://p/r/n//h", "the destination group is missing"),
            ("iap://p/r/n/g/", "the host is missing"),
            ("iap://P/z/vm", "\"P\" is no project: write the project's id"),
            ("iap://p:/z/vm", "\"p:\" is no project"),
            ("iap://p-/z/vm", "is no project"),
            ("iap://p/z/VM1", "\"VM1\" is no instance: write lower-case"),
            ("iap://p/z/1vm", "\"1vm\" is no instance"),
            ("iap://p/z/vm-", "\"vm-\" is no instance"),
            ("iap://p/z/vm 1", "\"vm 1\" is no instance"),
            ("iap://p/z/vm%20", "is no instance"),
            ("iap://p/z/vm\u{1b}[31m", "\"vm\\x1b[31m\" is no instance"),
            ("iap://p/us-central1/vm", "us-central1 is a region: write one of its zones, such as us-central1-a"),
            ("iap://p/us-east1-b/n/g/h", "us-east1-b is a zone: write its region us-east1"),
            ("iap://p/z/10.0.0.5", "10.0.0.5 is an address: write the instance's name"),
            ("iap://p/z/[::1]", "::1 is an address"),
            ("iap://p/z/vm:", "\"\" is no port: write one from 1 to 65535"),
            ("iap://p/z/vm:0", "\"0\" is no port"),
            ("iap://p/z/vm:65536", "\"65536\" is no port"),
            ("iap://p/z/vm:+22", "\"+22\" is no port"),
            ("iap://p/z/vm:ssh", "\"ssh\" is no port"),
            ("iap://p/z/vm:22,2222", "\"22,2222\" is no port"),
            ("iap://p/z/vm:22:22", "more than one colon"),
            ("iap://p/r/n/g/2001:db8::1", "an IPv6 address as [ADDRESS]:PORT"),
            ("iap://p/r/n/g/[::1", "in brackets"),
            ("iap://p/r/n/g/[::1]22", "in brackets"),
            ("iap://p/r/n/g/[10.0.0.1]", "in brackets"),
            ("iap://p/r/n/g/10.0.0", "\"10.0.0\" is no host"),
            ("iap://p/r/n/g/a..b", "\"a..b\" is no host"),
            ("iap://p/r/n/g/-h", "\"-h\" is no host"),
            ("iap://p/r/n/g/$(id)", "\"$(id)\" is no host"),
            ("iap://root@p/z/vm", "give it with -l"),
            ("iap://p/z/root@vm", "give it with -l"),
            ("iap://p/z/vm#x", "# has no meaning"),
            ("iap://p/z/vm?", "the parameter \"\" is not known"),
            ("iap://p/z/vm?nic=nic0", "the parameter \"nic\" is not known: write ?interface=nic0"),
            ("iap://p/z/vm?interface", "\"\" is no interface"),
            ("iap://p/z/vm?interface=eth0", "\"eth0\" is no interface: write nic0"),
            ("iap://p/z/vm?interface=nic", "\"nic\" is no interface"),
            ("iap://p/z/vm?interface=nic0&interface=nic1", "stands there twice"),
            ("iap://p/r/n/g/h?interface=nic0", "no interface to choose"),
        ] {
            let error = IapTarget::parse(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(!error.chars().any(escape::is_unsafe), "{text}: {error:?}");
            assert!(error.contains(": ") && !error.ends_with('.') && !error.contains('\n'), "{error}");
        }
        let long = format!("iap://p/z/{}", "a".repeat(64));
        assert!(IapTarget::parse(&long).is_err());
        assert!(IapTarget::parse(long.trim_end_matches('a').trim_end()).is_err());
        assert!(IapTarget::parse(long.get(..long.len() - 1).unwrap()).is_ok());
        assert_eq!(IapTarget::parse(&format!("iap://p/z/{}", "a".repeat(2000))), Err(IapTargetError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_is_read_reads_back(text in "iap://[a-z0-9:.-]{0,9}(/[a-z0-9.:\\[\\]-]{0,9}){1,5}(\\?interface=nic[0-9.]{0,4})?") {
            if let Ok(target) = IapTarget::parse(&text) {
                prop_assert_eq!(IapTarget::parse(&target.to_string()), Ok(target));
            }
        }

        #[test]
        fn nothing_is_shown_raw(text in ".{0,80}") {
            for text in [text.clone(), format!("iap://{text}"), format!("iap://p/z/{text}"), format!("iap://p/z/vm?{text}")] {
                if let Err(error) = IapTarget::parse(&text) {
                    prop_assert!(!error.to_string().chars().any(escape::is_unsafe));
                }
            }
        }
    }
}
