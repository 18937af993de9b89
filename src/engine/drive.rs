//! Drives ONE probe over a connection that is up.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use sshprobe_probes::evidence::Errno;
use sshprobe_probes::probe::{End, Leave, Probe};
use tokio::io::ReadBuf;
use tokio::time::{Sleep, sleep_until};

use super::log;
use crate::sys::clock::Clock;
use crate::transport::Stream;

/// One read. A server that has more to say than that is read again.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    /// One buffer a thread, not one a connection: it is in use only while a task runs, never while it waits.
    static BUFFER: RefCell<Box<[u8; SCRATCH]>> = RefCell::new(Box::new([0; SCRATCH]));
}

/// Converses until the probe is finished. How to leave is then still to be done.
///
/// Ends at the probe's own deadline, whatever the server does. Borrows, because what a future is given it holds twice.
pub(super) async fn drive<S: Stream>(stream: &mut S, probe: &mut Probe, clock: Clock) -> Leave {
    let mut alarm = pin!(sleep_until(clock.instant(probe.deadline())));
    poll_fn(|cx| converse(cx, stream, probe, clock, alarm.as_mut())).await
}

/// Does all that can be done without waiting.
fn converse<S: Stream>(
    cx: &mut Context<'_>,
    stream: &mut S,
    probe: &mut Probe,
    clock: Clock,
    mut alarm: Pin<&mut Sleep>,
) -> Poll<Leave> {
    loop {
        write(cx, stream, probe, clock);
        if let Some(leave) = probe.finished() {
            log::last_stage(probe.evidence());
            return Poll::Ready(leave);
        }
        let stage = probe.evidence().stage;
        if read(cx, stream, probe, clock).is_ready() {
            if probe.evidence().stage != stage {
                log::stage(stage, probe.evidence());
            }
            // However much comes: the time is looked at after each piece of it.
            let now = clock.now();
            if now >= probe.deadline() {
                probe.wake(now);
            }
            continue;
        }
        // A timer that is set too early is cheaper than one that is set anew for every packet.
        let deadline = clock.instant(probe.deadline());
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Linux does not wake a reader for an ICMP error alone: before the silence is judged, it is asked for.
        if let Some(soft) = stream.pending() {
            probe.soft_error(soft.errno, soft.icmp);
        }
        probe.wake(clock.now());
        // The deadline may have moved on; it is never left in the past, or the alarm would ring for ever.
        alarm.as_mut().reset(clock.instant(probe.deadline()));
    }
}

/// Writes what the probe has to say, as far as it fits.
fn write<S: Stream>(cx: &mut Context<'_>, stream: &mut S, probe: &mut Probe, clock: Clock) {
    while !probe.output().is_empty() {
        let written = match probe.finished() {
            Some(Leave::Close) => stream.poll_last_words(cx, probe.output()),
            _ => Pin::new(&mut *stream).poll_write(cx, probe.output()),
        };
        match written {
            Poll::Ready(Ok(count)) if count > 0 => probe.written(count),
            Poll::Ready(Ok(_)) => probe.write_failed(clock.now(), Errno::EPIPE),
            Poll::Ready(Err(error)) => match stream.outlived(&error) {
                Some(soft) => probe.soft_error(soft.errno, soft.icmp),
                None => probe.write_failed(clock.now(), errno(&error)),
            },
            Poll::Pending => return,
        }
    }
}

/// Reads once; ready if that brought anything.
fn read<S: Stream>(cx: &mut Context<'_>, stream: &mut S, probe: &mut Probe, clock: Clock) -> Poll<()> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut into = ReadBuf::new(buffer.as_mut_slice());
        match Pin::new(&mut *stream).poll_read(cx, &mut into) {
            Poll::Ready(Ok(())) if into.filled().is_empty() => probe.input_end(clock.now(), End::Eof),
            Poll::Ready(Ok(())) => probe.input(clock.now(), into.filled()),
            Poll::Ready(Err(error)) => match stream.outlived(&error) {
                Some(soft) => probe.soft_error(soft.errno, soft.icmp),
                None => probe.input_end(clock.now(), End::Failed(errno(&error))),
            },
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    })
}

/// A transport that is no socket may fail without an error number; to the probe that is a broken pipe.
fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EPIPE, Errno)
}

#[cfg(test)]
mod tests;
