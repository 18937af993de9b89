//! What is generated from the definition of the command line: completions and the manual page.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::screen;
use crate::error::Error;

/// `sshprobe completions SHELL`.
pub(super) fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sshprobe", &mut script);
    screen::write(&script)
}

/// `sshprobe man`: the page of the program, with the options of its commands.
pub(super) fn man() -> Result<Exit, Error> {
    let page = render().map_err(|source| Error::System { what: "the manual page", source })?;
    screen::write(&page)
}

fn render() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok(page)
}
