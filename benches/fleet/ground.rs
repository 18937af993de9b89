//! Two namespaces: the prober's, and the fleet's, which owns a whole network by AnyIP.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;

use crate::netns::{Netns, shell, sweep_leftovers};
use crate::responder::respond;

/// The mode in which this program serves the fleet.
pub(crate) const RESPONDER: &str = "--responder";

/// The network that answers, and its first address.
const NETWORK: &str = "10.8.0.0/16";
pub(crate) const FIRST: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 0);

/// A network that nothing answers from: what is sent there is dropped.
pub(crate) const DEAD: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 0);

/// What is swept, as many addresses each: those that the responder's port listens on, and those that nothing is heard of, as the
/// far end drops packets to them before it looks at them.
pub(crate) const SWEPT_BITS: u32 = 18;
pub(crate) const SWEPT: Ipv4Addr = Ipv4Addr::new(10, 16, 0, 0);
pub(crate) const SILENT: Ipv4Addr = Ipv4Addr::new(10, 24, 0, 0);

/// Where the responder and the real OpenSSH listen, on every address.
pub(crate) const PORT: u16 = 22;
pub(crate) const OPENSSH_PORT: u16 = 2222;
/// Where the responder falls silent once keys are exchanged.
pub(crate) const MUTE_PORT: u16 = 2223;

/// The prober's way out, and the link-layer address at its other end: scanners that make their own frames want to be told.
pub(crate) const DEVICE: &str = "fleet0";
pub(crate) const GATEWAY: &str = "02:00:00:00:00:02";

/// The fleet, until it is dropped.
pub(crate) struct Ground {
    servers: Vec<Child>,
    /// Whether a real OpenSSH listens too.
    pub(crate) openssh: bool,
    pub(crate) prober: Netns,
    pub(crate) fleet: Netns,
    pub(crate) dir: TempDir,
}

impl Ground {
    /// Builds it, and waits until it answers.
    pub(crate) fn build() -> Self {
        sweep_leftovers();
        let (prober, fleet) = (Netns::new("bench-prober"), Netns::new("bench-fleet"));
        prober.link(DEVICE, &["192.0.2.1/24"], &fleet, "prober0", &["192.0.2.2/24"]);
        fleet.ip(&format!("link set dev prober0 address {GATEWAY}"));
        prober.ip(&format!("neigh replace 192.0.2.2 lladdr {GATEWAY} dev {DEVICE} nud permanent"));
        prober.ip("route add default via 192.0.2.2");
        fleet.ip(&format!("route add local {NETWORK} dev lo"));
        fleet.ip(&format!("route add blackhole {DEAD}/16"));
        let bits = 32 - SWEPT_BITS;
        fleet.ip(&format!("route add local {SWEPT}/{bits} dev lo"));
        fleet.nft(&format!(
            "table netdev fleet {{\n chain ingress {{\n type filter hook ingress device prober0 priority 0\n \
             ip daddr {SILENT}/{bits} drop\n }}\n}}\n"
        ));
        // A scanner's burst is to find room in the queue of connections nobody has accepted yet.
        fleet.sysctl("net/core/somaxconn", "65535");
        fleet.sysctl("net/ipv4/tcp_max_syn_backlog", "65535");
        let dir = tempfile::tempdir().expect("a temporary directory");
        keep_awake(&fleet);
        let mut ground = Self { servers: Vec::new(), openssh: false, prober, fleet, dir };
        ground.start_responder();
        ground.openssh = Path::new("/usr/sbin/sshd").exists();
        if ground.openssh {
            ground.start_openssh();
        }
        ground
    }

    fn start_responder(&mut self) {
        let mut command = self.fleet.command(std::env::current_exe().expect("this program"));
        // The other end of its standard input is ours: it ends when the bench does.
        command.arg(RESPONDER).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the responder");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line when it listens");
        assert!(!line.is_empty(), "the responder did not come up");
        self.servers.push(child);
    }

    /// Debian's configuration without PAM, one key, and room for many at once.
    fn start_openssh(&mut self) {
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
        let path = |name: &str| self.dir.path().join(name).to_str().expect("printable").to_owned();
        let (key, config) = (path("key"), path("sshd_config"));
        shell("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
        let lines = format!(
            "Port {OPENSSH_PORT}\nListenAddress 0.0.0.0\nHostKey {key}\nPidFile none\nUsePAM no\nStrictModes no\n\
             MaxStartups 1000:30:2000\n"
        );
        fs::write(&config, lines).expect("writing sshd_config");
        let mut command: Command = self.fleet.command("/usr/sbin/sshd");
        command.args(["-D", "-f", &config]).stdout(Stdio::null()).stderr(Stdio::null());
        self.servers.push(command.spawn().expect("sshd"));
        let listens = || self.prober.enter(|| TcpStream::connect((host(1), OPENSSH_PORT)).is_ok());
        let waited = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            listens()
        });
        assert!(waited, "sshd did not come up");
    }
}

/// masscan waits for a packet before it sees that its time is over, and these namespaces are quiet otherwise: without a datagram
/// now and then it never ends.
fn keep_awake(fleet: &Netns) {
    fleet.spawn(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        // Ends with the program.
        loop {
            let _ = socket.send_to(b"awake", "192.0.2.1:9");
            thread::sleep(Duration::from_millis(200));
        }
    });
}

impl Drop for Ground {
    fn drop(&mut self) {
        for child in &mut self.servers {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One address of the fleet.
pub(crate) fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(FIRST) + number)
}

/// The responder's process: one healthy host behind every address, with the lists of OpenSSH 9.2, so that all programs
/// agree on the same exchange. The post-quantum one is left out: ssh-keyscan would choose it, and spend 50 ms of CPU a host.
pub(crate) fn responder() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (healthy, mute) = (listen(PORT), listen(MUTE_PORT));
        println!("listening");
        respond("", healthy, mute).await;
    });
}

fn listen(port: u16) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("SO_REUSEADDR");
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into()).expect("the port");
    socket.listen(65_535).expect("listening")
}
