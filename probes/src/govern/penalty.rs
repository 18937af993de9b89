//! What our connections cost us with an sshd that keeps accounts: PerSourcePenalties of OpenSSH 9.8 and later.
//!
//! sshd charges the source address when a connection ENDS, so many seconds by what became of it. Time runs the sum down;
//! once more than 15 s (`min`) are outstanding, every new connection from that address is told `Not allowed at this time`
//! until the sum has run down to nothing. Refused connections are not charged. Defaults of sshd_config(5).

use std::time::Duration;

use crate::evidence::{Evidence, Fault, Identification, Stage};
use crate::plan::Depth;
use crate::time::Moment;

/// What sshd charges a connection as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It ended without an authentication attempt: a banner grab, a KEXINIT, a whole key exchange, `none` for a user who exists.
    NoAuth,
    /// Its first userauth request, even `none`, named a user who does not exist or may not log in (10.3 and later).
    InvalidUser,
    /// An authentication request failed and none succeeded.
    AuthFail,
    /// `RefuseConnection` matched (9.9 and later).
    RefuseConnection,
    /// LoginGraceTime ran out. 9.8 charges 20 s, later ones 10 s: the dearer counts.
    GraceExceeded,
    /// The session process died from a signal.
    Crash,
}

impl Class {
    /// The default charge.
    #[must_use]
    pub const fn charge(self) -> Duration {
        Duration::from_secs(match self {
            Class::NoAuth => 1,
            Class::InvalidUser | Class::AuthFail => 5,
            Class::RefuseConnection => 10,
            Class::GraceExceeded => 20,
            Class::Crash => 90,
        })
    }

    /// What a connection was charged as, at worst; `None` where no connection was made or the server refused it untried.
    ///
    /// Whether the user named exists cannot be seen, so naming one counts as [`Class::InvalidUser`].
    #[must_use]
    pub fn of(evidence: &Evidence) -> Option<Class> {
        if !evidence.connected() || evidence.ident.is_none() {
            // The listener's refusals (`Not allowed at this time`, `Exceeded MaxStartups`) come before an identification and
            // are not charged. Other connections that end before one cost a second at most.
            let refused = !evidence.preamble.lines.is_empty() || !evidence.preamble.partial.is_empty();
            return (evidence.connected() && !refused).then_some(Class::NoAuth);
        }
        if let Some(login) = &evidence.login {
            let refused = !login.accepted && !login.attempts.is_empty();
            return Some(if refused { Class::AuthFail } else { Class::NoAuth });
        }
        let named_user = evidence.auth.as_ref().is_some_and(|auth| auth.none_sent);
        let wordless = matches!(evidence.fault, Some(Fault::Eof | Fault::Reset));
        if wordless && evidence.ended.since(evidence.started) >= Self::LEAST_GRACE {
            return Some(Class::GraceExceeded);
        }
        match (named_user, wordless) {
            (true, true) => Some(Class::RefuseConnection),
            (true, false) => Some(Class::InvalidUser),
            // After our KEXINIT a child that goes without a word may have been killed; before it, sshd just closes.
            (false, true) if evidence.stage == Stage::Kex => Some(Class::Crash),
            (false, _) => Some(Class::NoAuth),
        }
    }

    /// What a connection that goes as deep as `depth` is charged as, at worst.
    ///
    /// Whether the user named exists is not known before, so naming one counts as [`Class::InvalidUser`].
    #[must_use]
    pub fn expected(depth: Depth) -> Class {
        match depth {
            Depth::Login => Class::AuthFail,
            Depth::Auth => Class::InvalidUser,
            _ => Class::NoAuth,
        }
    }

    /// No LoginGraceTime in use is shorter: a connection that the server ended sooner was not ended by it.
    const LEAST_GRACE: Duration = Duration::from_secs(30);
}

/// Whether a server may be one that keeps accounts: OpenSSH 9.8 or later, or not known.
#[must_use]
pub fn may_charge(ident: Option<&Identification>) -> bool {
    let Some(ident) = ident else { return true };
    let Some(rest) = ident.software().strip_prefix(b"OpenSSH") else { return false };
    let rest = rest.strip_prefix(b"_for_Windows").unwrap_or(rest);
    let rest = rest.strip_prefix(b"_").unwrap_or(rest);
    let mut numbers = rest.split(|byte| !byte.is_ascii_digit()).map(decimal);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (9, 8),
        (Some(major), None) => major >= 9,
        (None, _) => true,
    }
}

