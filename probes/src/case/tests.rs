//! Cases under virtual time: every connection a case asks for comes to the next ending of a script.

use super::*;
use crate::evidence::{Auth, Errno, HostKey, Identification, LocalTrouble, PreambleLine, Signature};
use crate::time::UnixMicros;
use crate::wire::kexinit::KexInit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

const FIRST: &str = "10.0.0.1:22";
const SECOND: &str = "10.0.0.2:22";
const PER_HOST: Duration = Duration::from_millis(1200);
/// How long every connection of these tests lasts.
const LASTS: Duration = Duration::from_millis(100);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(millis: u64) -> Moment {
    Moment::from_micros(millis * 1000)
}

fn settings(retries: u32) -> Settings {
    let run = Run { id: "test".into(), version: "0", epoch: UnixMicros(0) };
    Settings { plan: Arc::new(Plan::default()), retries, per_host: PER_HOST, run: Arc::new(run), trust: None }
}

fn target() -> Target {
    let host = Host::Name("demo.example".into());
    Target { input: "demo.example".into(), index: 0, host, port: 22, place: None, user: None, from_range: false }
}

fn case(addrs: &[&str], settings: Settings) -> Case {
    let addrs: Vec<_> = addrs.iter().copied().map(addr).collect();
    Case::new(target(), addrs, None, Arc::new(settings), at(0), 42)
}

/// What one connection of a script came to, written upon evidence that has just been opened.
type Ending = Box<dyn Fn(&mut Evidence)>;

fn ending(change: impl Fn(&mut Evidence) + 'static) -> Ending {
    Box::new(change)
}

fn ok() -> Ending {
    ending(|evidence| {
        reached_auth(evidence, "OpenSSH_9.2p1", None);
        evidence.auth.as_mut().unwrap().methods = Some([b"publickey".to_vec()].into());
    })
}

/// A KEXINIT with ten empty lists.
fn kexinit() -> KexInit {
    let mut payload = vec![0; 1 + 16 + 10 * 4 + 1 + 4];
    payload[0] = crate::wire::kexinit::SSH_MSG_KEXINIT;
    KexInit::parse(&payload).unwrap()
}

fn reached_auth(evidence: &mut Evidence, software: &str, fault: Option<Fault>) {
    identified(evidence, software, Stage::Auth, fault);
    evidence.kexinit = Some(kexinit());
    evidence.host_key = Some(HostKey { blob: Vec::new(), signature: Signature::Verified });
    let auth = Auth { user: "root".into(), service_accepted: true, none_sent: true, ..Auth::default() };
    evidence.auth = Some(auth);
}

fn identified(evidence: &mut Evidence, software: &str, stage: Stage, fault: Option<Fault>) {
    evidence.ident = Some(Identification { raw: format!("SSH-2.0-{software}").into_bytes() });
    evidence.received = 64;
    (evidence.stage, evidence.fault) = (stage, fault);
}

fn dies_at_none(software: &'static str, fault: Fault) -> Ending {
    ending(move |evidence| reached_auth(evidence, software, Some(fault.clone())))
}

fn silent_at(stage: Stage) -> Ending {
    ending(move |evidence| {
        identified(evidence, "OpenSSH_9.2p1", stage, Some(Fault::Timeout));
        evidence.kexinit = (stage > Stage::Kexinit).then(kexinit);
    })
}

fn no_ident(fault: Fault) -> Ending {
    ending(move |evidence| {
        evidence.path.errno = (fault == Fault::Reset).then_some(Errno::ECONNRESET);
        (evidence.stage, evidence.fault) = (Stage::Ident, Some(fault.clone()));
    })
}

fn refusal_text(text: &'static str) -> Ending {
    ending(move |evidence| {
        (evidence.stage, evidence.fault) = (Stage::Ident, Some(Fault::Eof));
        evidence.preamble.count = 1;
        evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: text.into() });
        evidence.first_bytes = format!("{text}\r\n").into_bytes();
        evidence.received = evidence.first_bytes.len() as u64;
    })
}

fn refused() -> Ending {
    ending(|evidence| {
        evidence.path.errno = Some(Errno::ECONNREFUSED);
        evidence.fault = Some(Fault::Connect);
    })
}

