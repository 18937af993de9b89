//! Every SSH server at hand, pinned to one algorithm after the other: each cell of the matrix must come to `ok` with what was
//! pinned and a verified key, or to the outcome that says what sshprobe lacks.

mod cell;
mod key;
mod openssh;
