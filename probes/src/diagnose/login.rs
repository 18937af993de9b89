//! What a login came to: the server's answers to what was tried, or how the connection ended before that.

use super::classify::{End, QUOTED, midway, seconds, up};
use super::code::Code;
use super::verdict::Verdict;
use crate::escape::{escape, quote, shorten};
use crate::evidence::login::{Answer, Attempt, Login, Method, Named, Why};
use crate::evidence::{Evidence, Slot, Stage};

/// How many of the tries a sentence tells.
const TOLD: usize = 6;

/// The server answered to what was tried, or there was nothing that it wanted.
pub(super) fn answered(login: &Login) -> Verdict {
    let user = quote(&login.user, QUOTED);
    let decided = decided(login);
    let verdict = |code, sentence: String| Verdict::new(code, Stage::Login, sentence + &withheld(login));
    if let Some(attempt) = login.attempts.iter().find(|attempt| attempt.answer == Answer::Accepted) {
        return Verdict::new(Code::Ok, Stage::Login, format!("logged in as {user} with {}", named(attempt)));
    }
    let asked_only: Vec<&Attempt> =
        login.attempts.iter().filter(|attempt| attempt.answer == Answer::WouldBeAccepted).collect();
    if !asked_only.is_empty() {
        let keys: Vec<String> = asked_only.into_iter().map(named).collect();
        let sentence = format!("for {user} the server would take {}; nothing was signed", keys.join(", "));
        return verdict(Code::Ok, sentence);
    }
    let Some(attempt) = decided else { return nothing_tried(login) };
    let tried = format!("for {user}: {}", tried(login));
    let method = attempt.method.name();
    match &attempt.answer {
        Answer::Partial(next) => {
            let next: Vec<String> = next.iter().map(|name| shorten(name, QUOTED)).collect();
            if next.is_empty() {
                let sentence = format!("{tried}; the server now wants something that sshprobe cannot do");
                return verdict(Code::AuthPartial, sentence);
            }
            let sentence = format!("{tried}; the server now wants {}", list(&next));
            verdict(Code::AuthPartial, sentence).with_arg(next.join(","))
        }
        // The right one may be among those that were left.
        Answer::RefusedAtQuery if untried(login) => verdict(Code::AuthTooMany, tried).medium(),
        Answer::RefusedAtQuery => verdict(Code::AuthKeyRefused, tried).medium(),
        Answer::RefusedAfterKey => verdict(Code::AuthRefusedAfterKey, tried).medium(),
        Answer::NoSignatureAlgorithm => verdict(Code::AuthSigAlg, tried),
        // The server would have taken it: what is missing is ours.
        Answer::NotSigned(_) => verdict(Code::LocalPolicy, tried),
        _ => verdict(Code::AuthFailed, tried).with_arg(method).medium(),
    }
}

/// The try that says most about why there is no login: a factor that was taken unless a later one was refused, what came
/// furthest else.
fn decided(login: &Login) -> Option<&Attempt> {
    let last = login.attempts.iter().rev().find(|attempt| attempt.answer.decides())?;
    if matches!(last.answer, Answer::Partial(_) | Answer::NoAnswer(_) | Answer::NewPassword) {
        return Some(last);
    }
    let furthest = |attempt: &&Attempt| match attempt.answer {
        Answer::NoSignatureAlgorithm => 1,
        Answer::RefusedAtQuery => 2,
        Answer::NotSigned(_) => 3,
        Answer::Refused => 4,
        Answer::RefusedAfterKey => 5,
        _ => 0,
    };
    login.attempts.iter().max_by_key(furthest)
}

/// Nothing that was given could be shown.
fn nothing_tried(login: &Login) -> Verdict {
    let user = quote(&login.user, QUOTED);
    let methods = listed(login);
    if login.withheld.iter().any(|each| each.why == Why::HostKeyUnknown) {
        let sentence = format!("nothing was sent for {user}{}", withheld(login));
        return Verdict::new(Code::HostKeyUnknown, Stage::Login, sentence);
    }
    let mut given: Vec<String> = Vec::new();
    for each in &login.withheld {
        let name = each.method.name().to_owned();
        if !given.contains(&name) {
            given.push(name);
        }
    }
    let ours = if given.is_empty() {
        String::from("nothing was given to log in with")
    } else {
        format!("what was given is for {}", list(&given))
    };
    let sentence = format!("the server takes {methods} from {user}, and {ours}");
    Verdict::new(Code::AuthNoCommonMethod, Stage::Login, sentence)
}