fn local(trouble: LocalTrouble) -> Ending {
    ending(move |evidence| evidence.fault = Some(Fault::Local(trouble)))
}

/// Plays a script against a case: every connection it asks for comes to the script's next ending.
struct Play {
    asked: Vec<Connect>,
    record: Value,
}

impl Play {
    fn of(mut case: Case, script: &[Ending]) -> Self {
        let mut now = at(0);
        let mut asked: Vec<Connect> = Vec::new();
        for ending in script {
            let Next::Connect(connect) = case.next(now) else { panic!("over before {} of the script", asked.len()) };
            now = now.max(connect.not_before);
            case.add(evidence(&connect, now, ending));
            now = now + LASTS;
            asked.push(connect);
        }
        let Next::Done(record) = case.next(now) else { panic!("more wanted after the script") };
        Self { asked, record: serde_json::to_value(&record).unwrap() }
    }

    fn code(&self) -> &str {
        self.record["code"].as_str().unwrap()
    }

    fn counts(&self) -> (u64, u64) {
        (self.record["connections"].as_u64().unwrap(), self.record["attempts"].as_u64().unwrap())
    }

    /// From the end of each connection to the moment at which the next may begin.
    fn pauses(&self) -> Vec<Duration> {
        self.asked.windows(2).map(|pair| pair[1].not_before.since(pair[0].not_before + LASTS)).collect()
    }
}

fn evidence(connect: &Connect, start: Moment, ending: &Ending) -> Evidence {
    let mut evidence = Evidence::new(connect.addr, start);
    evidence.mss = connect.mss;
    evidence.step_by_step = connect.plan.step_by_step;
    evidence.ended = start + LASTS;
    ending(&mut evidence);
    evidence
}

#[test]
fn no_host_gets_more_connections_than_are_said_to_be_the_most() {
    let worst: Vec<Ending> = vec![
        no_ident(Fault::Eof),
        silent_at(Stage::Kexinit),
        dies_at_none("dropbear_2022.83", Fault::Eof),
        dies_at_none("dropbear_2022.83", Fault::Eof),
    ];
    assert_eq!(Play::of(case(&[FIRST], settings(1)), &worst).counts().0, 4);
    assert_eq!(settings(1).most_connections(), 4);
    assert_eq!(settings(100).most_connections(), Case::MAX_CONNECTIONS);
    let at_depth = |depth| {
        let plan = Arc::new(Plan { depth, ..Plan::default() });
        Settings { plan, ..settings(2) }.most_connections()
    };
    assert_eq!(Depth::ALL.map(at_depth), [1, 3, 4, 4, 5, 6]);
}

#[test]
fn a_first_connection_that_goes_well_is_the_only_one() {
    let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[ok()]);
    assert_eq!((play.code(), play.counts()), ("ok", (1, 1)));
    let connect = &play.asked[0];
    assert_eq!((connect.addr, connect.not_before, connect.mss), (addr(FIRST), at(0), None));
    assert!(!connect.plan.step_by_step);
}

#[test]
fn closing_before_the_identification_is_asked_again_once() {
    let play = Play::of(case(&[FIRST], settings(1)), &[no_ident(Fault::Eof), no_ident(Fault::Eof)]);
    assert_eq!((play.code(), play.counts()), ("closed-no-ident", (2, 2)));
    let pause = play.pauses()[0];
    assert!(pause >= PER_HOST && pause <= PER_HOST + Transient::DROPPED_JITTER, "{pause:?}");
    let play = Play::of(case(&[FIRST], settings(1)), &[no_ident(Fault::Reset), ok()]);
    assert_eq!((play.code(), play.counts()), ("ok", (2, 2)));
}

#[test]
fn retries_are_as_many_as_were_allowed() {
    let play = Play::of(case(&[FIRST], settings(0)), &[no_ident(Fault::Eof)]);
    assert_eq!((play.code(), play.counts()), ("closed-no-ident", (1, 1)));
    let script: Vec<Ending> = (0..4).map(|_| no_ident(Fault::Eof)).collect();
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &script).counts(), (4, 4));
}

