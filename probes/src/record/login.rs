//! A login as the record has it.

use super::{Attempt, AuthResult, Credential, Record, Withheld};
use crate::evidence::login::{self, Answer, Login, Named, Why};

/// Puts a login beside what the connection before it learned of userauth.
pub(super) fn into_record(login: &Login, record: &mut Record) {
    let Some(auth) = &mut record.auth else { return };
    auth.attempts = Some(login.attempts.iter().map(attempt).collect());
    auth.withheld = login.withheld.iter().map(withheld).collect();
    auth.result = result(login).or(auth.result);
}

fn result(login: &Login) -> Option<AuthResult> {
    let any = |answer: fn(&Answer) -> bool| login.attempts.iter().any(|attempt| answer(&attempt.answer));
    if login.accepted {
        return Some(AuthResult::Accepted);
    }
    if any(|answer| matches!(answer, Answer::WouldBeAccepted)) {
        return Some(AuthResult::Acceptable);
    }
    // The factor that was taken is spent with the connection, but that it was taken is what was learned.
    if any(|answer| matches!(answer, Answer::Partial(_))) {
        return Some(AuthResult::Partial);
    }
    let denied = |answer: &Answer| {
        matches!(answer, Answer::Refused | Answer::RefusedAtQuery | Answer::RefusedAfterKey | Answer::NewPassword)
    };
    any(denied).then_some(AuthResult::Denied)
}

fn attempt(made: &login::Attempt) -> Attempt {
    let (answer, detail) = match &made.answer {
        Answer::Accepted => (Some("accepted"), None),
        Answer::Partial(next) => (Some("partial"), (!next.is_empty()).then(|| next.join(","))),
        Answer::WouldBeAccepted => (Some("would-be-accepted"), None),
        Answer::RefusedAtQuery => (Some("refused-at-query"), None),
        Answer::RefusedAfterKey => (Some("refused-after-key"), None),
        Answer::Refused => (Some("refused"), None),
        Answer::NoSignatureAlgorithm => (Some("no-signature-algorithm"), None),
        Answer::NotSigned(why) => (Some("not-signed"), Some(why.clone())),
        Answer::NoAnswer(prompt) => (Some("no-answer"), Some(prompt.clone())),
        Answer::NewPassword => (Some("new-password-wanted"), None),
        Answer::Undecided => (Some("undecided"), None),
        Answer::None => (None, None),
    };
    let method = made.method.name().to_owned();
    Attempt { method, credential: credential(&made.credential), answer: answer.map(str::to_owned), detail }
}

fn withheld(kept: &login::Withheld) -> Withheld {
    let why = match kept.why {
        Why::NotOffered => "not-offered",
        Why::HostKeyUnknown => "host-key-unknown",
        Why::TriesSpent => "tries-spent",
    };
    let method = kept.method.name().to_owned();
    Withheld { method, credential: credential(&kept.credential), why: why.to_owned() }
}

fn credential(named: &Named) -> Credential {
    let Named { name, kind, fingerprint, note } = named.clone();
    Credential { credential: name, kind, fingerprint, note }
}
