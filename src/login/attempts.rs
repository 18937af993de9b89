//! What is tried, in which order, and what the server's answers mean.
//!
//! The order is ssh's: keys, then keyboard-interactive, then the password. Only methods that the server lists are used, and
//! nothing that was not given.

use std::str::FromStr;
use std::sync::Mutex;

use russh::MethodKind;
use russh::MethodSet;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Reply};
use russh::keys::HashAlg;
use sshprobe_probes::evidence::Login;
use sshprobe_probes::evidence::login::{Answer, Attempt, Method, Named, Why, Withheld, wants_new_password};
use tokio::time::Instant;

use super::client::{Client, End, Heard, Sent, lock};
use super::credentials::{Credentials, Identity, Public, Secret};
use super::session::Terms;
use super::sign::{Hand, NoSignature};

/// Refusals after which nothing more is tried: sshd hangs up at the sixth (MaxAuthTries), and counts this as a failure of ours.
const REFUSALS: usize = 5;
/// Rounds of questions in one keyboard-interactive conversation.
const ROUNDS: usize = 16;
/// How much of a prompt is kept, in characters.
const PROMPT: usize = 200;

/// What is left to be tried.
enum Credential<'a> {
    Key(&'a Identity),
    Answers(&'a Named, &'a super::answers::Answers),
    Password(&'a Named, &'a Secret),
}

impl Credential<'_> {
    fn method(&self) -> Method {
        match self {
            Credential::Key(_) => Method::PublicKey,
            Credential::Answers(..) => Method::KeyboardInteractive,
            Credential::Password(..) => Method::Password,
        }
    }

    fn named(&self) -> &Named {
        match self {
            Credential::Key(identity) => &identity.named,
            Credential::Answers(named, _) | Credential::Password(named, _) => named,
        }
    }

    fn withheld(&self, why: Why) -> Withheld {
        Withheld { method: self.method(), credential: self.named().clone(), why }
    }
}

/// The session in which it is tried.
pub(super) struct Line<'a> {
    pub(super) handle: &'a mut Handle<Client>,
    pub(super) end: &'a mut End,
    pub(super) heard: &'a Mutex<Heard>,
    /// How many bytes have come from the server.
    pub(super) received: &'a (dyn Fn() -> u64 + Sync),
    pub(super) terms: Terms<'a>,
    /// Something has been asked of it, so that what comes from now on are answers.
    pub(super) asked: bool,
}

/// Tries what there is. What has been tried stands in `login` at any time, should this be dropped.
pub(super) async fn attempts(mut line: Line<'_>, credentials: &Credentials, login: &mut Login) {
    let began = Instant::now();
    let mut left = all(credentials);
    if !line.terms.order.secrets {
        let unfit = |each: &Credential<'_>| each.method().gives_the_secret_away();
        login.withheld.extend(left.iter().filter(|each| unfit(each)).map(|each| each.withheld(Why::HostKeyUnknown)));
        left.retain(|each| !unfit(each));
    }
    let mut refusals = 0;
    while refusals < REFUSALS {
        let offered = |each: &Credential<'_>| login.methods.iter().any(|name| name == each.method().name());
        let Some(at) = left.iter().position(offered) else { break };
        let credential = left.remove(at);
        let (method, named) = (credential.method(), credential.named().clone());
        login.attempts.push(Attempt { method, credential: named, answer: Answer::None });
        let answered = Trial { line: &mut line, query_only: credentials.query_only }.of(&credential).await;
        login.took = Some(began.elapsed());
        if let Some(methods) = answered.methods {
            login.methods = still(&login.methods, &methods);
        }
        refusals +=
            usize::from(matches!(answered.answer, Answer::RefusedAtQuery | Answer::RefusedAfterKey | Answer::Refused));
        login.accepted = answered.answer == Answer::Accepted;
        let over =
            login.accepted || matches!(answered.answer, Answer::None | Answer::NoAnswer(_) | Answer::NewPassword);
        if let Some(last) = login.attempts.last_mut() {
            last.answer = answered.answer;
        }
        if over {
            break;
        }
    }
    let why = if refusals < REFUSALS { Why::NotOffered } else { Why::TriesSpent };
    if !login.accepted {
        login.withheld.extend(left.iter().map(|each| each.withheld(why)));
    }
}

