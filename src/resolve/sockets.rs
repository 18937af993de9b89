//! Sockets for queries, opened with patience: that we are short of descriptors says nothing about a name.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};
use nix::errno::Errno;
use tokio::time::sleep;

/// Tokio's sockets, waited for as long as this machine is short of what they take. Whoever asks sets the deadline.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    inner: TokioRuntimeProvider,
    shortage: Shortage,
}

/// What the last socket could not be opened for, if it could not.
#[derive(Debug, Clone, Default)]
pub(super) struct Shortage(Arc<AtomicI32>);

impl Shortage {
    pub(super) fn errno(&self) -> Option<Errno> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            errno => Some(Errno::from_raw(errno)),
        }
    }

    /// Opens something again and again until it works or fails for another reason.
    async fn wait_out<T, F: Future<Output = io::Result<T>>>(&self, mut open: impl FnMut() -> F) -> io::Result<T> {
        let mut pause = Duration::from_millis(10);
        loop {
            let result = open().await;
            match result.as_ref().err().and_then(io::Error::raw_os_error).filter(|errno| is_shortage(*errno)) {
                Some(errno) => self.0.store(errno, Ordering::Relaxed),
                None => {
                    self.0.store(0, Ordering::Relaxed);
                    return result;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}

/// Whether an error of `socket`, `bind` or `connect` goes away when others close theirs. ENOSPC is epoll's.
fn is_shortage(errno: i32) -> bool {
    use Errno::{EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
    matches!(Errno::from_raw(errno), EMFILE | ENFILE | ENOBUFS | ENOMEM | ENOSPC | EADDRNOTAVAIL | EAGAIN)
}

impl Sockets {
    /// Sockets whose shortage others see too.
    pub(super) fn sharing(shortage: Shortage) -> Self {
        Self { inner: TokioRuntimeProvider::default(), shortage }
    }

    pub(super) fn shortage(&self) -> Shortage {
        self.shortage.clone()
    }
}

impl RuntimeProvider for Sockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.inner.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        wait_for: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let Self { inner, shortage } = self.clone();
        Box::pin(async move { shortage.wait_out(|| inner.connect_tcp(server, local, wait_for)).await })
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        let Self { inner, shortage } = self.clone();
        Box::pin(async move { shortage.wait_out(|| inner.bind_udp(local, server)).await })
    }
}

/// Why nothing can be sent to a server, as the kernel says; the client does not hand its errors on.
pub(super) fn why_unreachable(server: SocketAddr) -> String {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    match UdpSocket::bind(any).and_then(|socket| socket.connect(server)) {
        Ok(()) => "refused the query".into(),
        Err(error) => match error.raw_os_error() {
            Some(errno) => format!("cannot be reached: {:?}", Errno::from_raw(errno)),
            None => format!("cannot be reached: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shortage_is_waited_out_and_remembered_meanwhile() {
        let shortage = Shortage::default();
        let mut tries = 0;
        let result = shortage
            .wait_out(|| {
                tries += 1;
                let seen = shortage.errno();
                let now = tries;
                async move {
                    assert_eq!(seen, (now > 1).then_some(Errno::EMFILE));
                    if now < 4 { Err(io::Error::from_raw_os_error(Errno::EMFILE as i32)) } else { Ok("socket") }
                }
            })
            .await;
        assert_eq!((result.unwrap(), tries, shortage.errno()), ("socket", 4, None));
    }

    #[tokio::test]
    async fn other_errors_are_handed_on() {
        let shortage = Shortage::default();
        let failing = || std::future::ready(Err::<(), _>(io::Error::from_raw_os_error(Errno::ENETUNREACH as i32)));
        let error = shortage.wait_out(failing).await.unwrap_err();
        assert_eq!((error.raw_os_error(), shortage.errno()), (Some(Errno::ENETUNREACH as i32), None));
    }

    #[test]
    fn the_kernel_says_why() {
        // Broadcast needs permission that no resolver asks for.
        let error = why_unreachable("255.255.255.255:53".parse().unwrap());
        assert!(error.starts_with("cannot be reached: E"), "{error}");
    }
}