#[test]
fn a_throttled_server_is_asked_again_after_seconds() {
    let play = Play::of(case(&[FIRST], settings(1)), &[refusal_text("Exceeded MaxStartups"), ok()]);
    assert_eq!((play.code(), play.counts()), ("ok", (2, 2)));
    let pause = play.pauses()[0];
    assert!(pause >= Transient::THROTTLED_LEAST && pause <= Transient::THROTTLED_MOST, "{pause:?}");
}

#[test]
fn one_that_penalises_is_never_asked_again() {
    let play = Play::of(case(&[FIRST], settings(5)), &[refusal_text("Not allowed at this time")]);
    assert_eq!((play.code(), play.counts()), ("throttled-or-penalised", (1, 1)));
    let script = [no_ident(Fault::Eof), refusal_text("Not allowed at this time")];
    assert_eq!(Play::of(case(&[FIRST], settings(5)), &script).counts(), (2, 2));
}

#[test]
fn the_next_address_is_tried_while_nothing_connected() {
    let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[refused(), ok()]);
    assert_eq!((play.code(), play.counts().1), ("ok", 1));
    assert_eq!(play.asked.iter().map(|connect| connect.addr).collect::<Vec<_>>(), [addr(FIRST), addr(SECOND)]);
    assert_eq!(play.pauses(), [Duration::ZERO], "another host need not wait for the first");
    let tried: Vec<&str> =
        play.record["tried"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(tried, ["refused", "ok"]);
    let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[refused(), refused()]);
    assert_eq!(play.code(), "refused");
}

#[test]
fn an_address_that_answered_is_never_left_for_another() {
    for last in [ending(|evidence| identified(evidence, "x", Stage::Kexinit, Some(Fault::Eof))), refused()] {
        let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[no_ident(Fault::Eof), last]);
        assert!(play.asked.iter().all(|connect| connect.addr == addr(FIRST)));
    }
    let failed = ending(|evidence| identified(evidence, "x", Stage::Kexinit, Some(Fault::Eof)));
    Play::of(case(&[FIRST, SECOND], settings(1)), &[failed]);
}

#[test]
fn the_second_address_is_kept_through_its_retries() {
    let play = Play::of(case(&[FIRST, SECOND, FIRST], settings(1)), &[refused(), no_ident(Fault::Eof), ok()]);
    assert_eq!(play.asked[2].addr, addr(SECOND));
    assert_eq!((play.code(), play.counts().1), ("ok", 2));
}

#[test]
fn a_server_that_chokes_on_both_at_once_gets_them_one_after_the_other() {
    for fault in [Fault::Eof, Fault::Reset] {
        let play = Play::of(case(&[FIRST], settings(0)), &[dies_at_none("dropbear_2022.83", fault), ok()]);
        assert_eq!((play.code(), play.counts()), ("ok", (2, 1)));
        assert!(!play.asked[0].plan.step_by_step && play.asked[1].plan.step_by_step);
        assert_eq!(play.pauses(), [PER_HOST]);
    }
    let twice = [dies_at_none("dropbear_2022.83", Fault::Eof), dies_at_none("dropbear_2022.83", Fault::Eof)];
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &twice).code(), "refused-at-userauth", "and once only");
}

#[test]
fn openssh_does_not_choke_and_is_left_alone() {
    let play = Play::of(case(&[FIRST], settings(3)), &[dies_at_none("OpenSSH_9.9", Fault::Eof)]);
    assert_eq!((play.code(), play.counts()), ("refused-at-userauth", (1, 1)));
}

#[test]
fn a_server_that_gives_its_reason_did_not_choke() {
    let reasoned = ending(|evidence| {
        reached_auth(evidence, "dropbear_2022.83", Some(Fault::Disconnected));
        evidence.disconnect = Some(crate::evidence::Disconnect { code: 2, text: b"no".to_vec() });
    });
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &[reasoned]).counts(), (1, 1));
}

#[test]
fn silence_before_a_big_packet_is_tried_again_in_small_segments() {
    for stage in [Stage::Kexinit, Stage::Kex] {
        let play = Play::of(case(&[FIRST], settings(0)), &[silent_at(stage), ok()]);
        assert_eq!((play.code(), play.counts()), ("pmtu-black-hole", (2, 1)));
        assert_eq!(play.asked.iter().map(|connect| connect.mss).collect::<Vec<_>>(), [None, Some(536)]);
        assert_eq!(play.pauses(), [PER_HOST]);
    }
    let play = Play::of(case(&[FIRST], settings(3)), &[silent_at(Stage::Kexinit), silent_at(Stage::Kexinit)]);
    assert_eq!((play.code(), play.counts()), ("kexinit-timeout", (2, 1)), "and once only");
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &[silent_at(Stage::Auth)]).counts(), (1, 1));
}