fn all(credentials: &Credentials) -> Vec<Credential<'_>> {
    let keys = credentials.keys.iter().map(Credential::Key);
    let answers = credentials.answers.iter().map(|(named, answers)| Credential::Answers(named, answers));
    let password = credentials.password.iter().map(|(named, secret)| Credential::Password(named, secret));
    keys.chain(answers).chain(password).collect()
}

/// An answer, and the methods that were listed with it.
struct Answered {
    answer: Answer,
    methods: Option<Vec<String>>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self { answer, methods: None }
    }
}

/// The methods that can go on after a refusal: those that it lists, and of those that russh has no word for, and so drops from
/// every list, the ones that were listed before. What the probe learned is not lost because russh cannot repeat it.
fn still(before: &[String], listed: &[String]) -> Vec<String> {
    let russh_drops = |name: &&String| MethodKind::from_str(name).is_err();
    let new = listed.iter().filter(|name| !before.contains(name));
    let kept = before.iter().filter(|name| russh_drops(name) || listed.contains(name));
    kept.chain(new).cloned().collect()
}

/// One try.
struct Trial<'a, 'b> {
    line: &'a mut Line<'b>,
    query_only: bool,
}

impl Trial<'_, '_> {
    async fn of(mut self, credential: &Credential<'_>) -> Answered {
        match credential {
            Credential::Key(identity) => self.key(identity).await,
            Credential::Answers(_, answers) => self.conversation(answers).await,
            Credential::Password(_, secret) => self.password(secret).await,
        }
    }

    async fn password(&mut self, secret: &Secret) -> Answered {
        // With its first request russh asks for the service too, and two answers come; as ssh does, `none` goes first then.
        if !std::mem::replace(&mut self.line.asked, true) {
            match self.line.handle.authenticate_none(self.line.terms.user).await {
                Ok(AuthResult::Success) => return Answer::Accepted.into(),
                Ok(AuthResult::Failure { remaining_methods, .. }) if !remaining_methods.is_empty() => {}
                Ok(AuthResult::Failure { .. }) | Err(_) => return Answer::None.into(),
            }
        }
        let sent = Sent { received: (self.line.received)(), banners: lock(self.line.heard).banners };
        lock(self.line.heard).password = Some(sent);
        match self.line.handle.authenticate_password(self.line.terms.user, secret.reveal()).await {
            Ok(result) => self.result(result, Answer::Refused).await,
            Err(_) => Answer::None.into(),
        }
    }

    async fn key(&mut self, identity: &Identity) -> Answered {
        let Ok(hash) = hash(&identity.public, self.line.terms.order.sig_algs.as_deref()) else {
            return Answer::NoSignatureAlgorithm.into();
        };
        self.line.asked = true;
        let mut hand = Hand::new(&identity.holder, self.query_only);
        let user = self.line.terms.user;
        let answer = match &identity.public {
            Public::Key(key) => self.line.handle.authenticate_publickey_with(user, key.clone(), hash, &mut hand).await,
            Public::Certificate(certificate) => {
                let certificate = certificate.as_ref().clone();
                self.line.handle.authenticate_certificate_with(user, certificate, hash, &mut hand).await
            }
        };
        // Being asked to sign is the PK_OK (RFC 4252 section 7), which russh tells in no other way.
        let refused = if hand.asked { Answer::RefusedAfterKey } else { Answer::RefusedAtQuery };
        match answer {
            Ok(result) => self.result(result, refused).await,
            Err(NoSignature::Declined) => Answer::WouldBeAccepted.into(),
            Err(NoSignature::Failed(why)) => Answer::NotSigned(why).into(),
            Err(NoSignature::Gone) => Answer::None.into(),
        }
    }

