//! What a tunnel's outcome and that of a direct probe of the same host mean together: either alone leaves open where the
//! fault is.

use super::code::{Code, Status};
use super::finding::{Finding, FindingId};
use crate::record::{Direct, HostKey, Record};

/// What came of the way through the relay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tunnelled {
    /// The host's port was reached, whatever SSH made of it.
    Reached,
    /// The relay could not open TCP to it (4003).
    Unreachable,
    /// The relay announced no session: the packets to the host are dropped rather than refused.
    Silent,
    /// The relay does not let this account there (4033).
    Forbidden,
    /// The relay knows no such instance (4047).
    Unknown,
}

/// What came of the direct way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directly {
    /// TCP was taken.
    Answers,
    /// A reset: the host is there, and nothing listens.
    Refused,
    /// Nothing came back, or a router or filter said no.
    Blocked,
}

/// The direct probe as the tunnel's record shows it, and what the two mean together, if anything.
///
/// The comparison stands on the address being the host's own: keys that differ say that it is not, and then it says nothing else.
#[must_use]
pub fn pair(tunnelled: &Record, direct: &Record) -> (Direct, Option<Finding>) {
    let same_host_key = same_key(&tunnelled.host_keys, &direct.host_keys);
    let addr = direct.target.addr;
    let shown = Direct {
        addr,
        status: direct.status,
        code: direct.code,
        arg: direct.arg.clone(),
        stage: direct.stage,
        detail: direct.detail.clone(),
        same_host_key,
    };
    let whereto = addr.map_or_else(|| direct.target.host.clone(), |addr| addr.to_string());
    let whereto = format!("{whereto} port {}", direct.target.port);
    if same_host_key == Some(false) {
        let detail = format!(
            "{whereto} shows another host key than the tunnel: it is another machine, and says nothing of this one"
        );
        return (shown, Some(Finding::new(FindingId::DirectOtherHost, detail)));
    }
    let found = meaning(tunnelled, direct).map(|id| {
        let detail = format!("through the relay {}, directly at {whereto} {}", told(tunnelled), told(direct));
        Finding::new(id, detail)
    });
    (shown, found)
}

/// Whether a direct probe beside this outcome of the tunnel can mean anything. Where the relay, or this machine, had trouble of
/// its own, nothing is known of the host that could be held against it.
#[must_use]
pub fn worth_comparing(tunnelled: &Record) -> bool {
    through_relay(tunnelled).is_some()
}

fn told(record: &Record) -> String {
    record.arg.as_ref().map_or_else(|| record.code.to_string(), |arg| format!("{} ({arg})", record.code))
}

fn meaning(tunnelled: &Record, direct: &Record) -> Option<FindingId> {
    use {Directly as D, Tunnelled as T};
    Some(match (through_relay(tunnelled)?, directly(direct)?) {
        (T::Reached, D::Blocked) => FindingId::IapOnly,
        (T::Reached, D::Answers) => FindingId::OpenWithoutIap,
        (T::Unreachable | T::Silent, D::Answers) => FindingId::IapRangeNotAllowed,
        (T::Unreachable, D::Refused) => FindingId::SshdNotListening,
        (T::Unreachable | T::Silent, D::Blocked) => FindingId::GuestSilent,
        (T::Forbidden, D::Answers) => FindingId::IapRightsMissing,
        (T::Unknown, D::Answers) => FindingId::IapUnknownInstance,
        // A port that one way finds open and the other closed may be bound to one of the host's addresses, or be another host's.
        (T::Reached | T::Silent | T::Forbidden | T::Unknown, D::Refused) | (T::Forbidden | T::Unknown, D::Blocked) => {
            return None;
        }
    })
}

fn through_relay(record: &Record) -> Option<Tunnelled> {
    match (record.code, record.status) {
        (Code::IapBackendUnreachable, _) => Some(Tunnelled::Unreachable),
        (Code::IapBackendSilent, _) => Some(Tunnelled::Silent),
        (Code::IapNotAuthorized, _) => Some(Tunnelled::Forbidden),
        (Code::IapInstanceLookupFailed, _) => Some(Tunnelled::Unknown),
        // The relay's own trouble, and this machine's.
        (_, Status::TunnelFailure | Status::LocalError | Status::DnsFailure) => None,
        // Of a TCP connection that the relay had opened.
        (_, _) => Some(Tunnelled::Reached),
    }
}

fn directly(record: &Record) -> Option<Directly> {
    match (record.code, record.status) {
        (Code::Refused, _) => Some(Directly::Refused),
        (Code::TimeoutConnect | Code::RefusedByFilter, _) | (_, Status::Unreachable) => Some(Directly::Blocked),
        (_, Status::LocalError | Status::DnsFailure | Status::TunnelFailure) => None,
        (_, _) => Some(Directly::Answers),
    }
}