fn decimal(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// How much one server holds against us, and when another connection is affordable.
///
/// Kept below what sshd allows, as the source address may be shared with others behind the same NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// When everything charged so far will have run down.
    clear_at: Moment,
}

impl Budget {
    /// The most that may be outstanding after a further connection. sshd refuses above 15 s.
    pub const OUTSTANDING: Duration = Duration::from_secs(12);
    /// What may be outstanding before sshd refuses (`min`).
    pub const ENFORCED: Duration = Duration::from_secs(15);
    /// sshd's own cap of one source's sum (`max`).
    pub const CAP: Duration = Duration::from_secs(600);

    /// A connection charged as `class` ended at `now`.
    pub fn spend(&mut self, class: Class, now: Moment) {
        self.clear_at = (self.clear_at.max(now) + class.charge()).min(now + Self::CAP);
    }

    /// What is outstanding at `now`.
    #[must_use]
    pub const fn outstanding(&self, now: Moment) -> Duration {
        self.clear_at.since(now)
    }

    /// The earliest moment, not before `now`, at which a connection that will be charged as `class` keeps the sum within
    /// [`Self::OUTSTANDING`]; for one dearer than that, when nothing is outstanding any more.
    #[must_use]
    pub fn earliest(&self, class: Class, now: Moment) -> Moment {
        let bearable = Self::OUTSTANDING.saturating_sub(class.charge());
        now + self.outstanding(now).saturating_sub(bearable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Auth, PreambleLine};
    use proptest::prelude::*;

    const CLASSES: [Class; 6] = [
        Class::NoAuth,
        Class::InvalidUser,
        Class::AuthFail,
        Class::RefuseConnection,
        Class::GraceExceeded,
        Class::Crash,
    ];

    fn secs(count: u64) -> Moment {
        Moment::from_micros(count * 1_000_000)
    }

    #[test]
    fn sixteen_banner_grabs_in_a_second_would_be_refused_and_twelve_are_not() {
        let mut budget = Budget::default();
        for _ in 0..12 {
            assert_eq!(budget.earliest(Class::NoAuth, secs(0)), secs(0));
            budget.spend(Class::NoAuth, secs(0));
        }
        assert_eq!(budget.outstanding(secs(0)), Budget::OUTSTANDING);
        assert_eq!(budget.earliest(Class::NoAuth, secs(0)), secs(1), "the thirteenth waits for one to run off");
        assert_eq!(budget.earliest(Class::NoAuth, secs(1)), secs(1));
    }

    #[test]
    fn naming_a_user_twice_is_affordable_and_the_third_waits() {
        let mut budget = Budget::default();
        budget.spend(Class::InvalidUser, secs(100));
        assert_eq!(budget.earliest(Class::InvalidUser, secs(101)), secs(101));
        budget.spend(Class::InvalidUser, secs(101));
        assert_eq!(budget.outstanding(secs(101)), Duration::from_secs(9));
        assert_eq!(budget.earliest(Class::InvalidUser, secs(101)), secs(103));
        assert_eq!(budget.earliest(Class::NoAuth, secs(101)), secs(101), "a cheaper one need not wait");
    }

    #[test]
    fn what_is_dearer_than_the_budget_waits_until_nothing_is_outstanding() {
        let mut budget = Budget::default();
        budget.spend(Class::Crash, secs(10));
        assert_eq!(budget.earliest(Class::NoAuth, secs(10)), secs(89));
        assert_eq!(budget.earliest(Class::Crash, secs(10)), secs(100));
        assert_eq!(budget.earliest(Class::Crash, secs(400)), secs(400));
    }

    #[test]
    fn no_sum_grows_above_the_cap_of_sshd() {
        let mut budget = Budget::default();
        for _ in 0..20 {
            budget.spend(Class::Crash, secs(0));
        }
        assert_eq!(budget.outstanding(secs(0)), Budget::CAP);
    }

    proptest! {
        #[test]
        fn obeying_the_budget_keeps_the_sum_within_it(steps in proptest::collection::vec((0usize..4, 0u64..9_000_000), 1..50)) {
            let mut budget = Budget::default();
            let mut now = Moment::START;
            for (which, gap) in steps {
                let class = CLASSES[which];
                let start = budget.earliest(class, now);
                prop_assert!(start >= now);
                prop_assert_eq!(budget.earliest(class, start), start, "waiting as told is enough");
                now = start + Duration::from_micros(gap);
                budget.spend(class, now);
                prop_assert!(budget.outstanding(now) <= Budget::OUTSTANDING);
            }
        }
    }

    fn ident(software: &str) -> Identification {
        Identification { raw: format!("SSH-2.0-{software}").into_bytes() }
    }

    #[test]
    fn only_openssh_since_9_8_and_the_unknown_keep_accounts() {
        for charging in [
            "OpenSSH_9.8",
            "OpenSSH_9.9p2",
            "OpenSSH_10.0p2 Debian-5",
            "OpenSSH_for_Windows_9.8 Win32",
            "OpenSSH",
            "OpenSSH_9",
        ] {
            assert!(may_charge(Some(&ident(charging))), "{charging}");
        }
        for free in [
            "OpenSSH_9.7",
            "OpenSSH_9.2p1 Debian-2+deb12u10",
            "OpenSSH_for_Windows_8.1",
            "OpenSSH_7",
            "dropbear_2022.83",
            "",
        ] {
            assert!(!may_charge(Some(&ident(free))), "{free}");
        }
        assert!(may_charge(None), "who has not said what it is may be one");
        assert!(may_charge(Some(&ident("OpenSSH_99999999999.1"))), "a version that is none says nothing");
    }

    fn ended(change: impl FnOnce(&mut Evidence)) -> Evidence {
        let mut evidence = Evidence::new("10.0.0.1:22".parse().unwrap(), secs(5));
        evidence.ended = secs(6);
        evidence.stage = Stage::Ident;
        change(&mut evidence);
        evidence
    }

    fn none_sent() -> Auth {
        Auth { none_sent: true, ..Auth::default() }
    }

    #[test]
    fn a_connection_is_charged_by_what_became_of_it() {
        let class = |change: fn(&mut Evidence)| Class::of(&ended(change));
        let refused =
            |evidence: &mut Evidence| (evidence.stage, evidence.fault) = (Stage::Connect, Some(Fault::Connect));
        assert_eq!(class(refused), None);
        assert_eq!(class(|evidence| evidence.fault = Some(Fault::Eof)), Some(Class::NoAuth));
        let text = |evidence: &mut Evidence| {
            let bytes = b"Not allowed at this time".to_vec();
            evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes });
        };
        assert_eq!(class(text), None, "refused connections are not charged");
        let known = |evidence: &mut Evidence| evidence.ident = Some(ident("OpenSSH_10.5"));
        assert_eq!(Class::of(&ended(known)), Some(Class::NoAuth));
        let at_stage = |stage, fault, auth| {
            Class::of(&ended(|evidence| {
                evidence.ident = Some(ident("OpenSSH_10.5"));
                (evidence.stage, evidence.fault, evidence.auth) = (stage, fault, auth);
            }))
        };
        assert_eq!(at_stage(Stage::Kexinit, Some(Fault::Eof), None), Some(Class::NoAuth));
        assert_eq!(at_stage(Stage::Kex, Some(Fault::Timeout), None), Some(Class::NoAuth));
        assert_eq!(at_stage(Stage::Kex, Some(Fault::Eof), None), Some(Class::Crash));
        assert_eq!(at_stage(Stage::Auth, None, Some(none_sent())), Some(Class::InvalidUser));
        assert_eq!(at_stage(Stage::Auth, Some(Fault::Eof), Some(none_sent())), Some(Class::RefuseConnection));
        assert_eq!(at_stage(Stage::Auth, Some(Fault::Eof), None), Some(Class::NoAuth));
        let lasting = |fault| {
            Class::of(&ended(|evidence| {
                evidence.ident = Some(ident("OpenSSH_10.5"));
                (evidence.ended, evidence.fault) = (secs(125), Some(fault));
            }))
        };
        assert_eq!(lasting(Fault::Eof), Some(Class::GraceExceeded));
        assert_eq!(lasting(Fault::Timeout), Some(Class::NoAuth), "we left, not sshd");
    }
}
