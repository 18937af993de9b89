//! Ways to a target other than plain TCP, over loopback: programs and proxies.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;

use crate::support::guard::tools;
use crate::support::loopback::Loopback;
use crate::support::run::{parse, told};

const NC: (&str, &str) = ("nc", "netcat-openbsd");

/// What a run through a way left: its only record, and its standard error.
fn probe(args: &[&str], target: &str) -> (Value, String) {
    let (mut records, stderr) = sweep(args, &[target]);
    assert_eq!(records.len(), 1, "{stderr}");
    (records.remove(0), stderr)
}

fn sweep(args: &[&str], targets: &[&str]) -> (Vec<Value>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["--format", "jsonl", "-l", "probe", "--known-hosts", "none", "--timeout", "10s", "--retries", "0"]);
    command.args(args).arg("--").args(targets).stdin(Stdio::null());
    let output = command.output().expect("the program");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (parse(&output.stdout, &stderr), stderr)
}

fn outcome(record: &Value) -> (&str, Option<&str>, &str) {
    (record["code"].as_str().unwrap(), record["arg"].as_str(), record["stage"].as_str().unwrap())
}

/// Processes of this machine that have `mark` in their command line.
fn running(mark: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    // Arguments end in NUL.
    lines.filter(|line| String::from_utf8_lossy(line).replace('\0', " ").contains(mark)).count()
}

#[test]
fn a_program_carries_the_whole_probe() {
    if !tools(&[NC, ("socat", "socat")]) {
        return;
    }
    let net = Loopback::new();
    let server = net.server(Script::healthy(&[7; 32]));
    let port = server.port().to_string();
    let (direct, _) = probe(&[], &server.to_string());
    for command in ["nc %h %p", "socat - TCP:%h:%p"] {
        let (record, stderr) = probe(&["--proxy-command", command], &server.to_string());
        assert_eq!(outcome(&record), ("ok", None, "auth"), "{command}: {record} {stderr}");
        assert_eq!(record["target"]["via"], "proxy-command");
        assert_eq!(record["tunnel"]["kind"], "proxy-command");
        for field in ["ident", "negotiated", "host_keys", "auth", "ext_info", "findings"] {
            assert_eq!(record[field], direct[field], "{command}: {field}");
        }
    }
    // A name that only the program understands: nobody here is asked for it, and no network that is left out has it.
    let command = format!("nc 127.0.0.1 {port}");
    let (record, _) =
        probe(&["--proxy-command", &command, "--resolver", "127.0.0.1:1", "--exclude", "::/0"], "inside.example:2222");
    assert_eq!(outcome(&record), ("ok", None, "auth"), "{record}");
    assert_eq!(record["target"]["host"], "inside.example");
    assert!(record["target"]["addr"].is_null() && record["tried"][0]["addr"].is_null(), "{record}");
    assert!(record["timing_us"]["resolve"].is_null() && record["timing_us"]["tunnel"].is_u64(), "{record}");
}

/// As for ssh, whose `%n` is what was typed.
#[test]
fn a_program_is_told_what_its_host_was_called() {
    let dir = TempDir::new().expect("a folder");
    let file = dir.path().join("called").display().to_string();
    let command = format!("sh -c 'echo %n %h >> {file}'");
    for (target, told) in [
        ("fe80::1%lo", "fe80::1%lo fe80::1%lo"),
        ("ann@[FE80::1%lo]:22", "FE80::1%lo fe80::1%lo"),
        ("[2001:DB8::0:1]", "2001:DB8::0:1 2001:db8::1"),
        ("Web1.Example", "Web1.Example web1.example"),
        ("ssh://ann@Web1.Example:22", "Web1.Example web1.example"),
        ("10.0.0.8/31", "10.0.0.8 10.0.0.8\n10.0.0.9 10.0.0.9"),
    ] {
        for config in ["none", "/dev/null"] {
            let _ = fs::remove_file(&file);
            let (records, stderr) = sweep(&["-F", config, "--proxy-command", &command], &[target]);
            assert!(!records.is_empty(), "{stderr}");
            let mut lines: Vec<_> = fs::read_to_string(&file).expect(target).lines().map(str::to_owned).collect();
            lines.sort_unstable();
            assert_eq!(lines.join("\n"), told, "{target} {config} {records:?} {stderr}");
        }
    }
}

