//! A program as the way to the target, as ssh's ProxyCommand: its standard input and output carry the bytes, its standard
//! error says why it failed.

use std::ffi::CString;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::net::if_::if_indextoname;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use sshprobe_probes::case::Connect;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::evidence::{Errno, Evidence, Tunnel, TunnelTrouble};
use sshprobe_probes::probe::Leave;
use sshprobe_probes::proxy::{Stderr, expand};
use sshprobe_probes::record::Via;
use sshprobe_probes::target::Host;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::reading;
use crate::sys::clock::Clock;
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport};

/// How long a program that has closed its output may take to say why and to end. gcloud needs most of a second.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a program may take to end once nobody talks to it any more, before it is ended.
const GRACE: Duration = Duration::from_millis(200);

/// Starts a program for each connection.
#[derive(Debug, Clone)]
pub struct ProxyCommand {
    clock: Clock,
    command: Arc<str>,
    /// The command is as the user wrote it: its tokens stand for what each target is called.
    tokens: bool,
    /// Programs running at a time.
    places: Arc<Semaphore>,
}

impl ProxyCommand {
    /// Runs `command`, at most `most` of it at a time.
    #[must_use]
    pub fn new(clock: Clock, command: &str, most: usize) -> Self {
        Self { clock, command: command.into(), tokens: true, places: Arc::new(Semaphore::new(most.max(1))) }
    }

    /// Runs `command` for one target, whose tokens have been replaced. Counts towards the programs running of this one.
    #[must_use]
    pub fn ready(&self, command: &str) -> Self {
        Self { command: command.into(), tokens: false, ..self.clone() }
    }
}

/// A host as a command line has it: an interface by its name, as ssh hands it on.
fn shown(host: &Host) -> String {
    match host {
        Host::Addr(addr, scope @ 1..) => match if_indextoname(*scope).map(CString::into_string) {
            Ok(Ok(name)) => format!("{addr}%{name}"),
            _ => host.to_string(),
        },
        _ => host.to_string(),
    }
}

impl Transport for ProxyCommand {
    type Stream = CommandPath;

    fn takes_names(&self) -> bool {
        true
    }

    async fn open(&self, connect: &Connect) -> Opening<CommandPath> {
        // The semaphore is never closed; without a permit there is only no limit.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let started = self.clock.now();
        let mut evidence = Evidence::new(connect.addr, started);
        let mut tunnel = Tunnel::new(Via::ProxyCommand);
        let host = shown(&connect.host);
        let name = connect.name.as_deref().unwrap_or(&host);
        let down = |evidence, mut tunnel: Tunnel, detail: String| {
            tunnel.trouble = Some(TunnelTrouble::lasting(Code::ProxyCommandFailed, None, detail));
            Opening::broken(evidence, tunnel, self.clock.now())
        };
        let expanded = || expand(&self.command, &host, connect.addr.port(), &connect.plan.user, name);
        let command = match self.tokens.then(expanded).transpose() {
            Ok(expanded) => expanded.unwrap_or_else(|| self.command.to_string()),
            Err(why) => return down(evidence, tunnel, why.to_string()),
        };
        let mut child = match shell(&command).spawn() {
            Ok(child) => child,
            Err(error) => match Errno(error.raw_os_error().unwrap_or_default()) {
                errno @ (Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM) => {
                    return Opening::Short(errno);
                }
                _ => return down(evidence, tunnel, format!("the proxy command cannot be started: {error}")),
            },
        };
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return down(evidence, tunnel, String::from("the proxy command has no standard streams"));
        };
        let now = self.clock.now();
        tunnel.timing.connect = Some(now.since(started));
        evidence.timing.connect = tunnel.timing.connect;
        evidence.ended = now;
        evidence.tunnel = Some(Box::new(tunnel.clone()));
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let words = Words::listen(errors);
        Opening::Up(
            CommandPath {
                input,
                output,
                heard: false,
                words,
                tunnel,
                running: Running { child, group },
                _place: place,
            },
            evidence,
        )
    }
}

