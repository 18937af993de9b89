//! `sshprobe explain`: the tables of outcomes and findings as a person reads them.

use sshprobe_probes::diagnose::{Code, DIAGNOSES, Diagnosis, FINDINGS, FindingId, FindingText, Status};

use crate::cli::args::ExplainArgs;
use crate::cli::complaint::quote;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::screen::Page;
use crate::cli::values::nearest;
use crate::error::Error;

/// Explains what was asked for.
///
/// # Errors
/// The word is no code, status or finding.
pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Error> {
    let mut page = Page::to_stdout(output::color(args.color));
    match &args.word {
        None => list(&mut page),
        Some(word) => explain(&mut page, word)?,
    }
    page.show()
}

/// The words in capitals in remedies, and what the lines say.
const LEGEND: &str = "Words in capitals are to be filled in; in a record's `diagnoses` the target stands in their place. \
                      KNOWN_HOSTS_NAME is HOST, for another port than 22 '[HOST]:PORT'; KNOWN_HOSTS_FILE is the file \
                      that the record's `source` names.";

fn explain(page: &mut Page, word: &str) -> Result<(), Error> {
    // As the tables and the constants of the library write it, it is understood too.
    let plain = word.trim().to_ascii_lowercase().replace('_', "-");
    // Some words are a status and a code of it: then the code is explained, and the others of the status are named.
    if let Some(diagnosis) = plain.parse().ok().and_then(Code::diagnosis) {
        code(page, diagnosis);
    } else if let Ok(found) = plain.parse() {
        status(page, found);
    } else if let Some(text) = plain.parse().ok().and_then(FindingId::text) {
        finding(page, text);
    } else {
        return Err(unknown(word, &plain));
    }
    Ok(())
}

fn unknown(word: &str, plain: &str) -> Error {
    let codes = Code::ALL.iter().map(|code| code.name());
    let statuses = Status::ALL.iter().map(|status| status.name());
    let findings = FindingId::ALL.iter().map(|id| id.name());
    let near = nearest(plain, codes.chain(statuses).chain(findings));
    let meant = match near.as_slice() {
        [] => String::from("`sshprobe explain` lists them all"),
        [one] => format!("did you mean {one}?"),
        [others @ .., last] => format!("did you mean {} or {last}?", others.join(", ")),
    };
    Error::usage(format!("explain: {} is no code, status or finding; {meant}", quote(word)))
}

fn code(page: &mut Page, diagnosis: &Diagnosis) {
    let Diagnosis { code, title, meaning, causes, tell_apart, remedy } = *diagnosis;
    page.heading(&format!("{code}: {title}"));
    page.paragraph("", &format!("Status {}: {}", code.status(), code.status().meaning()));
    section(page, "What was seen", &[], meaning);
    section(page, "Likely causes, the likeliest first", causes, "");
    section(page, "How to tell them apart", tell_apart, "");
    section(page, "What to do", remedy, "");
    section(page, "What the probe leaves in the server's log (OpenSSH, LogLevel INFO)", code.server_log(), "");
    legend(page, remedy);
    let others: Vec<&Diagnosis> =
        DIAGNOSES.iter().filter(|row| row.code.status() == code.status() && row.code != code).collect();
    if code.name() == code.status().name() && !others.is_empty() {
        page.gap();
        page.heading(&format!("The status `{code}` also has"));
        entries(page, others.iter().map(|row| (row.code.name(), row.title)));
    }
}

fn status(page: &mut Page, status: Status) {
    page.heading(&format!("{status}: a status"));
    page.paragraph("", status.meaning());
    page.gap();
    page.heading("Its codes (`sshprobe explain CODE` says more)");
    entries(page, rows(status));
}

fn finding(page: &mut Page, text: &FindingText) {
    let FindingText { id, severity, title, meaning, causes, tell_apart, remedy } = *text;
    page.heading(&format!("{id}: {title}"));
    let severity = format!("{severity:?}").to_lowercase();
    page.paragraph(
        "",
        &format!("A finding of severity {severity}: it rides along with any outcome and is no failure by itself."),
    );
    section(page, "What was seen", &[], meaning);
    section(page, "Likely causes, the likeliest first", causes, "");
    section(page, "How to tell them apart", tell_apart, "");
    section(page, "What to do", remedy, "");
    let log = "nothing of its own: it is seen on the way to the outcome, and `sshprobe explain ok` has what a whole probe leaves";
    section(page, "What the probe leaves in the server's log", &[log], "");
    legend(page, remedy);
}

/// A heading and its text, or its items; nothing where there is neither.
fn section(page: &mut Page, heading: &str, items: &[&str], text: &str) {
    if items.is_empty() && text.is_empty() {
        return;
    }
    page.gap();
    page.heading(heading);
    if !text.is_empty() {
        page.paragraph("  ", text);
    }
    for item in items {
        page.paragraph("  - ", item);
    }
}