#[test]
fn trouble_of_our_own_ends_the_case() {
    let play = Play::of(case(&[FIRST, SECOND], settings(3)), &[local(LocalTrouble::ResourceLimit)]);
    assert_eq!(play.code(), "local-resource-limit");
    let play = Play::of(case(&[FIRST], settings(3)), &[no_ident(Fault::Eof), local(LocalTrouble::ResourceLimit)]);
    assert_eq!(play.code(), "closed-no-ident", "it never replaces what the target said");
    let bug = ending(|evidence| evidence.fault = Some(Fault::Internal("a state that cannot be".into())));
    assert_eq!(Play::of(case(&[FIRST, SECOND], settings(3)), &[bug]).code(), "internal");
}

#[test]
fn a_family_without_a_route_does_not_keep_the_other_from_being_tried() {
    let play = Play::of(case(&["[2001:db8::1]:22", SECOND], settings(3)), &[local(LocalTrouble::NoRoute), ok()]);
    assert_eq!((play.code(), play.counts().1), ("ok", 1));
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &[local(LocalTrouble::NoRoute)]).code(), "local-no-route");
}

#[test]
fn no_target_gets_more_connections_than_the_cap() {
    let script: Vec<Ending> = (0..Case::MAX_CONNECTIONS).map(|_| no_ident(Fault::Eof)).collect();
    let play = Play::of(case(&[FIRST], settings(1000)), &script);
    assert_eq!(play.counts(), (8, 8));
}

#[test]
fn a_server_that_keeps_accounts_is_given_time_to_forget() {
    // After a connection that crashed a session process, at 90 s, the next one would be refused for 75 s.
    let next_after = |software: Option<&str>, depth: Depth| {
        let mut settings = settings(1);
        settings.plan = Arc::new(Plan { depth, ..Plan::default() });
        let mut case = case(&[FIRST], settings);
        case.budget.spend(Class::Crash, at(0));
        let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
        case.add(match software {
            None => evidence(&connect, at(0), &no_ident(Fault::Eof)),
            Some(software) => {
                let software = software.to_owned();
                let silent = move |evidence: &mut Evidence| {
                    identified(evidence, &software, Stage::Kexinit, Some(Fault::Timeout));
                };
                evidence(&connect, at(0), &ending(silent))
            }
        });
        let Next::Connect(connect) = case.next(at(100)) else { panic!("no second connection wanted") };
        connect.not_before
    };
    // 90 s and the second of this connection, less the 12 s that may be outstanding, of which the next one takes its share.
    assert_eq!(next_after(None, Depth::Auth), at(84_000), "it may be one that keeps accounts");
    assert_eq!(next_after(Some("OpenSSH_9.9"), Depth::Auth), at(84_000), "the next one will name a user: 5 s");
    assert_eq!(next_after(Some("OpenSSH_9.9"), Depth::Kexinit), at(80_000), "the next one will not: 1 s");
    assert_eq!(next_after(Some("OpenSSH_9.2p1"), Depth::Auth), at(100) + PER_HOST);
    assert_eq!(next_after(Some("dropbear"), Depth::Auth), at(100) + PER_HOST);
}

