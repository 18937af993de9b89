//! Asking for the passphrase of a key, once, as ssh does: on the terminal, or by the program that SSH_ASKPASS names.

use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, raise};
use zeroize::Zeroizing;

use super::terminal::{self, Mute, Typed};

/// The longest passphrase that is read, in bytes; ssh's own limit.
const LONGEST: usize = 1023;
const INTERRUPT: u8 = 3;
const QUIT: u8 = 28;
const END_OF_FILE: u8 = 4;
const KILL_LINE: u8 = 21;

/// Asks. `None` if nobody answers: the user gave up, or the program failed.
///
/// # Errors
/// There is no way to ask; the text says what would be one.
pub(super) fn passphrase(prompt: &str) -> Result<Option<Zeroizing<String>>, String> {
    if terminal::left() {
        return Ok(None);
    }
    let required = env::var("SSH_ASKPASS_REQUIRE").unwrap_or_default();
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|set| !set.is_empty()));
    let program = env::var_os("SSH_ASKPASS").filter(|program| !program.is_empty());
    let by_program = match required.as_str() {
        "force" => true,
        "prefer" => display,
        _ => false,
    };
    if !by_program && let Ok(tty) = OpenOptions::new().read(true).write(true).open("/dev/tty") {
        return on_terminal(tty, prompt).map_err(|error| format!("cannot ask on the terminal: {error}"));
    }
    match program {
        Some(program) if by_program || (display && required != "never") => by(&program, prompt),
        _ => Err(String::from(
            "no terminal to ask on, and SSH_ASKPASS (with DISPLAY, or SSH_ASKPASS_REQUIRE=force) names no program",
        )),
    }
}

fn by(program: &OsString, prompt: &str) -> Result<Option<Zeroizing<String>>, String> {
    let mut child = Command::new(program)
        .arg(prompt)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start SSH_ASKPASS, {}: {error}", program.display()))?;
    let mut answer = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    if let Some(out) = child.stdout.take() {
        let read = out.take(LONGEST as u64).read_to_end(&mut answer);
        read.map_err(|error| format!("cannot read from SSH_ASKPASS: {error}"))?;
    }
    let ended = child.wait().map_err(|error| format!("cannot wait for SSH_ASKPASS: {error}"))?;
    let line = answer.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    Ok(ended.success().then(|| text(line)).flatten())
}

fn text(line: &[u8]) -> Option<Zeroizing<String>> {
    std::str::from_utf8(line).ok().map(|line| Zeroizing::new(line.to_owned()))
}

/// Reads a line without showing it. The keys that make signals are read like any other meanwhile, so that the terminal is never
/// left mute; their signals are sent on when it is as before. So Ctrl-C ends the program, as it does ssh.
fn on_terminal(mut tty: File, prompt: &str) -> io::Result<Option<Zeroizing<String>>> {
    let mut mute = Mute::new(tty.try_clone()?)?;
    tty.write_all(prompt.as_bytes())?;
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut signal = None;
    let answered = loop {
        let byte = match mute.typed()? {
            Typed::Byte(byte) => byte,
            Typed::Signal => {
                terminal::leave();
                break false;
            }
            Typed::Nothing => break false,
        };
        match byte {
            b'\n' | b'\r' => break true,
            INTERRUPT | QUIT => {
                signal = Some(if byte == QUIT { Signal::SIGQUIT } else { Signal::SIGINT });
                break false;
            }
            END_OF_FILE if line.is_empty() => break false,
            8 | 127 => drop(line.pop()),
            KILL_LINE => line.clear(),
            other if line.len() < LONGEST => line.push(other),
            _ => {}
        }
    };
    // A terminal that is gone takes nothing any more.
    let _ = tty.write_all(b"\n");
    drop(mute);
    if let Some(signal) = signal {
        terminal::leave();
        raise(signal)?;
    }
    Ok(if answered { text(&line) } else { None })
}