fn legend(page: &mut Page, remedy: &[&str]) {
    let placeholders = ["HOST", "PORT", "ADDRESS", "USER", "VM"];
    if remedy.iter().any(|line| placeholders.iter().any(|word| line.contains(word))) {
        page.gap();
        page.paragraph("", LEGEND);
    }
}

fn rows(status: Status) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    DIAGNOSES.iter().filter(move |row| row.code.status() == status).map(|row| (row.code.name(), row.title))
}

fn entries<'a>(page: &mut Page, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    for (word, title) in entries {
        page.entry(word, WORD, title);
    }
}

/// The longest of all words; a test holds it to that.
const WORD: usize = 26;

fn list(page: &mut Page) {
    page.paragraph(
        "",
        "Every target comes to one code; codes are sorted under statuses. `sshprobe explain CODE` says more.",
    );
    for status in Status::ALL {
        page.gap();
        page.heading(&format!("{status}: {}", status.meaning()));
        entries(page, rows(*status));
    }
    page.gap();
    page.heading("Findings, which ride along with any outcome");
    entries(page, FINDINGS.iter().map(|text| (text.id.name(), text.title)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::layout::width;

    fn page(word: &str, wide: usize) -> String {
        let mut page = Page::new(wide, false);
        explain(&mut page, word).expect(word);
        page.as_ref().to_owned()
    }

    fn words() -> impl Iterator<Item = &'static str> {
        let codes = Code::ALL.iter().map(|code| code.name());
        codes.chain(Status::ALL.iter().map(|status| status.name())).chain(FindingId::ALL.iter().map(|id| id.name()))
    }

    #[test]
    fn every_word_is_explained_and_nothing_in_it_moves_a_cursor() {
        for wide in [40, 80, 200] {
            for word in words() {
                let text = page(word, wide);
                assert!(text.starts_with(&format!("{word}: ")), "{text}");
                assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{word}");
                // Words without a space in them are not folded.
                let long = text.lines().find(|line| width(line) > wide);
                assert!(long.is_none_or(|line| line.trim().split(' ').count() <= 2), "{word}: {long:?}");
                assert!(text.lines().all(|line| line == line.trim_end()), "{word}");
            }
        }
    }

    #[test]
    fn codes_and_findings_have_all_their_sections() {
        let headings = ["What was seen\n", "Likely causes, ", "How to tell them apart\n", "What to do\n"];
        let codes = Code::ALL.iter().filter(|code| **code != Code::Ok).map(|code| code.name());
        for word in codes.chain(FindingId::ALL.iter().map(|id| id.name())) {
            let text = page(word, 80);
            for heading in headings {
                assert!(text.contains(&format!("\n\n{heading}")), "{word} has no `{heading}`");
            }
            assert!(text.contains("\n\nWhat the probe leaves in the server's log"), "{word}");
        }
        assert!(page("ok", 80).contains("Received disconnect from"));
    }

    #[test]
    fn a_word_that_is_status_and_code_shows_both() {
        let text = page("refused", 80);
        assert!(text.starts_with("refused: Nothing listens on the port\n"));
        assert!(text.contains("The status `refused` also has\n  refused-by-filter "), "{text}");
        let text = page("Host_Key_Mismatch", 80);
        assert!(text.contains("\n  host-key-changed            The host key is not the one we know\n"), "{text}");
    }

    #[test]
    fn the_list_names_everything_in_two_columns() {
        let mut page = Page::new(100, false);
        list(&mut page);
        for word in words() {
            let line = page.as_ref().lines().find(|line| line.trim_start().split([' ', ':']).next() == Some(word));
            assert!(line.is_some(), "{word} is not listed");
        }
        assert_eq!(words().map(str::len).max(), Some(WORD));
    }

    #[test]
    fn an_unknown_word_is_told_in_one_line_with_its_neighbours() {
        let told = |word: &str| explain(&mut Page::new(80, false), word).expect_err(word).to_string();
        assert_eq!(told("refusd"), "explain: `refusd` is no code, status or finding; did you mean refused?");
        assert_eq!(told("weak-mc"), "explain: `weak-mc` is no code, status or finding; did you mean weak-mac?");
        assert_eq!(
            told("timeout-conect"),
            "explain: `timeout-conect` is no code, status or finding; did you mean timeout-connect?"
        );
        assert!(told("\u{1b}[2J").ends_with("; `sshprobe explain` lists them all"));
        assert!(!told("\u{1b}[2J\n").contains(['\u{1b}', '\n']));
        assert!(told("pmtu").contains("did you mean pmtu-black-hole?"));
        assert!(told("iap").contains("did you mean iap-"));
    }
}