/// Whether both ways showed the same key; `None` if they have shown none of one type.
fn same_key(tunnelled: &[HostKey], direct: &[HostKey]) -> Option<bool> {
    let both =
        |ours: &&HostKey| direct.iter().find(|theirs| theirs.kind == ours.kind).map(|theirs| theirs.key == ours.key);
    tunnelled.iter().find_map(|ours| both(&ours))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::evidence::{LocalTrouble, Signature};
    use crate::record::{Run, Trust};
    use crate::target::{Host, Target};
    use crate::time::{Moment, UnixMicros};

    fn record(code: Code) -> Record {
        let target = Target {
            input: "vm1".into(),
            index: 0,
            host: Host::Name("vm1".into()),
            place: None,
            port: 22,
            user: None,
            from_range: false,
        };
        let run = Run { id: "0".into(), version: "0", epoch: UnixMicros(0) };
        let record = Record::local(&target, LocalTrouble::Policy, None, &run, Moment::START);
        Record { code, status: code.status(), ..record }
    }

    fn key(kind: &str, key: &str) -> HostKey {
        HostKey {
            kind: kind.to_owned().into(),
            bits: None,
            fingerprint: String::new(),
            key: key.into(),
            signature: Signature::Verified,
            trust: Trust::Unchecked,
            source: None,
            known: Vec::new(),
            known_as: Vec::new(),
            cert: None,
            sshfp: None,
        }
    }

    /// Every pair that has a meaning, and what is known of those that have none.
    #[test]
    fn pairs_and_what_they_mean() {
        use Code as C;
        for (tunnelled, direct, meant) in [
            (C::Ok, C::TimeoutConnect, "iap-only"),
            (C::Ok, C::RefusedByFilter, "iap-only"),
            (C::Ok, C::UnreachableHost, "iap-only"),
            (C::AuthClosed, C::AdminProhibited, "iap-only"),
            (C::Ok, C::Ok, "open-without-iap"),
            (C::ClosedNoIdent, C::ThrottledMaxstartups, "open-without-iap"),
            (C::IapBackendUnreachable, C::Ok, "iap-range-not-allowed"),
            (C::IapBackendSilent, C::ClosedNoIdent, "iap-range-not-allowed"),
            (C::IapBackendUnreachable, C::Refused, "sshd-not-listening"),
            (C::IapBackendUnreachable, C::TimeoutConnect, "guest-silent"),
            (C::IapBackendSilent, C::TimeoutConnect, "guest-silent"),
            (C::IapNotAuthorized, C::Ok, "iap-rights-missing"),
            (C::IapInstanceLookupFailed, C::NotSsh, "iap-unknown-instance"),
            (C::Ok, C::Refused, ""),
            (C::IapBackendSilent, C::Refused, ""),
            (C::IapNotAuthorized, C::TimeoutConnect, ""),
            (C::IapInstanceLookupFailed, C::Refused, ""),
            (C::IapRelayError, C::Ok, ""),
            (C::IapHttp, C::TimeoutConnect, ""),
            (C::ProxyUnreachable, C::Ok, ""),
            (C::Ok, C::DnsNxdomain, ""),
            (C::IapBackendUnreachable, C::LocalPolicy, ""),
            (C::LocalResourceLimit, C::Ok, ""),
        ] {
            let (direct_to, (shown, found)) = (direct, pair(&record(tunnelled), &record(direct)));
            assert_eq!(shown.code, direct_to);
            assert!(meant.is_empty() || worth_comparing(&record(tunnelled)), "{tunnelled}");
            assert_eq!(found.as_ref().map_or("", |found| found.id.name()), meant, "{tunnelled} and {direct}");
        }
    }

    #[test]
    fn what_is_not_the_hosts_is_not_compared() {
        use Code as C;
        for code in [C::IapHttp, C::IapTls, C::IapRelayError, C::ProxyUnreachable, C::LocalPolicy, C::Internal] {
            assert!(!worth_comparing(&record(code)), "{code}");
        }
    }

    #[test]
    fn another_key_is_another_machine_and_then_nothing_else_is_concluded() {
        let addr = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        let with = |code, keys: &[(&str, &str)]| {
            let mut record = record(code);
            record.host_keys = keys.iter().map(|(kind, blob)| key(kind, blob)).collect();
            record.target.addr = addr;
            record
        };
        let of = |tunnelled: &[(&str, &str)], direct: &[(&str, &str)]| {
            let (shown, found) = pair(&with(Code::Ok, tunnelled), &with(Code::Ok, direct));
            assert_eq!(shown.addr, addr);
            (shown.same_host_key, found.map(|found| found.id.name()))
        };
        let (a, b, c) = (("ssh-ed25519", "A"), ("ssh-ed25519", "B"), ("ssh-rsa", "C"));
        assert_eq!(of(&[a], &[a]), (Some(true), Some("open-without-iap")));
        assert_eq!(of(&[a], &[b]), (Some(false), Some("direct-other-host")));
        assert_eq!(of(&[c, a], &[b]), (Some(false), Some("direct-other-host")));
        assert_eq!(of(&[a], &[c]), (None, Some("open-without-iap")));
        assert_eq!(of(&[], &[a]), (None, Some("open-without-iap")));
    }
}
