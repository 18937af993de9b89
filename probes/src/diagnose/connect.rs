//! What connect() and ICMP said: Linux folds several ICMP errors into one errno, so the ICMP message counts first.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::classify::seconds;
use super::code::Code;
use super::verdict::Verdict;
use crate::evidence::{Errno, Evidence, Icmp, LocalTrouble, Stage};

/// An answer faster than this without an ICMP message never left this machine.
const AT_ONCE: Duration = Duration::from_millis(5);

/// connect() failed.
pub(super) fn failed(evidence: &Evidence) -> Verdict {
    let took = took(evidence);
    let after = format!("after {}", seconds(took));
    if let Some(icmp) = &evidence.path.icmp
        && let Some(code) = by_icmp(icmp)
    {
        return with_icmp(evidence, icmp, code, &after);
    }
    let Some(errno) = evidence.path.errno else {
        return Verdict::new(Code::Internal, Stage::Connect, "connect() failed without an error number");
    };
    let at_once = took < AT_ONCE;
    let verdict = |code, sentence: &str| Verdict::new(code, Stage::Connect, format!("{sentence} ({errno} {after})"));
    match errno {
        Errno::ECONNREFUSED => verdict(Code::Refused, "the address answered the connection with a reset"),
        // The SYN was accepted and the connection reset before connect() returned: an answer of the server's, not of the port.
        Errno::ECONNRESET | Errno::ECONNABORTED | Errno::EPIPE => Verdict {
            stage: Stage::Ident,
            ..verdict(Code::ResetNoIdent, "the connection was accepted and reset in the same breath").medium()
        },
        Errno::ETIMEDOUT => verdict(Code::TimeoutConnect, "the kernel gave up: no answer to the SYNs").medium(),
        Errno::EHOSTUNREACH if at_once => {
            verdict(Code::LocalNoRoute, "this machine answered at once, without ICMP: it has an unreachable route")
                .medium()
        }
        Errno::EHOSTUNREACH | Errno::EHOSTDOWN | Errno::ENONET | Errno::EOPNOTSUPP => {
            verdict(Code::UnreachableHost, "the network reports the host unreachable").medium()
        }
        Errno::EPROTO => verdict(Code::UnreachableHost, "a router found fault with our segment").low(),
        Errno::ENETUNREACH if at_once => verdict(Code::LocalNoRoute, "this machine has no route to the address"),
        Errno::ENETUNREACH | Errno::ENETRESET => {
            verdict(Code::UnreachableNet, "the network reports that it has no route to the address").medium()
        }
        Errno::ENETDOWN | Errno::ENODEV => verdict(Code::LocalNoRoute, "the interface towards the address is down"),
        Errno::EAFNOSUPPORT => verdict(Code::LocalNoRoute, "this machine does not speak the address's family"),
        // On IPv6 a remote prohibition comes as EACCES too, but never faster than a round trip.
        Errno::EACCES if !at_once && evidence.addr.is_ipv6() => {
            verdict(Code::AdminProhibited, "a filter on the way prohibits the connection")
        }
        Errno::ENOPROTOOPT => verdict(Code::AdminProhibited, "a filter on the way rejects the protocol"),
        Errno::EINVAL if lacks_interface(evidence) => {
            verdict(Code::LocalPolicy, "a link-local address needs its interface: fe80::1%eth0, or --interface NAME")
        }
        // Of a socket that was bound to no address the kernel has forgotten where it was to send from.
        Errno::EINVAL if local_ip(evidence).is_some() => {
            let from = local_ip(evidence).map(|from| from.to_string()).unwrap_or_default();
            let sentence = format!(
                "this machine does not send from {from} (--source) to the address, or a route of its own forbids it"
            );
            verdict(Code::LocalPolicy, &sentence)
        }
        Errno::EACCES | Errno::EPERM | Errno::EINVAL => {
            verdict(Code::LocalPolicy, "a route, filter or security module of this machine forbids the connection")
        }
        errno if exhausted(errno) => verdict(Code::LocalResourceLimit, "this machine has run out of a resource"),
        _ => verdict(Code::LocalPolicy, "this machine's kernel refused to connect").low(),
    }
}

