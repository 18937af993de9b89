//! What is tried, in which order, and what the server's answers mean.
//!
//! The order is ssh's: keys, then keyboard-interactive, then the password. Only methods that the server lists are used, and
//! nothing that was not given.

use std::sync::Mutex;

use russh::MethodKind;
use russh::MethodSet;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Reply};
use russh::keys::HashAlg;
use sshprobe_probes::evidence::Login;
use sshprobe_probes::evidence::login::{Answer, Attempt, Method, Named, Why, Withheld};
use tokio::time::Instant;

use super::client::{Client, End, Heard, lock};
use super::credentials::{Credentials, Identity, Public};
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
    Password(&'a Named, &'a super::credentials::Secret),
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

/// Tries what there is. What has been tried stands in `login` at any time, should this be dropped.
pub(super) async fn attempts(
    handle: &mut Handle<Client>,
    end: &mut End,
    heard: &Mutex<Heard>,
    terms: Terms<'_>,
    credentials: &Credentials,
    login: &mut Login,
) {
    let began = Instant::now();
    let mut left = all(credentials);
    if !terms.order.secrets {
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
        let answered = Trial { handle, end, heard, terms, query_only: credentials.query_only }.of(&credential).await;
        login.took = Some(began.elapsed());
        if let Some(methods) = answered.methods {
            login.methods = methods;
        }
        refusals +=
            usize::from(matches!(answered.answer, Answer::RefusedAtQuery | Answer::RefusedAfterKey | Answer::Refused));
        login.accepted = answered.answer == Answer::Accepted;
        let over = login.accepted || matches!(answered.answer, Answer::None | Answer::NoAnswer(_));
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

/// One try.
struct Trial<'a> {
    handle: &'a mut Handle<Client>,
    end: &'a mut End,
    heard: &'a Mutex<Heard>,
    terms: Terms<'a>,
    query_only: bool,
}

impl Trial<'_> {
    async fn of(mut self, credential: &Credential<'_>) -> Answered {
        match credential {
            Credential::Key(identity) => self.key(identity).await,
            Credential::Answers(_, answers) => self.conversation(answers).await,
            Credential::Password(_, secret) => {
                let answer = self.handle.authenticate_password(self.terms.user, secret.reveal()).await;
                match answer {
                    Ok(result) => self.result(result, Answer::Refused).await,
                    Err(_) => Answer::None.into(),
                }
            }
        }
    }

    async fn key(&mut self, identity: &Identity) -> Answered {
        let Ok(hash) = hash(&identity.public, self.terms.order.sig_algs.as_deref()) else {
            return Answer::NoSignatureAlgorithm.into();
        };
        let mut hand = Hand::new(&identity.holder, self.query_only);
        let user = self.terms.user;
        let answer = match &identity.public {
            Public::Key(key) => self.handle.authenticate_publickey_with(user, key.clone(), hash, &mut hand).await,
            Public::Certificate(certificate) => {
                let certificate = certificate.as_ref().clone();
                self.handle.authenticate_certificate_with(user, certificate, hash, &mut hand).await
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
        let mut unused = answers.for_one_login();
        let mut reply = self.handle.authenticate_keyboard_interactive_start(self.terms.user, None).await;
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
                match unused.answer(&prompt.prompt) {
                    Some(answer) => said.push(answer.reveal()),
                    // russh waits for answers and for nothing else now: this connection is of no more use.
                    None => return Answer::NoAnswer(prompt.prompt.chars().take(PROMPT).collect()).into(),
                }
            }
            reply = self.handle.authenticate_keyboard_interactive_respond(said).await;
        }
        Answer::None.into()
    }

    /// What an answer of russh's means; it makes no difference between a refusal that lists nothing and a session that has ended.
    async fn result(&mut self, result: AuthResult, refused: Answer) -> Answered {
        match result {
            AuthResult::Success => Answer::Accepted.into(),
            AuthResult::Failure { remaining_methods, partial_success } => {
                if remaining_methods.is_empty() {
                    self.end.wait().await;
                    if !lock(self.heard).no_method {
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