/// The connection ended, or fell silent, before an answer came.
pub(super) fn ended(evidence: &Evidence, end: End) -> Verdict {
    let Some(login) = &evidence.login else { return midway(evidence, end) };
    let waiting = login.attempts.last().filter(|attempt| !attempt.answer.decides());
    let waited = waiting.map_or_else(|| String::from("the service request"), named);
    let undecided = waiting.is_some_and(|attempt| attempt.answer == Answer::Undecided);
    // A guess, as whoever logs in sees of what came no more than that it came.
    let hint = if undecided {
        "; the server did send something, neither success nor failure: likely it wants a new password, as this one has expired"
    } else {
        ""
    };
    let before = tried(login);
    let before = if before.is_empty() { before } else { format!("; before that: {before}") };
    let verdict = |code, sentence: String| Verdict::new(code, evidence.stage, sentence + hint + &before).medium();
    match end {
        End::Eof | End::Reset => verdict(Code::AuthClosed, format!("the server {} in answer to {waited}", end.verb())),
        End::Timeout => verdict(Code::AuthTimeout, format!("no answer to {waited} in {}", seconds(up(evidence)))),
        End::Lost => midway(evidence, end),
    }
}

/// The server disconnected with a reason, which `verdict` has judged: what had been tried by then belongs to it.
pub(super) fn disconnected(login: &Login, verdict: Verdict) -> Verdict {
    let waiting = login.attempts.last().filter(|attempt| !attempt.answer.decides()).map(named);
    let mut detail = verdict.detail.clone();
    waiting.into_iter().for_each(|name| detail += &format!(", in answer to {name}"));
    let before = tried(login);
    if !before.is_empty() {
        detail += &format!("; before that: {before}");
    }
    Verdict { detail: detail + &withheld(login), ..verdict }
}

/// The connection that was to log in was answered by another key than the one before it.
pub(super) fn other_host_key(evidence: &Evidence) -> Verdict {
    let sentence = "another host key was shown than on the connection before; nothing was sent to whoever holds it";
    Verdict::new(Code::HostKeyChanged, evidence.stage, sentence)
}

/// What logs in cannot do what the probe can.
pub(super) fn no_common(evidence: &Evidence, slot: Slot) -> Verdict {
    let (code, what) = match slot {
        Slot::Kex => (Code::NoCommonKex, "key exchange"),
        Slot::HostKey => (Code::NoCommonHostkey, "host-key algorithm for the key that it proved"),
        Slot::Cipher => (Code::NoCommonCipher, "cipher"),
        Slot::Mac => (Code::NoCommonMac, "MAC"),
        Slot::Compression => (Code::NoCommonCompression, "compression"),
    };
    let sentence = format!(
        "the part of sshprobe that logs in has no {what} in common with the server, although the part that probes has"
    );
    Verdict::new(code, evidence.stage, sentence)
}

/// All was learned that the login needs, and none was made.
pub(super) fn not_made(learned: Verdict) -> Verdict {
    let sentence = "no login was tried: the host key was not proven, so that nothing can be held against it";
    Verdict { code: Code::HostKeyUnknown, detail: String::from(sentence), ..learned }
}

fn tried(login: &Login) -> String {
    let answered: Vec<&Attempt> = login.attempts.iter().filter(|attempt| attempt.answer.decides()).collect();
    let mut parts: Vec<String> = answered.iter().take(TOLD).map(|attempt| told(attempt)).collect();
    if answered.len() > TOLD {
        parts.push(format!("and {} more", answered.len() - TOLD));
    }
    parts.join("; ")
}

fn told(attempt: &Attempt) -> String {
    let what = match &attempt.answer {
        Answer::Accepted => String::from("accepted"),
        Answer::Partial(_) => String::from("accepted as one factor"),
        Answer::WouldBeAccepted => String::from("would be accepted"),
        Answer::RefusedAtQuery => String::from("refused at the query"),
        Answer::RefusedAfterKey => String::from("taken at the query, refused after the signature"),
        Answer::Refused => String::from("refused"),
        Answer::NoSignatureAlgorithm => String::from("ruled out by server-sig-algs, not sent"),
        Answer::NotSigned(why) => format!("taken at the query, not signed: {}", shorten(why, QUOTED)),
        Answer::NoAnswer(prompt) => format!("given up, as no answer was given for {}", quote(prompt, QUOTED)),
        Answer::NewPassword => {
            String::from("neither taken nor refused: the server wants a new password first, as this one has expired")
        }
        Answer::Undecided | Answer::None => String::from("not answered"),
    };
    let note = attempt.credential.note.as_deref();
    // What is odd about a credential is of interest where it was not taken.
    let note = note.filter(|_| !matches!(attempt.answer, Answer::Accepted | Answer::Partial(_)));
    format!("{} {what}{}", named(attempt), note.map(|note| format!(" ({})", escape(note))).unwrap_or_default())
}

