//! Proxies within the test itself: they lead to this machine whatever they are asked for, and keep what they were asked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// What a proxy was asked for, in order.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// Serves clients on a port of loopback. Gives its address, and where `serve` keeps what it was asked.
fn proxy<S: Future<Output = io::Result<()>> + Send + 'static>(
    runtime: &Runtime,
    serve: impl Fn(TcpStream, Asked) -> S + Send + 'static,
) -> (SocketAddr, Asked) {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let (addr, asked) = (listener.local_addr().expect("bound"), Asked::default());
    let keeper = Arc::clone(&asked);
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, Arc::clone(&keeper)));
        }
    });
    (addr, asked)
}

/// Carries bytes to this machine's port. Whatever name was asked for: the relay is here.
async fn carry(client: &mut TcpStream, port: u16) -> io::Result<()> {
    let mut relay = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(client, &mut relay).await.map(drop)
}

/// An HTTP proxy that answers with this head, and carries bytes where that is a 200. Gives its address and what it was asked.
pub(crate) fn http_proxy(runtime: &Runtime, head: &'static str) -> (SocketAddr, Asked) {
    proxy(runtime, move |mut client, asked| async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(client.read_u8().await?);
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let peer = request.split(' ').nth(1).unwrap_or_default().to_owned();
        asked.lock().expect("no panic while locked").push(request);
        client.write_all(head.as_bytes()).await?;
        if head.starts_with("HTTP/1.1 200 ") {
            let port = peer.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
            carry(&mut client, port).await?;
        }
        Ok(())
    })
}

/// A SOCKS5 proxy (RFC 1928) that answers with this code, and carries bytes where it is 0. Gives its address and what it was
/// asked for.
pub(crate) fn socks_proxy(runtime: &Runtime, code: u8) -> (SocketAddr, Asked) {
    proxy(runtime, move |mut client, asked| async move {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await?;
        client.read_exact(&mut vec![0; greeting[1].into()]).await?;
        client.write_all(&[5, 0]).await?;
        let mut request = [0; 4];
        client.read_exact(&mut request).await?;
        let len = if request[3] == 3 { client.read_u8().await?.into() } else { 4 };
        let mut host = vec![0; len];
        client.read_exact(&mut host).await?;
        let port = client.read_u16().await?;
        let host = if request[3] == 3 { String::from_utf8_lossy(&host).into_owned() } else { format!("{host:?}") };
        asked.lock().expect("no panic while locked").push(format!("{host} {port}"));
        client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        if code == 0 {
            carry(&mut client, port).await?;
        }
        Ok(())
    })
}
