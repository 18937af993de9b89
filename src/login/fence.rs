//! The stream that russh is given: it can be taken away again at any time, and it has seen how it ended.
//!
//! russh runs a session as a task of its own and, where a peer stalls, does not end it by itself. Whoever holds the [`Key`] of
//! a fence takes the stream out; the task then finds nothing to read or write and ends. russh also says of most ends only that
//! there was one, so what the socket said is kept here.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sshprobe_probes::evidence::Errno;
use sshprobe_probes::stage::ident;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a fence has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Bytes received.
    pub(crate) received: u64,
    /// The first of them, at most [`Seen::HEAD`]: a server that does not want us says so in clear text.
    pub(crate) head: Vec<u8>,
    /// The server closed its side.
    pub(crate) eof: bool,
    /// The error that ended the connection.
    pub(crate) error: Option<Errno>,
}

impl Seen {
    /// How much of the beginning is kept.
    const HEAD: usize = 1024;

    /// An identification has begun.
    pub(crate) fn identified(&self) -> bool {
        ident::begins(&self.head)
    }
}

/// Whether a connection has outlived an error that reading or writing gave.
pub(crate) type Outlived<S> = fn(&S, &io::Error) -> bool;

struct Inner<S> {
    stream: Option<S>,
    /// The stream is not to be used any more.
    stalled: bool,
    outlived: Outlived<S>,
    /// What was read before russh asked.
    ahead: Vec<u8>,
    seen: Seen,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<S> Inner<S> {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// The stream for whoever reads or writes.
    fn open(&mut self) -> io::Result<&mut S> {
        self.stream.as_mut().filter(|_| !self.stalled).ok_or_else(|| io::Error::from(ErrorKind::ConnectionAborted))
    }
}

/// The stream, for russh.
pub(crate) struct Fence<S>(Arc<Mutex<Inner<S>>>);

/// What takes the stream away from whoever has it.
pub(crate) struct Key<S>(Arc<Mutex<Inner<S>>>);

impl<S> Clone for Key<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn lock<S>(inner: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Fence<S> {
    /// Around a stream.
    pub(crate) fn around(stream: S, outlived: Outlived<S>) -> (Self, Key<S>) {
        let inner = Inner {
            stream: Some(stream),
            stalled: false,
            outlived,
            ahead: Vec::new(),
            seen: Seen::default(),
            reader: None,
            writer: None,
        };
        let inner = Arc::new(Mutex::new(inner));
        (Self(Arc::clone(&inner)), Key(inner))
    }
}

impl<S> Key<S> {
    /// Takes the stream out. Reads and writes fail from now on.
    pub(crate) fn take(&self) -> Option<S> {
        let mut inner = lock(&self.0);
        inner.wake();
        inner.stream.take()
    }

    /// Has reads and writes fail from now on, and leaves the stream where it is.
    pub(crate) fn stall(&self) {
        let mut inner = lock(&self.0);
        inner.stalled = true;
        inner.wake();
    }

    /// How many bytes have come so far.
    pub(crate) fn received(&self) -> u64 {
        lock(&self.0).seen.received
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> Seen {
        lock(&self.0).seen.clone()
    }
}

/// What ends a session whatever its stream is.
pub(crate) trait Abort: Send + Sync {
    /// Takes the stream away, and closes it.
    fn abort(&self);
}

impl<S: Send> Abort for Key<S> {
    fn abort(&self) {
        drop(self.take());
    }
}

impl<S: AsyncRead + Unpin> Fence<S> {
    /// Waits until the server has said something, or is gone; what it said is still there to be read.
    pub(crate) async fn heard(&mut self) {
        std::future::poll_fn(|cx| {
            let mut inner = lock(&self.0);
            if !inner.ahead.is_empty() {
                return Poll::Ready(());
            }
            let mut room = [0; 1024];
            let mut into = ReadBuf::new(&mut room);
            match read(&mut inner, cx, &mut into) {
                Poll::Ready(Ok(())) => inner.ahead.extend_from_slice(into.filled()),
                // Whoever reads next meets it again.
                Poll::Ready(Err(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
            Poll::Ready(())
        })
        .await;
    }
}

fn read<S: AsyncRead + Unpin>(
    inner: &mut Inner<S>,
    cx: &mut Context<'_>,
    into: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let outlived = inner.outlived;
        let stream = inner.open()?;
        let before = into.filled().len();
        match Pin::new(&mut *stream).poll_read(cx, into) {
            Poll::Ready(Ok(())) => {
                let new = into.filled().get(before..).unwrap_or_default();
                let seen = &mut inner.seen;
                seen.eof |= new.is_empty();
                seen.received += new.len() as u64;
                let room = Seen::HEAD.saturating_sub(seen.head.len()).min(new.len());
                seen.head.extend_from_slice(&new[..room]);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) if outlived(stream, &error) => {}
            Poll::Ready(Err(error)) => {
                inner.seen.error = error.raw_os_error().map(Errno).or(Some(Errno::EPIPE));
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {
                inner.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Fence<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        inner.open()?;
        let count = inner.ahead.len().min(into.remaining());
        if count > 0 {
            into.put_slice(&inner.ahead[..count]);
            inner.ahead.drain(..count);
            return Poll::Ready(Ok(()));
        }
        read(&mut inner, cx, into)
    }
}

impl<S: AsyncWrite + Unpin> Fence<S> {
    fn write<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut inner = lock(&self.0);
        loop {
            let outlived = inner.outlived;
            let stream = inner.open()?;
            match write(Pin::new(&mut *stream), cx) {
                Poll::Ready(Err(error)) if outlived(stream, &error) => {}
                Poll::Pending => {
                    inner.writer = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                // A write that fails is not the end: what the server said before is still to be read.
                ready => return ready,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fence<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_flush(cx))
    }

    /// Never fails: where it does, russh tells nobody any more why the session ended.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_shutdown(cx)).map(|_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_heard_ahead_is_still_read() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut fence, key) = Fence::around(near, |_, _| false);
        far.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        fence.heard().await;
        fence.heard().await;
        assert!(key.seen().identified());
        drop(far);
        let mut all = Vec::new();
        fence.read_to_end(&mut all).await.unwrap();
        assert_eq!((all.as_slice(), key.seen().eof), (&b"SSH-2.0-x\r\n"[..], true));
    }

    #[tokio::test]
    async fn who_waits_for_a_stream_that_is_taken_away_is_woken() {
        let (near, _far) = tokio::io::duplex(64);
        let (mut fence, key) = Fence::around(near, |_, _| false);
        let waits = tokio::spawn(async move { fence.read_u8().await });
        tokio::task::yield_now().await;
        assert!(key.take().is_some());
        assert_eq!(waits.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert!(key.take().is_none());
    }
}
