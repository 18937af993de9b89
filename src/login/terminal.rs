//! The terminal while a passphrase is typed: it shows nothing, and is as it was before whatever ends the program.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::sys::ignored::ignored;

/// The signals that end a program, and that come from outside even where no key makes them.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Between two looks at whether the program is to end, in milliseconds.
const LOOK_EVERY: u8 = 200;

/// The user has ended the program at a prompt. Where a run is under way it takes its leave first, and more keys may come up.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The terminal that shows nothing now, and how it was.
static MUTED: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Ends the prompt that there is, and has no further one come up: the program is about to end. In a run signals come to those
/// who watch for them, and not to the thread that asks.
pub(crate) fn leave() {
    ENDED.store(true, Ordering::Relaxed);
    restore();
}

/// Whether there is to be no further prompt.
pub(super) fn left() -> bool {
    ENDED.load(Ordering::Relaxed)
}

fn restore() {
    let muted = MUTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((terminal, before)) = muted {
        // Half a passphrase is not for the shell. Output that the terminal holds up (Ctrl-S) is not waited for.
        let _ = tcflush(terminal.as_fd(), FlushArg::TCIFLUSH);
        let _ = tcsetattr(terminal.as_fd(), SetArg::TCSANOW, &before);
    }
}

/// What came of waiting for a key.
pub(super) enum Typed {
    Byte(u8),
    /// Nobody types any more.
    Nothing,
    /// A signal waits to end the program.
    Signal,
}

/// A terminal that shows nothing of what is typed, until this is dropped. The signals that would end this thread's program wait
/// until then: they find the terminal as it was.
pub(super) struct Mute {
    terminal: File,
    signals: SignalFd,
    mask: SigSet,
}

impl Mute {
    pub(super) fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(terminal.as_fd())?;
        let mut mute = before.clone();
        mute.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        let muted = terminal.try_clone()?;
        // One that is ignored (nohup, a shell's background) ends nothing; held back, it would be queued all the same.
        let held: SigSet = ENDING.into_iter().filter(|signal| !ignored(*signal)).collect();
        let signals = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mask = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let this = Self { terminal, signals, mask };
        let mut muted_now = MUTED.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever leaves meanwhile either finds it muted, or keeps it from being.
        if !left() {
            // What was typed before the prompt is not meant for it.
            tcsetattr(this.terminal.as_fd(), SetArg::TCSAFLUSH, &mute)?;
            *muted_now = Some((muted, before));
        }
        drop(muted_now);
        Ok(this)
    }

    /// Waits for a key.
    pub(super) fn typed(&mut self) -> io::Result<Typed> {
        loop {
            let mut ready = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, LOOK_EVERY) {
                Ok(_) | Err(Errno::EINTR) if left() => return Ok(Typed::Nothing),
                Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let [signalled, readable] = ready.map(|each| each.any() == Some(true));
            if signalled {
                return Ok(Typed::Signal);
            }
            if readable {
                let mut byte = Zeroizing::new([0]);
                let count = self.terminal.read(&mut *byte)?;
                return Ok(if count == 0 { Typed::Nothing } else { Typed::Byte(byte[0]) });
            }
        }
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        restore();
        // Last: what waits comes now.
        let _ = self.mask.thread_set_mask();
    }
}