/// Our own connect deadline passed.
pub(super) fn timed_out(evidence: &Evidence) -> Verdict {
    let after = format!("after {}", seconds(took(evidence)));
    match &evidence.path.icmp {
        Some(icmp) if by_icmp(icmp).is_some() => {
            with_icmp(evidence, icmp, by_icmp(icmp).unwrap_or(Code::UnreachableHost), &after)
        }
        _ => Verdict::new(Code::TimeoutConnect, Stage::Connect, format!("no answer to our SYNs {after}")).medium(),
    }
}

/// Trouble of this machine, as the driver found it.
pub(super) fn local(evidence: &Evidence, trouble: LocalTrouble) -> Verdict {
    local_verdict(trouble, evidence.stage, evidence.path.errno)
}

/// The verdict on trouble of this machine, in words.
pub(crate) fn local_verdict(trouble: LocalTrouble, stage: Stage, errno: Option<Errno>) -> Verdict {
    let (code, sentence) = match trouble {
        LocalTrouble::ResourceLimit => (
            Code::LocalResourceLimit,
            "this machine has no descriptors, ports, buffers or memory left for the connection",
        ),
        LocalTrouble::Untracked => (
            Code::LocalResourceLimit,
            "this machine's connection-tracking table stayed full: what was sent may not have left it",
        ),
        LocalTrouble::Unfound => (
            Code::LocalResourceLimit,
            "this machine's table of neighbours had no room: what was sent may not have left it",
        ),
        LocalTrouble::Behind => (
            Code::LocalResourceLimit,
            "this machine had no CPU in time, or was stopped: an answer may have been missed",
        ),
        LocalTrouble::NoRoute => (Code::LocalNoRoute, "this machine has no route to the address"),
        LocalTrouble::OtherFamily { from, to } => {
            let sentence =
                format!("nothing can be sent from {from} (--source) to {to}, an address of the other family");
            return Verdict::new(Code::LocalNoRoute, stage, sentence);
        }
        LocalTrouble::StaysHere(to) => {
            let sentence = format!(
                "nothing gets to {to} from a loopback address (--source) or through a loopback interface (--interface)"
            );
            return Verdict::new(Code::LocalNoRoute, stage, sentence);
        }
        LocalTrouble::Policy => {
            (Code::LocalPolicy, "a route, filter or security module of this machine forbids the connection")
        }
        // A connection is told no error number for that.
        LocalTrouble::Dropped(to) => {
            let sentence =
                format!("the SYNs to {to} did not leave this machine: a filter of its own drops them, or a queue");
            return Verdict::new(Code::LocalPolicy, stage, sentence).medium();
        }
    };
    let errno = errno.map(|errno| format!(" ({errno})")).unwrap_or_default();
    let verdict = Verdict::new(code, stage, format!("{sentence}{errno}"));
    if matches!(trouble, LocalTrouble::Untracked | LocalTrouble::Unfound) { verdict.medium() } else { verdict }
}

/// Errors that tell of a lack on our side; the target had no part in them.
fn exhausted(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EADDRNOTAVAIL
            | Errno::EADDRINUSE
            | Errno::EAGAIN
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
    )
}

/// Whether the address is link-local, and its interface is not known.
fn lacks_interface(evidence: &Evidence) -> bool {
    matches!(evidence.addr, SocketAddr::V6(addr) if addr.ip().is_unicast_link_local() && addr.scope_id() == 0)
}

fn took(evidence: &Evidence) -> Duration {
    evidence.timing.connect.unwrap_or_else(|| evidence.ended.since(evidence.started))
}

/// Whether an ICMP message ends a connect; fragmentation needed and packet too big do not.
#[must_use]
pub fn ends_connect(icmp: &Icmp) -> bool {
    by_icmp(icmp).is_some()
}

/// What an ICMP error means for a connect; `None` for those that do not end one (fragmentation needed, packet too big).
fn by_icmp(icmp: &Icmp) -> Option<Code> {
    let code = if icmp.v6 {
        match (icmp.kind, icmp.code) {
            (1, 0) => Code::UnreachableNet,
            (1, 1 | 5 | 6) => Code::AdminProhibited,
            (1, 4) => Code::RefusedByFilter,
            (1 | 3 | 4, _) => Code::UnreachableHost,
            _ => return None,
        }
    } else {
        match (icmp.kind, icmp.code) {
            (3, 4) => return None,
            (3, 0 | 6 | 11) => Code::UnreachableNet,
            (3, 2 | 9 | 10 | 13) => Code::AdminProhibited,
            (3, 3) => Code::RefusedByFilter,
            (3 | 11 | 12, _) => Code::UnreachableHost,
            _ => return None,
        }
    };
    Some(code)
}