    async fn conversation(&mut self, answers: &super::answers::Answers) -> Answered {
        self.line.asked = true;
        let mut unused = answers.for_one_login();
        let mut reply = self.line.handle.authenticate_keyboard_interactive_start(self.line.terms.user, None).await;
        for _ in 0..ROUNDS {
            let prompts = match reply {
                Ok(Reply::Success) => return Answer::Accepted.into(),
                Ok(Reply::Failure { remaining_methods, partial_success }) => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    return self.result(result, Answer::Refused).await;
                }
                Ok(Reply::InfoRequest { prompts, .. }) => prompts,
                Err(_) => return Answer::None.into(),
            };
            let mut said = Vec::with_capacity(prompts.len());
            for prompt in prompts {
                // Not even where `*` would answer: a password is never changed.
                if wants_new_password(&prompt.prompt) {
                    return Answer::NewPassword.into();
                }
                match unused.answer(&prompt.prompt) {
                    Some(answer) => said.push(answer),
                    // russh waits for answers and for nothing else now: this connection is of no more use.
                    None => return Answer::NoAnswer(prompt.prompt.chars().take(PROMPT).collect()).into(),
                }
            }
            // Only now: what was copied for russh and not sent would not be wiped.
            let said = said.into_iter().map(Secret::reveal).collect();
            reply = self.line.handle.authenticate_keyboard_interactive_respond(said).await;
        }
        Answer::None.into()
    }

    /// What an answer of russh's means; it makes no difference between a refusal that lists nothing and a session that has ended.
    async fn result(&mut self, result: AuthResult, refused: Answer) -> Answered {
        match result {
            AuthResult::Success => Answer::Accepted.into(),
            AuthResult::Failure { remaining_methods, partial_success } => {
                if remaining_methods.is_empty() {
                    self.line.end.wait().await;
                    if !lock(self.line.heard).no_method {
                        return Answer::None.into();
                    }
                }
                let methods = names(&remaining_methods);
                let answer = if partial_success { Answer::Partial(methods.clone()) } else { refused };
                Answered { answer, methods: Some(methods) }
            }
        }
    }
}

/// Says of a password that got neither success nor failure by the end that something else came after it, if it did.
///
/// PASSWD_CHANGEREQ (RFC 4252 section 8), which says that the password has expired, is such an answer; russh drops it and has no
/// hook for it. But it drops DEBUG and IGNORE too, which a server may send at any time (RFC 4253 section 11) and then go on
/// thinking, and of neither is there more to be seen than that bytes came. So nothing is decided by them as long as the real answer
/// may still come, and what is said afterwards is a guess. After a banner not even that: it is what the bytes were.
pub(super) fn undecided(login: &mut Login, heard: &Heard, received: u64) {
    let Some(sent) = &heard.password else { return };
    let Some(last) = login.attempts.last_mut().filter(|attempt| attempt.answer == Answer::None) else { return };
    if received > sent.received && heard.banners == sent.banners {
        last.answer = Answer::Undecided;
    }
}

fn names(methods: &MethodSet) -> Vec<String> {
    methods.iter().map(|method: &MethodKind| String::from(method)).collect()
}

/// The hash to sign with, which only RSA leaves open: the best that the server lists (RFC 8332). A server that lists nothing is
/// asked with the one that all have that have any. SHA-1 is never used.
fn hash(public: &Public, sig_algs: Option<&[String]>) -> Result<Option<HashAlg>, NoHash> {
    if !public.is_rsa() {
        return Ok(None);
    }
    let Some(listed) = sig_algs else { return Ok(Some(HashAlg::Sha256)) };
    let has = |name: &str| listed.iter().any(|each| each == name);
    match () {
        () if has("rsa-sha2-512") => Ok(Some(HashAlg::Sha512)),
        () if has("rsa-sha2-256") => Ok(Some(HashAlg::Sha256)),
        () => Err(NoHash),
    }
}

/// The server allows none.
#[derive(Debug, PartialEq, Eq)]
struct NoHash;
