//! Servers as from inetd: one process a connection, with a command line that hangs on the address it came to. Several hundred
//! configurations so cost one listener and no process until somebody asks.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use super::netns::Netns;
use super::scripted::Acceptor;

/// Program and arguments of the server at each address.
pub(crate) type Commands = BTreeMap<IpAddr, Vec<String>>;

/// Serves until dropped.
pub(crate) struct Inetd {
    logs: Arc<Mutex<BTreeMap<IpAddr, String>>>,
    _acceptors: Vec<Acceptor>,
}

impl Inetd {
    /// Serves port 22 of every address of the namespace; a connection to one without a command is closed.
    pub(crate) fn start(netns: &Netns, commands: Commands) -> Self {
        Self::start_at(netns, &[22], commands)
    }

    /// Serves these ports of every address of the namespace, each of an address alike.
    pub(crate) fn start_at(netns: &Netns, ports: &[u16], commands: Commands) -> Self {
        let logs = Arc::<Mutex<BTreeMap<IpAddr, String>>>::default();
        let commands = Arc::new(commands);
        let acceptor = |port: &u16| {
            let (kept, commands) = (Arc::clone(&logs), Arc::clone(&commands));
            let any = SocketAddr::from(([0, 0, 0, 0], *port));
            Acceptor::start(netns, any, move |stream| {
                let addr = stream.local_addr()?.ip();
                let Some(command) = commands.get(&addr) else { return Ok(()) };
                let log = serve(stream, command)?;
                kept.lock().expect("no panic while locked").entry(addr).or_default().push_str(&log);
                Ok(())
            })
        };
        let acceptors = ports.iter().map(acceptor).collect();
        Self { logs, _acceptors: acceptors }
    }

    /// What the finished processes at this address wrote to their standard error.
    pub(crate) fn log(&self, addr: IpAddr) -> String {
        self.logs.lock().expect("no panic while locked").get(&addr).cloned().unwrap_or_default()
    }
}

/// Runs one process on the connection; returns what it wrote to standard error.
fn serve(stream: TcpStream, command_line: &[String]) -> io::Result<String> {
    let input = OwnedFd::from(stream.try_clone()?);
    // Like the lab's other servers, behind the scripted ones and before the rest of the machine.
    let mut command = std::process::Command::new("nice");
    command.args(["-n", "5"]).args(command_line);
    command.stdin(Stdio::from(input)).stdout(Stdio::from(OwnedFd::from(stream))).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // The command holds our two copies of the connection: the client is to see the end when the server is gone.
    drop(command);
    let mut log = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut log)?;
    }
    child.wait()?;
    Ok(log)
}
