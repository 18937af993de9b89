//! The answers file: what to say when keyboard-interactive asks.
//!
//! A line each, `PROMPT = ANSWER`. PROMPT is what the server's prompt begins with, capitals or not; `*` stands for any prompt.
//! The first line whose PROMPT fits and that has not been used in this login answers, so that a prompt that comes twice can be
//! answered twice. ANSWER is all after the first `=` and the blank that may follow it, to the end of the line. Empty lines and
//! lines that begin with `#` are skipped.

use super::credentials::Secret;

/// Answers, in the order of their file.
#[derive(Debug, Clone, Default)]
pub struct Answers(Vec<(String, Secret)>);

impl Answers {
    /// Reads the text of an answers file.
    ///
    /// # Errors
    /// The number of the first line that is none, and what is wrong with it. Never what the line says.
    pub fn read(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut answers = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (prompt, answer) = line.split_once('=').ok_or((at + 1, "is not PROMPT = ANSWER"))?;
            let prompt = prompt.trim();
            if prompt.is_empty() {
                return Err((at + 1, "has no prompt before its `=`; `*` stands for any"));
            }
            let answer = answer.strip_prefix(' ').unwrap_or(answer);
            answers.push((prompt.to_lowercase(), Secret::new(answer.to_owned())));
        }
        if answers.is_empty() { Err((0, "has no answer in it")) } else { Ok(Self(answers)) }
    }

    /// For one login.
    pub(super) fn for_one_login(&self) -> Unused<'_> {
        Unused(self.0.iter().collect())
    }
}

/// The answers not given yet in a login.
pub(super) struct Unused<'a>(Vec<&'a (String, Secret)>);

impl<'a> Unused<'a> {
    /// The answer to `prompt`, which is used up by it.
    pub(super) fn answer(&mut self, prompt: &str) -> Option<&'a Secret> {
        let asked = prompt.trim().to_lowercase();
        let fits = |expected: &str| expected == "*" || asked.starts_with(expected);
        let at = self.0.iter().position(|(expected, _)| fits(expected))?;
        Some(&self.0.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_answered_by_the_first_line_that_fits_and_is_unused() {
        let answers = Answers::read("# mine\nPassword: = a b \n\nverification code = 123456\npassword =x=y\n").unwrap();
        let mut unused = answers.for_one_login();
        assert_eq!(unused.answer("Verification code: ").unwrap().reveal(), "123456");
        assert!(unused.answer("Verification code: ").is_none());
        assert_eq!(unused.answer("Password: ").unwrap().reveal(), "a b ");
        assert_eq!(unused.answer("Password: ").unwrap().reveal(), "x=y");
        assert!(unused.answer("Password: ").is_none());
        let any = Answers::read("* = z").unwrap();
        assert_eq!(any.for_one_login().answer("whatever").unwrap().reveal(), "z");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_never_shown() {
        assert_eq!(Answers::read("a = b\nhunter2\n").unwrap_err(), (2, "is not PROMPT = ANSWER"));
        assert_eq!(Answers::read("= hunter2").unwrap_err().0, 1);
        assert_eq!(Answers::read("# nothing\n").unwrap_err().0, 0);
        assert!(!format!("{:?}", Answers::read("a = hunter2").unwrap()).contains("hunter2"));
    }
}
