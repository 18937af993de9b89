//! Programs that must not outlive this one, even where it is killed and can end nothing itself.

use std::io;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};
use tokio::process::Command;

/// Has the kernel end the program with SIGTERM when this process dies, whatever it dies of.
///
/// Linux watches the *thread* that starts the program: it must be one that lives as long as the program may, as a runtime's
/// worker does. What the program itself has started, the kernel does not end.
#[allow(unsafe_code)]
pub fn ends_with_us(command: &mut Command) {
    let us = getpid();
    let mark = move || -> io::Result<()> {
        set_pdeathsig(Signal::SIGTERM)?;
        // We may have died in between: then nobody is left to be told of.
        if getppid() == us { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec, in a process with other threads, only what is async-signal-safe may run. The closure makes
    // two system calls, prctl(PR_SET_PDEATHSIG) and getppid, by way of thin wrappers that take no lock and allocate nothing; an
    // error is an error number, and `io::Error` holds one without allocating. What it captures is a number.
    unsafe {
        command.pre_exec(mark);
    }
}