#[test]
fn more_addresses_than_anyone_needs_are_not_all_tried() {
    let many: Vec<String> = (0..100).map(|last| format!("10.0.0.{last}:22")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let script: Vec<Ending> = (0..Case::MAX_ADDRESSES).map(|_| refused()).collect();
    assert_eq!(Play::of(case(&many, settings(1)), &script).code(), "refused");
}

#[test]
fn a_name_without_an_address_is_over_at_once() {
    let faults = [
        (ResolveFault::NxDomain, "dns-nxdomain"),
        (ResolveFault::ServFail("REFUSED".into()), "dns-servfail"),
        (ResolveFault::NoAddress, "dns-no-address"),
        (ResolveFault::Timeout, "dns-timeout"),
    ];
    for (fault, code) in faults {
        let case = Case::unresolved(target(), fault, Duration::from_millis(3), Arc::new(settings(1)), at(3));
        let play = Play::of(case, &[]);
        assert_eq!((play.code(), play.counts().0), (code, 0));
    }
    assert_eq!(Play::of(case(&[], settings(1)), &[]).code(), "dns-no-address");
}

#[test]
fn the_targets_own_user_is_the_one_named() {
    let mut named = target();
    named.user = Some("alice".into());
    let settings = Arc::new(settings(1));
    let mut case = Case::new(named, [addr(FIRST)], None, Arc::clone(&settings), at(0), 0);
    let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
    assert_eq!(&*connect.plan.user, "alice");
    let mut case = Case::new(target(), [addr(FIRST)], None, Arc::clone(&settings), at(0), 0);
    let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
    assert!(Arc::ptr_eq(&connect.plan, &settings.plan), "all others share one plan");
}

#[test]
fn a_plan_that_is_step_by_step_from_the_start_is_not_changed() {
    let mut settings = settings(3);
    settings.plan = Arc::new(Plan { step_by_step: true, ..Plan::default() });
    let play = Play::of(case(&[FIRST], settings), &[dies_at_none("dropbear_2022.83", Fault::Eof)]);
    assert!(play.asked[0].plan.step_by_step);
    assert_eq!((play.code(), play.counts()), ("refused-at-userauth", (1, 1)));
}

#[test]
fn time_never_goes_backwards_whatever_the_evidence_says() {
    let addrs = vec![addr(FIRST), addr(SECOND)];
    let mut case = Case::new(target(), addrs, None, Arc::new(settings(1)), at(5000), 0);
    let Next::Connect(connect) = case.next(at(5000)) else { panic!("nothing wanted") };
    case.add(evidence(&connect, at(0), &refused()));
    let Next::Connect(connect) = case.next(at(5000)) else { panic!("nothing wanted") };
    assert_eq!((connect.addr, connect.not_before), (addr(SECOND), at(5000)));
}

#[test]
fn a_key_that_came_was_no_black_hole() {
    let after_the_key = ending(|evidence| {
        identified(evidence, "OpenSSH_9.2p1", Stage::Kex, Some(Fault::Timeout));
        evidence.kexinit = Some(kexinit());
        evidence.host_key = Some(HostKey { blob: Vec::new(), signature: Signature::Verified });
    });
    assert_eq!(Play::of(case(&[FIRST], settings(3)), &[after_the_key]).counts(), (1, 1));
}

#[test]
fn asking_twice_changes_nothing_and_what_comes_after_the_end_is_ignored() {
    let mut case = case(&[FIRST], settings(1));
    let (Next::Connect(one), Next::Connect(two)) = (case.next(at(0)), case.next(at(5))) else {
        panic!("nothing wanted")
    };
    assert_eq!((one.addr, one.not_before), (two.addr, two.not_before));
    case.add(evidence(&one, at(0), &ok()));
    case.add(evidence(&one, at(0), &refused()));
    let (Next::Done(one), Next::Done(two)) = (case.next(at(200)), case.next(at(300))) else { panic!("not over") };
    assert_eq!(serde_json::to_value(one).unwrap(), serde_json::to_value(two).unwrap());
}

#[test]
fn a_waiting_case_is_small() {
    assert!(size_of::<Case>() <= 264, "{} bytes", size_of::<Case>());
}

fn any_fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![
        Just(None),
        Just(Some(Fault::Connect)),
        Just(Some(Fault::ConnectTimeout)),
        Just(Some(Fault::Local(LocalTrouble::NoRoute))),
        Just(Some(Fault::Local(LocalTrouble::ResourceLimit))),
        Just(Some(Fault::Timeout)),
        Just(Some(Fault::Eof)),
        Just(Some(Fault::Eof)),
        Just(Some(Fault::Reset)),
        Just(Some(Fault::Lost)),
        Just(Some(Fault::Disconnected)),
        Just(Some(Fault::Protocol("odd".into()))),
        Just(Some(Fault::Internal("bug".into()))),
    ]
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Connect),
        Just(Stage::Ident),
        Just(Stage::Ident),
        Just(Stage::Kexinit),
        Just(Stage::Kex),
        Just(Stage::Auth),
    ]
}