/// A try by what was shown.
fn named(attempt: &Attempt) -> String {
    credential(attempt.method, &attempt.credential)
}

fn credential(method: Method, named: &Named) -> String {
    let name = shorten(&named.name, QUOTED);
    match (method, &named.fingerprint) {
        (Method::PublicKey, Some(fingerprint)) => {
            let kind = named.kind.as_deref().unwrap_or("key");
            // A key of an agent's need not have a comment.
            let name = if name.is_empty() { name } else { format!(" {name}") };
            format!("{}{name} ({})", escape(kind), escape(fingerprint))
        }
        _ => format!("{} ({name})", method.name()),
    }
}

/// More was given than may be tried.
fn untried(login: &Login) -> bool {
    login.withheld.iter().any(|each| each.why == Why::TriesSpent)
}

/// What was given and is of no use here, and why.
fn withheld(login: &Login) -> String {
    let mut out = String::new();
    let those = |why| -> Vec<String> {
        let these = login.withheld.iter().filter(|each| each.why == why);
        these.map(|each| credential(each.method, &each.credential)).collect()
    };
    let unknown = those(Why::HostKeyUnknown);
    if !unknown.is_empty() {
        out += &format!("; withheld, as the host key is not known (--accept-new gives it away): {}", list(&unknown));
    }
    let spent = those(Why::TriesSpent);
    if !spent.is_empty() {
        out += &format!("; not tried, as sshd hangs up after six refusals: {}", list(&spent));
    }
    let unwanted = those(Why::NotOffered);
    if !unwanted.is_empty() && !login.attempts.is_empty() {
        // Nothing listed may also be something that has no name to whoever logs in.
        let lists = if login.methods.is_empty() { String::from("nothing more for it") } else { listed(login) };
        out += &format!("; not tried, as the server lists {lists}: {}", list(&unwanted));
    }
    out
}

fn listed(login: &Login) -> String {
    let methods: Vec<String> = login.methods.iter().map(|name| shorten(name, QUOTED)).collect();
    if methods.is_empty() { String::from("no method") } else { list(&methods) }
}