/// The program with a process group of its own, so that what it starts ends with it.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    // As ssh does: the shell makes room for the program, so that signals reach it.
    shell.arg("-c").arg(format!("exec {command}"));
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.process_group(0).kill_on_drop(true);
    // If this process is killed, nothing of it is dropped.
    #[cfg(target_os = "linux")]
    crate::sys::orphan::ends_with_us(&mut shell);
    shell
}

/// A program that runs, and ends with this.
#[derive(Debug)]
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The children of the program too; the runtime reaps the program itself.
        self.signal(Signal::SIGKILL);
    }
}

/// What the program writes to its standard error: all of it is read, so that it never waits for us, and the end is kept.
#[derive(Debug)]
struct Words {
    heard: Arc<Mutex<Stderr>>,
    task: JoinHandle<()>,
}

impl Words {
    fn listen(mut errors: ChildStderr) -> Self {
        let heard = Arc::new(Mutex::new(Stderr::new()));
        let keeper = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut piece = [0; 1024];
            while let Ok(count @ 1..) = errors.read(&mut piece).await {
                keeper.lock().unwrap_or_else(PoisonError::into_inner).feed(&piece[..count]);
            }
        });
        Self { heard, task }
    }

    fn so_far(&self) -> MutexGuard<'_, Stderr> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The standard streams of a program.
#[derive(Debug)]
pub struct CommandPath {
    input: ChildStdin,
    output: ChildStdout,
    /// A byte has come.
    heard: bool,
    words: Words,
    tunnel: Tunnel,
    running: Running,
    _place: Option<OwnedSemaphorePermit>,
}

impl Stream for CommandPath {
    fn outlived(&self, _: &io::Error) -> Option<SoftError> {
        None
    }

    fn pending(&mut self) -> Option<SoftError> {
        None
    }

    async fn leave(self, _: Leave, _: bool) -> PathEnd {
        let Self { input, output, heard, mut words, mut tunnel, mut running, _place } = self;
        // One that has ended, or closed its output, by itself says why; one that was left has nothing to say.
        let early = running.child.try_wait().ok().flatten();
        drop(input);
        let by_itself = early.is_some() || ended(output).await;
        let patience = if by_itself { LAST_WORDS } else { GRACE };
        let status = match early {
            Some(status) => Some(status),
            None => timeout(patience, running.child.wait()).await.ok().and_then(Result::ok),
        };
        if status.is_none() {
            running.signal(Signal::SIGTERM);
            let _ = timeout(GRACE, running.child.wait()).await;
        }
        // Whatever it has started holds the other end of standard error open.
        running.signal(Signal::SIGKILL);
        let _ = timeout(GRACE, &mut words.task).await;
        // One that runs as another user cannot be ended: the runtime reaps it once it ends.
        if timeout(GRACE, running.child.wait()).await.is_ok() {
            // Its number may soon be another's.
            running.group = None;
        }
        let end = match status {
            Some(status) if by_itself => reading::End::Ended(status),
            _ if heard => reading::End::Left,
            _ => reading::End::Silent,
        };
        {
            let said = words.so_far();
            tunnel.reason = said.text();
            tunnel.reason.truncate(Tunnel::REASON_MAX);
            tunnel.trouble = reading::trouble(&said, end);
        }
        PathEnd { tunnel: Some(Box::new(tunnel)), ..PathEnd::default() }
    }
}

/// Whether the program has closed its output. What is still in it nobody wants.
async fn ended(mut output: ChildStdout) -> bool {
    let mut rest = [0; 1024];
    let drained = async { while let Ok(1..) = output.read(&mut rest).await {} };
    timeout(Duration::from_millis(10), drained).await.is_ok()
}

impl AsyncRead for CommandPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.output).poll_read(cx, into);
        self.heard |= into.filled().len() > before;
        read
    }
}

impl AsyncWrite for CommandPath {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}