prop_compose! {
    fn any_ending()(
        stage in any_stage(),
        fault in any_fault(),
        software in prop_oneof![Just(None), Just(Some("OpenSSH_9.9")), Just(Some("dropbear"))],
        text in prop_oneof![3 => Just(None), 1 => Just(Some("Exceeded MaxStartups")), 1 => Just(Some("Not allowed at this time"))],
        none_sent: bool,
        lasts in 0u64..30_000_000,
    ) -> (Stage, Option<Fault>, Option<&'static str>, Option<&'static str>, bool, u64) {
        (stage, fault, software, text, none_sent, lasts)
    }
}

proptest! {
    #[test]
    fn whatever_comes_a_case_ends_with_one_record_within_its_limits(
        endings in proptest::collection::vec(any_ending(), 64),
        addresses in 1usize..20,
        retries in 0u32..12,
        entropy: u64,
        spacing in prop_oneof![Just(Duration::ZERO), Just(PER_HOST)],
    ) {
        let mut settings = settings(retries);
        settings.per_host = spacing;
        let addrs: Vec<_> = (0..addresses).map(|last| addr(&format!("10.0.0.{last}:22"))).collect();
        let mut case = Case::new(target(), addrs, None, Arc::new(settings), at(0), entropy);
        let (mut now, mut not_before) = (at(0), at(0));
        let mut last: Option<(SocketAddr, Moment)> = None;
        let (mut asked, mut connected, mut steps, mut small) = (0, 0, 0, 0);
        let mut endings = endings.into_iter();
        let record = loop {
            let connect = match case.next(now) {
                Next::Connect(connect) => connect,
                Next::Done(record) => break record,
            };
            asked += 1;
            prop_assert!(connect.not_before >= not_before, "never backwards");
            not_before = connect.not_before;
            now = now.max(not_before);
            if let Some((addr, ended)) = last {
                prop_assert!(addr != connect.addr || now.since(ended) >= spacing, "spaced");
                prop_assert!(connected == 0 || addr == connect.addr, "an address that answered is kept");
            }
            let (stage, fault, software, text, none_sent, lasts) = endings.next().unwrap();
            let mut evidence = Evidence::new(connect.addr, now);
            (evidence.stage, evidence.fault, evidence.mss) = (stage, fault, connect.mss);
            evidence.step_by_step = connect.plan.step_by_step;
            evidence.ident = software.map(|software| Identification { raw: format!("SSH-2.0-{software}").into_bytes() });
            evidence.auth = (stage == Stage::Auth).then(|| Auth { none_sent, ..Auth::default() });
            if let Some(text) = text {
                evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: text.into() });
            }
            now = now + Duration::from_micros(lasts);
            evidence.ended = now;
            connected += usize::from(evidence.connected());
            steps += usize::from(connect.plan.step_by_step);
            small += usize::from(connect.mss.is_some());
            last = Some((connect.addr, now));
            case.add(evidence);
        };
        prop_assert!(connected <= Case::MAX_CONNECTIONS);
        prop_assert!(asked < Case::MAX_ADDRESSES + Case::MAX_CONNECTIONS);
        prop_assert!(steps < Case::MAX_CONNECTIONS && small < Case::MAX_CONNECTIONS);
        let record = serde_json::to_value(record).unwrap();
        let attempts = record["attempts"].as_u64().unwrap();
        prop_assert!(attempts >= 1 && attempts <= 1 + u64::from(retries));
        prop_assert!(matches!(case.next(now), Next::Done(_)));
    }
}

/// A plain Ed25519 key, or an RSA one, that differs by its byte.
fn key(kind: &str, byte: u8) -> Vec<u8> {
    let mut blob = Vec::new();
    let mut writer = crate::wire::write::Writer::new(&mut blob);
    writer.string(kind.as_bytes());
    if kind == "ssh-rsa" {
        let modulus: Vec<u8> = std::iter::once(0xc1).chain([byte | 1; 255]).collect();
        writer.string(&[1, 0, 1]).string(&[&[0][..], &modulus].concat());
    } else {
        writer.string(&[byte; 32]);
    }
    blob
}

const ED: &str = "ssh-ed25519";
const RSA: &str = "ssh-rsa";

