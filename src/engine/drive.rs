//! Drives one probe over one stream.

use std::cell::RefCell;
use std::io;
use std::pin::pin;

use sshprobe_probes::evidence::Errno;
use sshprobe_probes::probe::{End, Leave, Probe};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::clock::Clock;
use crate::sys::error_queue;
use crate::transport::tcp::{errno, reset_on_close};

/// Bytes read at once. One buffer per thread serves all connections: nothing is held between reads.
const BUFFER: usize = 16 * 1024;

/// Reads in a row before others get their turn: a flood starves nobody.
const READS: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Drives `probe` to its end. Whatever the server does, it ends by the probe's own deadline.
pub(super) async fn drive(stream: &TcpStream, probe: &mut Probe, clock: &Clock) {
    let mut deadline = probe.deadline();
    let mut timer = pin!(sleep_until(clock.instant(deadline)));
    loop {
        write(stream, probe, clock);
        if let Some(leave) = probe.finished() {
            if leave == Leave::Reset {
                reset_on_close(stream);
            }
            return;
        }
        if probe.deadline() != deadline {
            deadline = probe.deadline();
            Sleep::reset(timer.as_mut(), clock.instant(deadline));
        }
        let interest =
            if probe.output().is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        tokio::select! {
            biased;
            ready = stream.ready(interest) => match ready {
                Ok(ready) if ready.is_readable() || ready.is_error() => read(stream, probe, clock),
                Ok(_) => {}
                Err(fault) => probe.input_end(clock.now(), End::Failed(errno(&fault))),
            },
            () = &mut timer => probe.wake(clock.now()),
        }
    }
}

fn write(stream: &TcpStream, probe: &mut Probe, clock: &Clock) {
    while !probe.output().is_empty() {
        match stream.try_write(probe.output()) {
            Ok(count) => probe.written(count),
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => {
                if !soft(stream, probe, &fault) {
                    return probe.write_failed(clock.now(), errno(&fault));
                }
            }
        }
    }
}

fn read(stream: &TcpStream, probe: &mut Probe, clock: &Clock) {
    SCRATCH.with_borrow_mut(|buffer| {
        for _ in 0..READS {
            match stream.try_read(buffer) {
                Ok(0) => return probe.input_end(clock.now(), End::Eof),
                Ok(count) => {
                    probe.input(clock.now(), &buffer[..count]);
                    // Less than asked for: nothing more is there, and asking again would only cost a system call. What
                    // the probe has to say comes first, too.
                    if probe.finished().is_some() || count < buffer.len() {
                        return;
                    }
                }
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => {
                    if !soft(stream, probe, &fault) {
                        return probe.input_end(clock.now(), End::Failed(errno(&fault)));
                    }
                }
            }
        }
    });
}

/// An ICMP error about an open connection may pass (a route that flaps): it is noted, and the connection goes on.
fn soft(stream: &TcpStream, probe: &mut Probe, fault: &io::Error) -> bool {
    let errno = errno(fault);
    let from_icmp = matches!(
        errno,
        Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EACCES
            | Errno::EPROTO
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::EOPNOTSUPP
            | Errno::ECONNREFUSED
    );
    let icmp = if from_icmp { error_queue::take(stream) } else { None };
    if icmp.is_some() {
        probe.soft_error(errno, icmp);
    }
    icmp.is_some()
}
