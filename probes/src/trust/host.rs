//! What is known of ONE target, looked up once and only when it answers.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use super::policy::{KeyTypes, Policy};
use super::{Known, LookupName, SshfpSaid};
use crate::algorithm::HOST_KEY;
use crate::hostkey::{certified_type, is_certificate};
use crate::negotiate::{Certificates, Offer};
use crate::target::{Host, Target};
use crate::wire::kexinit::KexInit;

/// One target as the files know it.
///
/// A hashed line costs an HMAC for every target, so nothing is looked up for addresses that never answer.
#[derive(Debug)]
pub struct KnownHost {
    policy: Arc<Policy>,
    host: Host,
    port: u16,
    name: OnceLock<LookupName>,
    known: OnceLock<Known>,
    by_address: OnceLock<(IpAddr, Known)>,
    sshfp: Option<Box<SshfpSaid>>,
}

impl KnownHost {
    /// The view of one target.
    #[must_use]
    pub fn new(policy: &Arc<Policy>, target: &Target) -> Self {
        Self {
            policy: Arc::clone(policy),
            host: target.place().clone(),
            port: target.port,
            name: OnceLock::new(),
            known: OnceLock::new(),
            by_address: OnceLock::new(),
            sshfp: None,
        }
    }

    /// With what the DNS says about the name's keys.
    #[must_use]
    pub fn with_sshfp(self, said: SshfpSaid) -> Self {
        Self { sshfp: Some(Box::new(said)), ..self }
    }

    /// The rules.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The name it is looked up by.
    #[must_use]
    pub fn name(&self) -> &LookupName {
        self.name.get_or_init(|| match &self.policy.alias {
            Some(alias) => LookupName::alias(alias),
            None => LookupName::new(&self.host.to_string(), self.port),
        })
    }

    /// What the DNS says about its keys, if that was asked for.
    #[must_use]
    pub fn sshfp(&self) -> Option<&SshfpSaid> {
        self.sshfp.as_deref()
    }

    /// The lines that speak of it.
    pub fn known(&self) -> &Known {
        self.known.get_or_init(|| match &self.policy.known_hosts {
            Some(files) => files.lookup(self.name()),
            None => Known::default(),
        })
    }

    /// The lines that speak of the address a name led to, where ssh's CheckHostIP would compare them: not for loopback, and
    /// not where the address is what was named. Looked up once: a case stays with the address that answered.
    #[must_use]
    pub fn known_by_address(&self, addr: IpAddr, port: u16) -> Option<&Known> {
        let files = self.policy.known_hosts.as_ref()?;
        let named = matches!(self.host, Host::Name(_));
        if !self.policy.check_host_ip || !named || addr.is_loopback() {
            return None;
        }
        let look_up = || (addr, files.lookup(&LookupName::new(&addr.to_string(), port)));
        let (of, known) = self.by_address.get_or_init(look_up);
        (*of == addr).then_some(known)
    }

    /// Where certificates are to stand in what is asked for.
    ///
    /// ssh asks for them before all others where a line trusts an authority for the host, and else for each right before the
    /// plain key of its type. Here they stand behind, as a plain key is what most files have, unless somebody revokes: of a
    /// certificate that is never seen nobody learns that it, or its authority, is revoked.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        let authorities = self.lines().any(|known| !known.authorities.is_empty());
        let revoked = || !self.policy.revoked.is_empty() || self.lines().any(|known| !known.revoked.is_empty());
        match self.policy.key_types {
            // Of the types listed and no others.
            KeyTypes::Listed(_) if authorities || revoked() => Certificates::Beside,
            _ if authorities => Certificates::First,
            _ if revoked() => Certificates::Beside,
            _ => Certificates::Behind,
        }
    }

    /// What stands under the name, and then, for another port than 22, what stands under it without the port. ssh falls back
    /// to that only after it has made its offer; a key that only stands there is then not asked for, and looks unknown.
    fn lines(&self) -> impl Iterator<Item = &Known> {
        let known = self.known();
        std::iter::once(known).chain(known.fallback.as_deref())
    }

    /// The plain types of key that the files have for the host. Those under the name without the port are none of its where
    /// the name with it has keys.
    fn known_types(&self) -> impl Iterator<Item = &str> {
        let known = self.known();
        let fallback = known.fallback.as_deref().filter(|_| known.keys.is_empty());
        std::iter::once(known).chain(fallback).flat_map(Known::key_types)
    }

    /// The plain types of key to ask for first.
    fn types_first(&self) -> Vec<&str> {
        match &self.policy.key_types {
            KeyTypes::Listed(types) => types.clone(),
            KeyTypes::First | KeyTypes::All => self.known_types().collect(),
        }
    }

    /// `offer` with the host-key algorithms in the order that suits this host; `None` where it is that order already.
    #[must_use]
    pub fn reordered(&self, offer: &Offer) -> Option<Offer> {
        let (types, certificates) = (self.types_first(), self.certificates());
        if types.is_empty() && certificates == Certificates::Behind {
            return None;
        }
        let reordered = offer.clone().with_key_types_first(&types, certificates);
        (reordered.host_key() != offer.host_key()).then_some(reordered)
    }

    /// The plain types of key that a further connection is worth to, in the order to fetch them. `seen` are the types shown
    /// so far, `doubtful` whether what was shown leaves a doubt that the known types not yet shown can settle.
    #[must_use]
    pub fn worth_fetching(&self, server: &KexInit, seen: &[&str], doubtful: bool) -> Vec<&'static str> {
        let wanted = |kind: &&'static str| match &self.policy.key_types {
            KeyTypes::All => true,
            KeyTypes::Listed(types) => types.contains(kind),
            KeyTypes::First => doubtful && self.known_types().any(|known| known == *kind),
        };
        let mut types = plain_types(server);
        types.retain(|kind| wanted(kind) && !seen.contains(kind));
        types
    }
}

/// The types of plain keys a server has an algorithm for, each once, in the order of our table.
#[must_use]
pub fn plain_types(server: &KexInit) -> Vec<&'static str> {
    plain_types_where(|name| server.host_key().names().any(|offered| offered == name.as_bytes()))
}

/// The same of whoever `offers` the host-key algorithms of these names.
pub(crate) fn plain_types_where(offers: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut types = Vec::new();
    for algorithm in HOST_KEY {
        let plain = if is_certificate(algorithm.key_type) {
            certified_type(algorithm.key_type)
        } else {
            Some(algorithm.key_type)
        };
        let Some(plain) = plain else { continue };
        if !types.contains(&plain) && offers(algorithm.name) {
            types.push(plain);
        }
    }
    types
}
