//! What is to be swept, between the thread that reads it and the one that sweeps.
//!
//! A queue with two marks: who fills it is only woken when it is nearly empty, and who empties it only when it was. A channel that
//! wakes for every item costs more than the packet that is sent for it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// A bounded queue whose reader can also wait for sockets.
#[derive(Debug)]
pub struct Inbox<W> {
    state: Mutex<State<W>>,
    room: Condvar,
    arrival: EventFd,
}

#[derive(Debug)]
struct State<W> {
    queue: VecDeque<W>,
    /// The reader has seen it empty, and is to be told.
    awaited: bool,
    ended: bool,
    closed: bool,
}

/// Items that wait at the most.
const FULL: usize = 1024;
/// Few enough for the writer to be woken.
const LOW: usize = 256;

impl<W> Inbox<W> {
    /// An empty one.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let arrival = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let state = State { queue: VecDeque::with_capacity(FULL), awaited: true, ended: false, closed: false };
        Ok(Self { state: Mutex::new(state), room: Condvar::new(), arrival })
    }

    /// Puts an item in, as soon as there is room. `false` once nobody takes it any more.
    pub fn put(&self, item: W) -> bool {
        let mut state = self.lock();
        if state.queue.len() >= FULL {
            while state.queue.len() > LOW && !state.closed {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if state.closed {
            return false;
        }
        state.queue.push_back(item);
        self.tell(state);
        true
    }

    /// Nothing more will be put in.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        self.tell(state);
    }

    /// Nothing more will be taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    /// Takes some items out, `most` at most; `false` if none will come behind them.
    pub(super) fn take(&self, most: usize, into: &mut VecDeque<W>) -> bool {
        let mut state = self.lock();
        let count = most.min(state.queue.len());
        let was_low = state.queue.len() <= LOW;
        into.extend(state.queue.drain(..count));
        let (is_low, more) = (state.queue.len() <= LOW, !state.ended || !state.queue.is_empty());
        if state.queue.is_empty() {
            state.awaited = true;
            let _ = self.arrival.read();
        }
        drop(state);
        if is_low && !was_low {
            self.room.notify_all();
        }
        more
    }

    /// Readable when something has come since [`Self::take`] left nothing.
    pub(super) fn arrival(&self) -> BorrowedFd<'_> {
        self.arrival.as_fd()
    }

    fn tell(&self, mut state: MutexGuard<'_, State<W>>) {
        if std::mem::take(&mut state.awaited) {
            // A counter at its end is readable all the same.
            let _ = self.arrival.write(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Nothing that holds the lock runs foreign code: a state left behind by a panic is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn readable(inbox: &Inbox<u32>, patience: u16) -> bool {
        let mut watched = [PollFd::new(inbox.arrival(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::from(patience)).unwrap() > 0
    }

    #[test]
    fn everything_comes_out_once_and_in_order() {
        let inbox = Arc::new(Inbox::new().unwrap());
        let writer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || {
                (0..10_000).for_each(|item| assert!(inbox.put(item)));
                inbox.end();
            }
        });
        let (mut seen, mut chunk) = (Vec::new(), VecDeque::new());
        let mut more = true;
        while more {
            more = inbox.take(100, &mut chunk);
            if more && chunk.is_empty() {
                assert!(readable(&inbox, 10_000), "nobody would ever be woken");
            }
            seen.extend(chunk.drain(..));
        }
        writer.join().unwrap();
        assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn who_waits_for_room_is_let_go_when_it_is_closed() {
        let inbox = Arc::new(Inbox::new().unwrap());
        (0..1024).for_each(|item| assert!(inbox.put(item)));
        let writer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.put(9)
        });
        thread::sleep(std::time::Duration::from_millis(20));
        assert!(!writer.is_finished());
        inbox.close();
        assert!(!writer.join().unwrap() && !inbox.put(10));
    }

    #[test]
    fn what_comes_to_an_empty_one_is_told_once() {
        let inbox = Inbox::new().unwrap();
        let mut out = VecDeque::new();
        assert!(!readable(&inbox, 0));
        inbox.put(1);
        inbox.put(2);
        assert!(readable(&inbox, 0) && inbox.take(1, &mut out));
        assert!(readable(&inbox, 0), "one is left");
        assert!(inbox.take(5, &mut out) && !readable(&inbox, 0));
        assert_eq!(out, [1, 2]);
        inbox.end();
        assert!(readable(&inbox, 0) && !inbox.take(5, &mut out));
    }
}
