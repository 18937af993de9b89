//! Every SSH server that Debian has, and what it has not as a crate, pinned to one algorithm after the other: each cell of the
//! matrix must come to `ok` with what was pinned and a verified key, or to the outcome that says what sshprobe lacks.
//!
//! Left out: libssh's server, which Debian has only as a library to write one with, and MySecureShell, whose SSH is OpenSSH's.

mod cell;
mod erlang;
mod key;
mod offered;
mod openssh;
mod pins;
mod proftpd;
mod python;
mod russh;
mod sshesame;
