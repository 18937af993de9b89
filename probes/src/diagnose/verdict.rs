//! What a connection, or a case, came to.

use super::code::{Code, Status};
use super::finding::Finding;
use crate::evidence::Stage;
use crate::trust::Removal;

/// How specific the evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A guess: many causes look like this.
    Low,
    /// Two or more causes share this evidence.
    Medium,
    /// The evidence is specific.
    High,
}

/// The judgement on one connection or on a whole case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The precise outcome.
    pub code: Code,
    /// Its parameter: the protocol of `not-ssh`, the reason code of `disconnected`.
    pub arg: Option<String>,
    /// The last stage entered.
    pub stage: Stage,
    /// One sentence for a person, with the evidence; bytes of the server's in it are escaped already.
    pub detail: String,
    /// How specific the evidence is.
    pub confidence: Confidence,
    /// What else was noticed, whatever the outcome.
    pub findings: Vec<Finding>,
    /// Which of the connections judged decided, counted from 0; its address is the one reported.
    pub connection: usize,
    /// What each of the connections judged came to by itself, in their order; empty where the one verdict is all there is to say.
    pub answers: Vec<Answer>,
    /// The known_hosts lines that would have to go, if the key shown is right.
    pub removals: Vec<Removal>,
}

/// What one connection came to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The outcome.
    pub code: Code,
    /// The last stage entered.
    pub stage: Stage,
}

impl Verdict {
    /// A verdict of high confidence without parameter or findings.
    #[must_use]
    pub fn new(code: Code, stage: Stage, detail: impl Into<String>) -> Self {
        Self {
            code,
            arg: None,
            stage,
            detail: detail.into(),
            confidence: Confidence::High,
            findings: Vec::new(),
            connection: 0,
            answers: Vec::new(),
            removals: Vec::new(),
        }
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with_arg(self, arg: impl Into<String>) -> Self {
        Self { arg: Some(arg.into()), ..self }
    }

    /// The same, but two or more causes share the evidence.
    #[must_use]
    pub fn medium(self) -> Self {
        Self { confidence: Confidence::Medium, ..self }
    }

    /// The same, but it is a guess.
    #[must_use]
    pub fn low(self) -> Self {
        Self { confidence: Confidence::Low, ..self }
    }

    /// The class the code belongs to.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.code.status()
    }
}