fn trusting(lines: &[(&str, &str, u8)], key_types: KeyTypes) -> Settings {
    let mut files = crate::trust::KnownHosts::builder();
    for (name, kind, byte) in lines {
        let line = format!("{name} {kind} {}\n", STANDARD.encode(key(kind, *byte)));
        assert_eq!(files.file("kh", line.as_bytes()), []);
    }
    let policy = Policy { known_hosts: Some(files.build().into()), key_types, ..Policy::default() };
    Settings { trust: Some(Arc::new(policy)), ..settings(1) }
}

/// A server with an Ed25519 and an RSA key that shows this one.
fn shows(kind: &'static str, byte: u8) -> Ending {
    ending(move |evidence| {
        reached_auth(evidence, "OpenSSH_9.9", None);
        evidence.auth.as_mut().unwrap().methods = Some([b"publickey".to_vec()].into());
        offers(evidence, "rsa-sha2-512,rsa-sha2-256,ssh-ed25519");
        evidence.host_key = Some(HostKey { blob: key(kind, byte), signature: Signature::Verified });
    })
}

fn offers(evidence: &mut Evidence, host_keys: &str) {
    let lists: [&[u8]; 10] = std::array::from_fn(|at| if at == 1 { host_keys.as_bytes() } else { &[][..] });
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap());
}

/// The same without userauth: a connection for the key alone.
fn shows_only(kind: &'static str, byte: u8) -> Ending {
    ending(move |evidence| {
        shows(kind, byte)(evidence);
        evidence.auth = None;
    })
}

fn trusts(play: &Play) -> Vec<(&str, &str)> {
    let keys = play.record["host_keys"].as_array().unwrap();
    keys.iter().map(|key| (key["type"].as_str().unwrap(), key["trust"].as_str().unwrap())).collect()
}

#[test]
fn a_key_that_matches_needs_no_other() {
    for known in [&[("demo.example", ED, 1)][..], &[("demo.example", ED, 1), ("demo.example", RSA, 9)], &[]] {
        let play = Play::of(case(&[FIRST], trusting(known, KeyTypes::First)), &[shows(ED, 1)]);
        assert_eq!((play.code(), play.counts()), ("ok", (1, 1)), "{known:?}");
    }
}

#[test]
fn the_known_types_are_asked_for_first() {
    let first = |known: &[(&str, &str, u8)]| {
        let mut case = case(&[FIRST], trusting(known, KeyTypes::First));
        let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing to connect to") };
        let shared = Arc::ptr_eq(&connect.plan_once_up(), &connect.plan);
        (connect.plan_once_up().offer.host_key().split(',').next().unwrap().to_owned(), shared)
    };
    assert_eq!(first(&[("demo.example", RSA, 1)]), ("rsa-sha2-512".into(), false));
    assert_eq!(first(&[("demo.example", ED, 1)]), ("ssh-ed25519".into(), true), "the order is right already");
    assert_eq!(first(&[("other.example", RSA, 1)]), ("ssh-ed25519".into(), true));
    assert_eq!(first(&[]), ("ssh-ed25519".into(), true));
}

