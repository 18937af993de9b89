//! `docs/outcomes.md` is generated from the tables that `sshprobe explain` reads. `SSHPROBE_BLESS=1` writes it anew.

use std::fmt::Write as _;

use sshprobe_probes::diagnose::{Code, DIAGNOSES, FINDINGS, Status};

use crate::support::bless;

/// Text of the tables in Markdown: placeholders such as `<name>` and stars are no markup.
fn plain(text: &str) -> String {
    // What stands between backticks is literal already.
    let spans = text.split('`').enumerate();
    let escaped = spans.map(|(at, span)| match at % 2 {
        0 => span.replace('\\', "\\\\").replace('*', "\\*").replace('<', "\\<").replace('~', "\\~"),
        _ => span.to_owned(),
    });
    escaped.collect::<Vec<_>>().join("`")
}

fn items(out: &mut String, heading: &str, lines: &[&str]) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{heading}\n");
        lines.iter().for_each(|line| writeln!(out, "* {}", plain(line)).expect("written"));
    }
}

fn document() -> String {
    let mut out = String::from(
        "# Outcomes\n\n\
         Every target comes to one code, sorted under a status; findings ride along. This page is what `sshprobe explain` says,\n\
         made from the same tables. Words in capitals are to be filled in; in a record's `diagnoses` the target stands in their\n\
         place. `KNOWN_HOSTS_NAME` is HOST, for another port than 22 `[HOST]:PORT`; `KNOWN_HOSTS_FILE` is\n\
         the file that the record's `source` names.\n",
    );
    for status in Status::ALL {
        let _ = writeln!(out, "\n## {status}\n\n{}", status.meaning());
        for row in DIAGNOSES.iter().filter(|row| row.code.status() == *status) {
            let _ = writeln!(out, "\n### `{}`\n\n**{}.** {}", row.code, plain(row.title), plain(row.meaning));
            items(&mut out, "Likely causes, the likeliest first:", row.causes);
            items(&mut out, "How to tell them apart:", row.tell_apart);
            items(&mut out, "What to do:", row.remedy);
            items(&mut out, "In the server's log (OpenSSH, LogLevel INFO):", row.code.server_log());
        }
    }
    out += "\n## Findings\n\nNoticed on the way, worth telling, and no failure by themselves.\n";
    for text in FINDINGS {
        let severity = format!("{:?}", text.severity).to_lowercase();
        let _ = writeln!(out, "\n### `{}`\n\n**{}** ({severity}). {}", text.id, plain(text.title), plain(text.meaning));
        items(&mut out, "Likely causes, the likeliest first:", text.causes);
        items(&mut out, "How to tell them apart:", text.tell_apart);
        items(&mut out, "What to do:", text.remedy);
    }
    out
}

#[test]
fn the_page_of_outcomes_is_what_the_tables_say() {
    let page = document();
    assert!(page.matches("\n### `").count() == Code::ALL.len() + FINDINGS.len());
    bless::compare("docs/outcomes.md", &page);
}