#[test]
fn a_program_leads_to_keys_too() {
    if !tools(&[NC]) {
        return;
    }
    let net = Loopback::new();
    let server = net.server(Script::healthy(&[7; 32]));
    let keys = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
        told(&command.args(["keys", "--quiet"]).args(args).stdin(Stdio::null()).output().expect("the program"))
    };
    let (_, direct, _) = keys(&[&server.to_string()]);
    let (_, key) = direct.split_once(' ').expect("a line");
    let command = format!("nc {} {}", server.ip(), server.port());
    let through = keys(&["--proxy-command", &command, "inside.example"]);
    assert_eq!(through, (Some(0), format!("inside.example {key}"), String::new()));
    let (code, lines, stderr) = keys(&["--proxy-command", "sh -c 'exit 3'", "inside.example"]);
    assert_eq!((code, lines.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("sshprobe: error: inside.example: proxy-command-failed (3): "), "{stderr}");
}

#[test]
fn the_words_of_a_program_say_why_it_failed() {
    let gcloud = "sh -c 'echo \"ERROR: (gcloud.compute.start-iap-tunnel) Error while connecting [4003: \\'\\''failed to connect to backend\\'\\'']. (Failed to connect to port 22)\" >&2'";
    let rows: &[(&str, &str, Option<&str>)] = &[
        (gcloud, "iap-backend-unreachable", Some("4003")),
        ("sh -c 'exit 3'", "proxy-command-failed", Some("3")),
        ("no-such-program-at-all %h", "proxy-command-failed", None),
        ("nc -v 127.0.0.1 1", "proxy-command-failed", None),
        // Whoever ends well and without a word tells nothing: the stream just ended.
        ("true", "closed-no-ident", None),
        ("sh -c 'echo \"Connection to inside succeeded!\" >&2'", "closed-no-ident", None),
        ("sh -c 'kill -9 $$'", "proxy-command-failed", Some("137")),
    ];
    for (command, code, arg) in rows {
        let (record, stderr) = probe(&["--proxy-command", command], "inside.example");
        assert_eq!(record["code"], *code, "{command}: {record} {stderr}");
        if let Some(arg) = arg {
            assert_eq!(record["arg"], *arg, "{command}: {record}");
        }
        let open = *code == "closed-no-ident";
        // ssh says `Connection closed by remote host` of `true`, as of netcat when a server hangs up: nobody can tell them apart.
        let detail = record["detail"].as_str().unwrap();
        assert_eq!(
            open,
            detail.contains("the server closed the connection, or the command never reached it"),
            "{detail}"
        );
        assert_eq!(open, record["confidence"] == "low", "{record}");
        let connections = u64::from(open);
        assert!(record["connections"].as_u64().unwrap() >= connections, "{record}");
    }
}

#[test]
fn no_program_outlives_its_probe() {
    let marks = ["sleep 4242.1", "sleep 4242.2", "sleep 4242.3"];
    let hangs = "sleep 4242.1";
    let (record, _) = probe(&["--proxy-command", hangs, "--timeout", "4s"], "inside.example");
    // Whether it is connected nobody knows.
    assert_eq!(outcome(&record), ("proxy-command-failed", Some("silent"), "tunnel"), "{record}");
    let forks = "sh -c 'sleep 4242.2 & exit 1'";
    let (record, _) = probe(&["--proxy-command", forks, "--timeout", "4s"], "inside.example");
    assert_eq!(record["status"], "tunnel-failure", "{record}");
    // One that floods its standard error is neither blocked nor remembered whole.
    let floods = "sh -c 'sleep 4242.3 & head -c 50000000 /dev/zero | tr \"\\0\" x >&2; exit 1'";
    let (record, _) = probe(&["--proxy-command", floods], "inside.example");
    assert_eq!(record["code"], "proxy-command-failed", "{record}");
    assert!(record["tunnel"]["reason"].as_str().unwrap().len() <= 4096);
    for mark in marks {
        assert_eq!(running(mark), 0, "{mark}");
    }
}