#[test]
fn a_changed_key_is_held_against_the_other_known_types() {
    let known = [("demo.example", ED, 1), ("demo.example", RSA, 2)];
    let play = Play::of(case(&[FIRST], trusting(&known, KeyTypes::First)), &[shows(ED, 7), shows_only(RSA, 2)]);
    assert_eq!((play.code(), play.counts()), ("host-key-changed", (2, 1)), "no match outvotes a change");
    assert_eq!(trusts(&play), [(ED, "changed"), (RSA, "match")]);
    let further = &play.asked[1];
    assert_eq!(further.plan.depth, Depth::Kex, "the user is named once");
    let offered = further.plan.offer.host_key();
    assert!(offered.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-rsa,rsa-sha2-512-cert-v01@openssh.com,"), "{offered}");
    assert!(offered.split(',').all(|name| name.contains("rsa")), "{offered}");
    assert!(play.pauses()[0] >= PER_HOST, "{:?}", play.pauses());
    // A type that is not known tells nothing about the one that changed.
    let known = [("demo.example", ED, 1)];
    let play = Play::of(case(&[FIRST], trusting(&known, KeyTypes::First)), &[shows(ED, 7)]);
    assert_eq!((play.code(), play.counts()), ("host-key-changed", (1, 1)));
}

#[test]
fn all_keys_are_fetched_where_all_are_wanted() {
    let script = [shows(ED, 1), shows_only(RSA, 2)];
    let play = Play::of(case(&[FIRST], trusting(&[("demo.example", ED, 1)], KeyTypes::All)), &script);
    assert_eq!((play.code(), play.counts()), ("ok", (2, 1)));
    assert_eq!(trusts(&play), [(ED, "match"), (RSA, "unknown")]);
    let ids: Vec<&str> =
        play.record["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"host-key-type-unknown"), "{ids:?}");
    assert_eq!(play.record["auth"]["result"], "listed", "what the first connection learned is kept");
}

#[test]
fn only_the_types_listed_are_fetched() {
    let listed = |types: &[&'static str]| KeyTypes::Listed(types.to_vec());
    let play = Play::of(case(&[FIRST], trusting(&[], listed(&[RSA]))), &[shows(RSA, 2)]);
    assert_eq!(play.counts(), (1, 1));
    let play = Play::of(case(&[FIRST], trusting(&[], listed(&[RSA, ED]))), &[shows(ED, 2), shows_only(RSA, 2)]);
    assert_eq!(play.counts(), (2, 1));
    let play = Play::of(case(&[FIRST], trusting(&[], listed(&["ssh-dss"]))), &[shows(ED, 2)]);
    assert_eq!(play.counts(), (1, 1), "the server has none of them");
}

#[test]
fn a_further_key_that_does_not_come_leaves_the_first_answer() {
    let failing: [Ending; 3] = [
        ending(|evidence| identified(evidence, "OpenSSH_9.9", Stage::Kex, Some(Fault::Eof))),
        refusal_text("Not allowed at this time"),
        refused(),
    ];
    for failed in failing {
        let settings = trusting(&[("demo.example", ED, 1)], KeyTypes::All);
        let play = Play::of(case(&[FIRST, SECOND], settings), &[shows(ED, 1), failed]);
        assert_eq!((play.code(), play.record["stage"].as_str().unwrap()), ("ok", "auth"));
        let findings = play.record["findings"].to_string();
        assert!(findings.contains("incomplete") && findings.contains("a further connection ended with"), "{findings}");
    }
}

#[test]
fn a_bad_signature_is_not_followed_up() {
    let forged = ending(|evidence| {
        shows(ED, 1)(evidence);
        evidence.host_key.as_mut().unwrap().signature = Signature::Bad;
        (evidence.stage, evidence.fault, evidence.auth) = (Stage::Kex, Some(Fault::BadSignature("forged")), None);
    });
    let play = Play::of(case(&[FIRST], trusting(&[("demo.example", ED, 1)], KeyTypes::All)), &[forged]);
    assert_eq!((play.code(), play.counts()), ("bad-host-signature", (1, 1)));
    assert_eq!(trusts(&play), [(ED, "unchecked")], "never a match");
}

#[test]
fn further_keys_are_neither_too_many_nor_a_ban() {
    let types = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,ssh-dss,\
                 sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com";
    let mut case = case(&[FIRST], trusting(&[], KeyTypes::All));
    let (mut now, mut made) = (at(0), 0);
    let mut budget = Budget::default();
    while let Next::Connect(connect) = case.next(now) {
        now = now.max(connect.not_before);
        let whole = made == 0;
        let any = ending(move |evidence| {
            shows(ED, 1)(evidence);
            offers(evidence, types);
            if !whole {
                evidence.auth = None;
            }
        });
        let evidence = evidence(&connect, now, &any);
        now = evidence.ended;
        budget.spend(Class::of(&evidence).unwrap(), now);
        assert!(budget.outstanding(now) <= Budget::OUTSTANDING, "connection {made}");
        case.add(evidence);
        made += 1;
    }
    assert_eq!(made, Case::MAX_CONNECTIONS);
    let most = |key_types| trusting(&[("h", ED, 1)], key_types).most_connections();
    assert_eq!(most(KeyTypes::All), Case::MAX_CONNECTIONS);
    assert_eq!((most(KeyTypes::First), most(KeyTypes::Listed(vec![ED]))), (6, 5));
}