/// Whether it was this machine's own kernel that reported the host unreachable, and perhaps without having asked for it on the link:
/// over IPv6 the question itself needs a place in the table of neighbours, that of the multicast address it goes to. (Who has a
/// place in IPv4's has been asked for, three times.)
#[must_use]
pub fn perhaps_not_asked_for(evidence: &Evidence) -> bool {
    evidence.addr.is_ipv6()
        && match &evidence.path.icmp {
            Some(icmp) => by_icmp(icmp) == Some(Code::UnreachableHost) && is_own(evidence, icmp),
            None => evidence.path.errno == Some(Errno::EHOSTUNREACH) && took(evidence) >= AT_ONCE,
        }
}

/// Whether an ICMP message is from our own address, and so our own kernel's word.
fn is_own(evidence: &Evidence, icmp: &Icmp) -> bool {
    icmp.from.is_some() && icmp.from != Some(evidence.addr.ip()) && icmp.from == local_ip(evidence)
}

fn with_icmp(evidence: &Evidence, icmp: &Icmp, code: Code, after: &str) -> Verdict {
    let sentence = icmp_sentence(icmp);
    // Our own kernel speaks of a REJECT in the OUTPUT chain, or of a neighbour that did not answer ARP. Only the latter says
    // something about the target.
    let own = is_own(evidence, icmp);
    let (code, confidence_is_high, remark) = match code {
        Code::RefusedByFilter | Code::AdminProhibited if own => (Code::LocalPolicy, true, ", this machine itself"),
        Code::UnreachableNet if own => (Code::LocalNoRoute, true, ", this machine itself"),
        Code::UnreachableHost if own => {
            (code, false, ", this machine itself: nobody answered for the address on the link")
        }
        Code::UnreachableHost | Code::UnreachableNet => (code, false, ""),
        _ => (code, true, ""),
    };
    let verdict = Verdict::new(code, Stage::Connect, format!("{sentence}{remark}, {after}"));
    if confidence_is_high { verdict } else { verdict.medium() }
}

fn local_ip(evidence: &Evidence) -> Option<IpAddr> {
    evidence.path.local.map(|local| local.ip())
}

/// An ICMP message in words: `ICMP 3/13 (administratively prohibited) from 10.0.0.1`.
pub(super) fn icmp_sentence(icmp: &Icmp) -> String {
    let family = if icmp.v6 { "ICMPv6" } else { "ICMP" };
    let from = icmp.from.map(|from| format!(" from {from}")).unwrap_or_default();
    format!("{family} {}/{} ({}){from}", icmp.kind, icmp.code, icmp_name(icmp))
}

/// The registry's name of type and code (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443), shortened.
fn icmp_name(icmp: &Icmp) -> &'static str {
    match (icmp.v6, icmp.kind, icmp.code) {
        (false, 3, 0) => "network unreachable",
        (false, 3, 1) => "host unreachable",
        (false, 3, 2) => "protocol unreachable",
        (false, 3, 3) => "port unreachable",
        (false, 3, 4) => "fragmentation needed",
        (false, 3, 9) => "network administratively prohibited",
        (false, 3, 10) => "host administratively prohibited",
        (false, 3, 13) => "communication administratively prohibited",
        (false, 3, _) => "destination unreachable",
        (false, 11, _) => "time to live exceeded: a routing loop",
        (false, 12, _) => "parameter problem",
        (true, 1, 0) => "no route to destination",
        (true, 1, 1) => "communication administratively prohibited",
        (true, 1, 2) => "beyond scope of source address",
        (true, 1, 3) => "address unreachable",
        (true, 1, 4) => "port unreachable",
        (true, 1, 5) => "source address failed policy",
        (true, 1, 6) => "reject route",
        (true, 1, _) => "destination unreachable",
        (true, 2, _) => "packet too big",
        (true, 3, _) => "hop limit exceeded: a routing loop",
        (true, 4, _) => "parameter problem",
        _ => "unknown",
    }
}
