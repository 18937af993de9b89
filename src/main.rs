//! The program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sshprobe::cli::run::main().into()
}
