//! What is generated from the definition of the command line and the table of outcomes: completions and the manual page.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use sshprobe_probes::diagnose::{DIAGNOSES, FINDINGS, Status};

use crate::cli::args::{AFTER_HELP, Cli};
use crate::cli::exit::Exit;
use crate::cli::screen;
use crate::error::Error;

/// `sshprobe completions SHELL`.
pub(super) fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sshprobe", &mut script);
    screen::write(&script)
}

/// `sshprobe man`.
pub(super) fn man() -> Result<Exit, Error> {
    let page = manual().map_err(|source| Error::System { what: "cannot make the manual page", source })?;
    screen::write(&page)
}

/// The manual page: one for the program and its commands, as one is looked for.
fn manual() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone()).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands(&command, &mut page)?;
    let mut notes = Roff::new();
    notes.control("SH", ["NOTES"]).control("nf", []);
    AFTER_HELP.lines().for_each(|line| {
        notes.text([roman(line)]);
    });
    notes.control("fi", []);
    outcomes(&mut notes);
    notes.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn commands(command: &clap::Command, page: &mut impl Write) -> io::Result<()> {
    Roff::new().control("SH", ["COMMANDS"]).to_writer(page)?;
    for sub in command.get_subcommands() {
        let mut about = Roff::new();
        about.control("SS", [format!("sshprobe {}", sub.get_name()).as_str()]);
        about.text([roman(sub.get_about().map(ToString::to_string).unwrap_or_default())]);
        about.to_writer(page)?;
        let mut options = Vec::new();
        Man::new(sub.clone()).render_options_section(&mut options)?;
        // Its options are part of the section on commands, not sections of their own.
        for line in options.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b".SH")) {
            // The preamble of a document stands at its top already.
            if !line.starts_with(b".ie") && !line.starts_with(b".el") {
                page.write_all(line)?;
            }
        }
    }
    Ok(())
}

fn outcomes(page: &mut Roff) {
    page.control("SH", ["OUTCOMES"]);
    page.text([
        roman("Every target comes to one code, sorted under a status. "),
        bold("sshprobe explain"),
        roman(" CODE says more."),
    ]);
    for status in Status::ALL {
        page.control("SS", [status.name()]);
        page.text([roman(status.meaning())]);
        for row in DIAGNOSES.iter().filter(|row| row.code.status() == *status) {
            page.control("TP", []).text([bold(row.code.name())]).text([roman(row.title)]);
        }
    }
    page.control("SH", ["FINDINGS"]);
    page.text([roman("They ride along with any outcome and are no failure by themselves.")]);
    for text in FINDINGS {
        page.control("TP", []).text([bold(text.id.name())]).text([roman(text.title)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_holds_every_option_command_code_and_finding() {
        let page = String::from_utf8(manual().expect("made")).expect("UTF-8").replace("\\-", "-");
        let command = Cli::command();
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("--{option}")), "--{option}");
        }
        for sub in command.get_subcommands() {
            assert!(page.contains(&format!("sshprobe {}", sub.get_name())), "{}", sub.get_name());
        }
        let codes = DIAGNOSES.iter().map(|row| row.code.name());
        for word in codes.chain(FINDINGS.iter().map(|text| text.id.name())) {
            assert!(page.contains(&format!("\\fB{word}\\fR")), "{word}");
        }
        assert!(!page.contains("(1)") || page.matches("(1)").count() == 1, "no other page is referred to");
    }
}