/// Killed without a chance to clean up, nothing of it stays behind either: a program that never reads would.
#[test]
fn no_program_outlives_a_run_that_is_killed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["--proxy-command", "sleep 4242.4", "--timeout=60s", "--user=root", "inside.example"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
    let becomes = |count: usize| {
        for _ in 0..500 {
            if running("sleep 4242.4") == count {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    };
    // The run itself has it in its command line, and the program.
    assert!(becomes(2), "it was started");
    child.kill().and_then(|()| child.wait()).expect("killed");
    assert!(becomes(0), "it has ended");
}

#[test]
fn few_programs_run_at_a_time_and_all_targets_have_their_record() {
    let net = Loopback::new();
    let server = net.server(Script::healthy(&[7; 32]));
    let log = tempfile::NamedTempFile::new().expect("a file");
    // Each notes how many of its kind there are as it starts.
    let nc = format!("nc 127.0.0.1 {}", server.port());
    let command = format!("sh -c 'pgrep -fc \"^{nc}\" >> {}; exec {nc}'", log.path().display());
    if !tools(&[NC, ("pgrep", "procps")]) {
        return;
    }
    let names: Vec<String> = (0..20).map(|number| format!("host{number}.example")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let args = ["--proxy-command", &command, "--proxy-command-max", "3", "--rate", "0"];
    let (records, stderr) = sweep(&args, &targets);
    assert_eq!(records.len(), 20, "{stderr}");
    assert!(records.iter().all(|record| record["code"] == "ok"), "{records:?}");
    let most = fs::read_to_string(log.path()).expect("the log");
    let most = most.lines().filter_map(|line| line.parse::<usize>().ok()).max().expect("a line");
    assert!(most < 3, "{most} beside a new one");
}

/// Descriptors of a process, and its children: their process ids and states.
fn holdings(process: &Child) -> (usize, Vec<String>) {
    let proc = format!("/proc/{}", process.id());
    let open = fs::read_dir(format!("{proc}/fd")).expect("our own child").count();
    let tasks = fs::read_dir(format!("{proc}/task")).expect("our own child").flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> =
        children.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    (open, children)
}

/// Programs that end, hang, flood and leave children behind, again and again, in one process that goes on.
#[test]
fn no_zombie_and_no_descriptor_is_left_of_programs() {
    let command = "sh -c 'case %h in \
        end*) exit 3;; \
        hang*) exec sleep 600;; \
        flood*) exec yes >&2;; \
        fork*) sleep 600 & exit 0;; \
        gone*) exec 0<&- 1>&- 2>&-; sleep 600;; \
        esac'";
    let mut sshprobe = Command::new(env!("CARGO_BIN_EXE_sshprobe"))
        .args(["-F", "none", "-q", "--format", "jsonl", "--known-hosts", "none", "--retries", "0", "--rate", "0"])
        .args([
            "--timeout",
            "1s",
            "--connect-timeout",
            "1s",
            "--proxy-command-max",
            "16",
            "--proxy-command",
            command,
            "-f",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut targets = sshprobe.stdin.take().expect("a pipe");
    let mut records = BufReader::new(sshprobe.stdout.take().expect("a pipe")).lines();
    let mut seen = Vec::new();
    for round in 0..4 {
        for kind in ["end", "hang", "flood", "fork", "gone"] {
            for host in 0..4 {
                writeln!(targets, "{kind}-{round}-{host}.example").expect("it reads");
            }
        }
        targets.flush().expect("it reads");
        for _ in 0..20 {
            let record: Value = serde_json::from_str(&records.next().expect("a record").expect("UTF-8")).expect("JSON");
            assert_ne!(record["code"], "internal", "{record}");
        }
        // All have their records, and the program waits for more.
        let limit = Instant::now() + Duration::from_secs(30);
        let held = loop {
            let (open, children) = holdings(&sshprobe);
            if children.is_empty() || Instant::now() > limit {
                assert!(children.is_empty(), "children left: {children:?}");
                break open;
            }
            thread::yield_now();
        };
        seen.push(held);
    }
    // One may be on its way out, as the last record is written before all is closed: a leak would be at least one a round.
    assert!(seen.iter().skip(1).all(|held| *held <= seen[0] + 1), "descriptors after each round: {seen:?}");
    drop(targets);
    sshprobe.wait().expect("our own child");
}

#[test]
fn what_a_shell_would_obey_is_refused_and_nothing_runs() {
    let dir = TempDir::new().expect("a folder");
    let touched = dir.path().join("touched");
    let user = format!("$(touch {})", touched.display());
    let (record, _) = probe(&["--proxy-command", "echo %r", "-l", &user], "inside.example");
    assert_eq!(outcome(&record), ("proxy-command-failed", None, "tunnel"), "{record}");
    assert!(record["detail"].as_str().unwrap().contains("refused as the user"), "{record}");
    assert!(!touched.exists());
    let output = Command::new(env!("CARGO_BIN_EXE_sshprobe")).args(["--proxy-command", "nc %q", "h"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("--proxy-command: %q is no token"), "{stderr}");
}

/// A proxy of Debian's that runs until dropped.
pub(crate) struct Proxy(Child);

impl Proxy {
    pub(crate) fn start(mut command: Command, addr: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a proxy");
        let proxy = Self(child);
        let give_up = Instant::now() + Duration::from_secs(20);
        // It does not tell when it listens.
        while TcpStream::connect(addr).is_err() {
            assert!(Instant::now() < give_up, "{command:?} does not listen on {addr}");
            thread::sleep(Duration::from_millis(10));
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address nobody has yet.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

#[test]
fn socks_proxies_lead_to_the_target_or_say_why_not() {
    if !tools(&[("microsocks", "microsocks")]) {
        return;
    }
    let net = Loopback::new();
    let (server, nobody) = (net.server(Script::healthy(&[7; 32])), free());
    let addr = free();
    let microsocks = |extra: &[&str], addr: SocketAddr| {
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &addr.port().to_string()]).args(extra);
        Proxy::start(command, addr)
    };
    let _open = microsocks(&[], addr);
    let (direct, _) = probe(&[], &server.to_string());
    for scheme in ["socks5", "socks5h"] {
        let (record, stderr) = probe(&["--proxy", &format!("{scheme}://{addr}")], &server.to_string());
        assert_eq!(outcome(&record), ("ok", None, "auth"), "{scheme}: {record} {stderr}");
        assert_eq!((&record["target"]["via"], &record["host_keys"]), (&Value::from("socks5"), &direct["host_keys"]));
        assert!(record["tunnel"]["timing_us"]["proxy"].is_u64(), "{record}");
    }
    // A name for the proxy to resolve: nobody here is asked.
    let (record, _) = probe(
        &["--proxy", &format!("socks5h://{addr}"), "--resolver", "127.0.0.1:1"],
        &format!("localhost:{}", server.port()),
    );
    assert_eq!(outcome(&record), ("ok", None, "auth"), "{record}");
    let (record, _) = probe(&["--proxy", &format!("socks5://{addr}")], &nobody.to_string());
    assert_eq!(outcome(&record), ("proxy-refused", Some("5"), "tunnel"), "{record}");
    assert_eq!((&record["connections"], &record["status"]), (&Value::from(0), &Value::from("tunnel-failure")));
    let (record, _) = probe(&["--proxy", &format!("socks5://{nobody}")], &server.to_string());
    assert_eq!(outcome(&record), ("proxy-unreachable", Some("connect"), "tunnel"), "{record}");
    // Another server than a proxy.
    let (record, _) = probe(&["--proxy", &format!("socks5://{server}")], &server.to_string());
    assert_eq!(outcome(&record), ("proxy-unreachable", Some("not-a-proxy"), "tunnel"), "{record}");

    let guarded = free();
    let _guarded = microsocks(&["-u", "ann", "-P", "s3cret-of-ann"], guarded);
    let ask = |user: Option<(&str, &str)>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
        command.args(["--format", "jsonl", "-vv", "-l", "probe", "--proxy", &format!("socks5://{guarded}")]);
        command.arg(server.to_string());
        if let Some((user, password)) = user {
            command.env("SSHPROBE_PROXY_USER", user).env("SSHPROBE_PROXY_PASSWORD", password);
        }
        let output = command.output().expect("the program");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!stderr.contains("s3cret") && !stdout.contains("s3cret"), "{stdout}{stderr}");
        parse(&output.stdout, &stderr).remove(0)
    };
    assert_eq!(outcome(&ask(Some(("ann", "s3cret-of-ann")))), ("ok", None, "auth"));
    assert_eq!(outcome(&ask(Some(("ann", "s3cret-of-bob")))), ("proxy-auth", Some("credentials"), "tunnel"));
    assert_eq!(outcome(&ask(None)), ("proxy-auth", Some("no-method"), "tunnel"));
}

#[test]
fn http_proxies_lead_to_the_target_or_say_why_not() {
    if !tools(&[("tinyproxy", "tinyproxy-bin")]) {
        return;
    }
    let net = Loopback::new();
    let (server, other) = (net.server(Script::healthy(&[7; 32])), net.server(Script::healthy(&[9; 32])));
    let nobody = free();
    let dir = TempDir::new().expect("a folder");
    let tinyproxy = |name: &str, extra: &str| {
        let addr = free();
        let config = dir.path().join(name);
        let lines = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nAllow 127.0.0.1\nConnectPort {}\nConnectPort {}\n{extra}\n",
            addr.port(),
            server.port(),
            nobody.port()
        );
        fs::write(&config, lines).expect("written");
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        (Proxy::start(command, addr), addr)
    };
    let (_open, addr) = tinyproxy("open", "");
    let through =
        |addr: SocketAddr, target: SocketAddr| probe(&["--proxy", &format!("http://{addr}")], &target.to_string()).0;
    let record = through(addr, server);
    assert_eq!(outcome(&record), ("ok", None, "auth"), "{record}");
    assert_eq!((&record["target"]["via"], &record["tunnel"]["kind"]), (&"http-connect".into(), &"http-connect".into()));
    assert_eq!(outcome(&through(addr, other)), ("proxy-refused", Some("403"), "tunnel"), "not one of its ports");
    let record = through(addr, nobody);
    assert_eq!((&record["code"], &record["stage"]), (&"proxy-refused".into(), &"tunnel".into()), "{record}");
    let (_guarded, guarded) = tinyproxy("guarded", "BasicAuth ann s3cret");
    let record = through(guarded, server);
    assert_eq!(outcome(&record), ("proxy-auth", Some("407"), "tunnel"), "{record}");
}

#[test]
fn a_way_that_makes_no_sense_is_refused_in_one_line() {
    for (args, why) in [
        (&["--proxy", "ftp://p", "h"][..], "unknown scheme"),
        (&["--proxy", "socks5://ann:s3cret@p", "h"], "SSHPROBE_PROXY_PASSWORD"),
        (&["--proxy", "http://p", "--proxy-command", "nc %h %p", "h"], "--proxy"),
        (&["--proxy-command", "", "h"], "empty"),
        (&["--proxy-command-max", "0", "--proxy-command", "nc %h %p", "h"], "at least 1"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sshprobe")).args(args).output().expect("the program");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(
            stderr.lines().count() == 1 && stderr.contains(why) && !stderr.contains("s3cret"),
            "{args:?}: {stderr}"
        );
    }
}