fn list(parts: &[String]) -> String {
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Confidence;
    use crate::diagnose::classify;
    use crate::evidence::login::Withheld;
    use crate::evidence::{Disconnect, Fault};
    use crate::plan::Depth;
    use crate::time::Moment;

    fn attempt(method: Method, answer: Answer) -> Attempt {
        let credential = Named { name: String::from("FILE"), ..Named::default() };
        Attempt { method, credential, answer }
    }

    fn login(attempts: Vec<Attempt>) -> Evidence {
        let methods = vec![String::from("publickey"), String::from("password")];
        let login = Login { user: String::from("u"), attempts, methods, ..Login::default() };
        let mut evidence = Evidence::new(([192, 0, 2, 1], 22).into(), Moment::START);
        evidence.stage = Stage::Login;
        evidence.login = Some(Box::new(login));
        evidence
    }

    fn judged(evidence: &Evidence) -> (Code, Option<String>) {
        let verdict = classify(evidence, Depth::Login);
        (verdict.code, verdict.arg)
    }

    #[test]
    fn what_came_furthest_decides_and_a_later_factor_over_an_earlier_one() {
        use Answer::{NoAnswer, NoSignatureAlgorithm, NotSigned, Partial, Refused, RefusedAfterKey, RefusedAtQuery};
        let key = |answer| attempt(Method::PublicKey, answer);
        let password = |answer| attempt(Method::Password, answer);
        let cases = [
            (vec![key(NoSignatureAlgorithm)], Code::AuthSigAlg, None),
            (vec![key(NoSignatureAlgorithm), key(RefusedAtQuery)], Code::AuthKeyRefused, None),
            (vec![key(RefusedAfterKey), key(RefusedAtQuery)], Code::AuthRefusedAfterKey, None),
            // The server took it: that it was not signed is none of its doing.
            (vec![key(RefusedAtQuery), key(NotSigned(String::from("refused")))], Code::LocalPolicy, None),
            (vec![key(NotSigned(String::from("refused"))), password(Refused)], Code::AuthFailed, Some("password")),
            (vec![key(RefusedAtQuery), password(Refused)], Code::AuthFailed, Some("password")),
            (vec![key(Partial(vec![String::from("password")]))], Code::AuthPartial, Some("password")),
            (vec![key(Partial(Vec::new())), password(Refused)], Code::AuthFailed, Some("password")),
            // What the next factor is, nobody knows who logs in.
            (vec![key(Partial(Vec::new()))], Code::AuthPartial, None),
            (vec![key(RefusedAtQuery), password(Answer::NewPassword)], Code::AuthFailed, Some("password")),
            (
                vec![attempt(Method::KeyboardInteractive, NoAnswer(String::from("Code: ")))],
                Code::AuthFailed,
                Some("keyboard-interactive"),
            ),
        ];
        for (attempts, code, arg) in cases {
            assert_eq!(judged(&login(attempts.clone())), (code, arg.map(str::to_owned)), "{attempts:?}");
        }
    }

    #[test]
    fn an_end_without_an_answer_names_what_was_waited_for() {
        for (fault, code) in [(Fault::Eof, Code::AuthClosed), (Fault::Timeout, Code::AuthTimeout)] {
            let mut evidence = login(vec![
                attempt(Method::PublicKey, Answer::RefusedAtQuery),
                attempt(Method::Password, Answer::None),
            ]);
            evidence.fault = Some(fault);
            let verdict = classify(&evidence, Depth::Login);
            assert_eq!(verdict.code, code);
            assert!(verdict.detail.contains("password (FILE)"), "{}", verdict.detail);
            assert!(
                verdict.detail.contains("before that: publickey (FILE) refused at the query"),
                "{}",
                verdict.detail
            );
        }
        let mut evidence = login(vec![attempt(Method::PublicKey, Answer::None)]);
        evidence.fault = Some(Fault::Disconnected);
        evidence.disconnect = Some(Disconnect { code: 2, text: b"Too many authentication failures".to_vec() });
        assert_eq!(judged(&evidence).0, Code::AuthTooMany);
    }

    #[test]
    fn something_that_is_no_answer_to_a_password_is_a_hint_and_decides_nothing() {
        for (fault, code) in [(Fault::Eof, Code::AuthClosed), (Fault::Timeout, Code::AuthTimeout)] {
            let mut evidence = login(vec![attempt(Method::Password, Answer::Undecided)]);
            evidence.fault = Some(fault);
            let verdict = classify(&evidence, Depth::Login);
            assert_eq!((verdict.code, verdict.confidence), (code, Confidence::Medium));
            assert!(verdict.detail.contains("password (FILE)"), "{}", verdict.detail);
            assert!(verdict.detail.contains("likely it wants a new password"), "{}", verdict.detail);
        }
    }

    #[test]
    fn a_key_goes_by_its_type_and_fingerprint_whatever_its_comment() {
        for (name, shown) in [("", "ssh-ed25519 (SHA256:x)"), ("me\u{1b}[2J", "ssh-ed25519 me\\x1b[2J (SHA256:x)")] {
            let (kind, fingerprint) = (Some(String::from("ssh-ed25519")), Some(String::from("SHA256:x")));
            let named = Named { name: String::from(name), kind, fingerprint, ..Named::default() };
            assert_eq!(credential(Method::PublicKey, &named), shown);
        }
    }

    #[test]
    fn nothing_tried_says_whose_choice_it_was() {
        let credential = Named { name: String::from("FILE"), ..Named::default() };
        let with = |method, why| {
            let mut evidence = login(Vec::new());
            if let Some(login) = &mut evidence.login {
                login.withheld = vec![Withheld { method, credential: credential.clone(), why }];
            }
            evidence
        };
        let unknown = with(Method::Password, Why::HostKeyUnknown);
        assert_eq!(judged(&unknown).0, Code::HostKeyUnknown);
        assert!(classify(&unknown, Depth::Login).detail.contains("--accept-new"));
        assert_eq!(judged(&with(Method::KeyboardInteractive, Why::NotOffered)).0, Code::AuthNoCommonMethod);
    }
}
