//! Whole runs of the program against servers on loopback: outputs, exit codes, interruptions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use sshprobe::demo::serve;
use sshprobe_probes::responder::{Script, Step};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::run::{done as run, here as sshprobe, records, text};

/// Servers on loopback for as long as it lives.
struct Loopback {
    runtime: Runtime,
}

impl Loopback {
    fn new() -> Self {
        Self { runtime: Runtime::new().expect("a runtime") }
    }

    fn server(&self, script: Script) -> SocketAddr {
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        self.runtime.spawn(serve(listener, Arc::new(script)));
        addr
    }

    fn healthy(&self) -> SocketAddr {
        self.server(Script::healthy(&[7; 32]))
    }
}

/// A port of all of 127.0.0.0/8 where nobody listens while it lives: it is bound on one address, and not listened on.
struct Nobody(nix::sys::socket::SockaddrIn, #[allow(dead_code)] std::os::fd::OwnedFd);

impl Nobody {
    fn new() -> Self {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
        use std::os::fd::AsRawFd;
        let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 0)).expect("bound");
        Self(getsockname(fd.as_raw_fd()).expect("a name"), fd)
    }

    fn port(&self) -> u16 {
        self.0.port()
    }
}

fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
}

/// Standard output of a run, and the first line of it: it is under way.
fn begun(child: &mut Child) -> (BufReader<ChildStdout>, String) {
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    out.read_line(&mut text).expect("a line");
    (out, text)
}

/// Whose records these are, in the order of the targets.
fn indices(lines: &[u8]) -> Vec<u64> {
    let mut indices: Vec<u64> =
        records(lines).iter().map(|record| record["target"]["index"].as_u64().expect("a number")).collect();
    indices.sort_unstable();
    indices
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("no exit code: {}", text(&output.stderr)))
}

#[test]
fn a_healthy_host_is_told_on_standard_output_and_counted_on_standard_error() {
    let loopback = Loopback::new();
    let target = loopback.healthy().to_string();
    let output = run(&[&target]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(code(&output), 0, "{stdout}{stderr}");
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    let row = stdout.lines().last().unwrap_or_default();
    for word in ["ok ", &target, "OpenSSH_", "ed25519 SHA256:", "publickey,password"] {
        assert!(row.contains(word), "{word} is not in {row}");
    }
    assert!(stderr.starts_with("1 target in ") && stderr.contains(", 1 connection\n"), "{stderr}");
    assert!(stderr.contains("  ok                          1\n") && stderr.contains("p99"), "{stderr}");

    let quiet = run(&["-q", &target]);
    assert_eq!((code(&quiet), text(&quiet.stderr).as_str()), (0, ""));
}

#[test]
fn a_list_is_probed_in_its_order() {
    // Who comes first is seen by who is called: records are written by whoever is done first, on several threads.
    let listener = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).expect("a socket");
    listener.bind_device(Some(b"lo")).expect("loopback alone");
    listener.bind(&SocketAddr::from(([0; 4], 0)).into()).expect("a port");
    listener.listen(64).expect("listens");
    let port = listener.local_addr().expect("an address").as_socket().expect("of IPv4").port();
    let targets: Vec<String> = (1..=9).map(|host| format!("127.0.0.{host}:{port}")).collect();
    let mut args = vec!["--depth", "connect", "-c", "1", "--order", "given", "--rate", "0"];
    args.extend(targets.iter().map(String::as_str));
    let output = run(&args);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let called = std::iter::from_fn(|| listener.accept().ok())
        .map(|(call, _)| call.local_addr().expect("an address").as_socket().expect("of IPv4").to_string());
    assert_eq!(called.collect::<Vec<_>>(), targets, "one at a time");
}

#[test]
fn json_lines_go_where_they_were_asked_for() {
    let loopback = Loopback::new();
    let (one, two) = (loopback.healthy().to_string(), loopback.healthy().to_string());
    let output = run(&["--format", "jsonl", &one, &two]);
    assert_eq!((code(&output), indices(&output.stdout)), (0, vec![0, 1]));

    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.jsonl");
    std::fs::write(&file, "what was there before\n".repeat(10_000)).expect("written");
    let output = run(&["-o", &file.display().to_string(), &one, &two]);
    assert_eq!(text(&output.stdout).lines().count(), 3, "the terminal keeps the table");
    assert_eq!(records(&std::fs::read(&file).expect("read")).len(), 2);

    let file = home.path().join("out.txt");
    let output = run(&["--format", "jsonl", "-o", &file.display().to_string(), &one]);
    assert_eq!(records(&output.stdout).len(), 1);
    assert!(std::fs::read_to_string(&file).expect("read").starts_with("STATUS "));
}

#[test]
fn the_depth_asked_for_is_the_depth_reached() {
    let loopback = Loopback::new();
    let target = loopback.healthy().to_string();
    for (depth, has, has_not) in [
        ("connect", "net", "ident"),
        ("ident", "ident", "kexinit"),
        ("kexinit", "kexinit", "host_keys"),
        ("kex", "host_keys", "auth"),
        ("auth", "auth", "disconnect"),
    ] {
        let output = run(&["--format=jsonl", "-q", "--depth", depth, "-l", "alice", &target]);
        let records = records(&output.stdout);
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((record["code"].as_str(), record["stage"].as_str()), (Some("ok"), Some(depth)));
        assert!(record.get(has).is_some() && record.get(has_not).is_none(), "{depth}: {record}");
        if depth == "auth" {
            assert_eq!(record["auth"]["user"], "alice");
        }
    }
}

#[test]
fn exit_codes_tell_named_targets_from_empty_addresses_of_ranges() {
    let nobody = Nobody::new();
    let port = nobody.port();
    let (named, range) = (format!("127.0.9.1:{port}"), format!("127.0.9.0/29:{port}"));
    for (args, exit, rows) in [
        (&[named.as_str()][..], 1, 2),
        (&[range.as_str()], 0, 0),
        (&[range.as_str(), "--show", "all"], 0, 9),
        (&[range.as_str(), "--format=jsonl"], 0, 8),
        (&[range.as_str(), "--format=jsonl", "--records=answered"], 0, 0),
        (&[range.as_str(), &named, "--format=jsonl", "--records=answered"], 1, 1),
        (&[range.as_str(), "--fail-on", "any"], 1, 0),
        (&[range.as_str(), "--fail-on", "refused,timeout"], 1, 0),
        (&[range.as_str(), "--fail-on", "timeout"], 0, 0),
        (&[named.as_str(), "--fail-on", "none"], 0, 2),
    ] {
        let output = run(args);
        assert_eq!(
            (code(&output), text(&output.stdout).lines().count()),
            (exit, rows),
            "{args:?} {}",
            text(&output.stderr)
        );
        assert!(text(&output.stderr).contains("  refused "), "the summary counts them all");
    }
}

/// A name server on loopback that answers SERVFAIL to everything, once for each query, until the test ends.
fn broken_name_server() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let addr = socket.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut message) {
            // QR, RD and RA set, RCODE 2 (RFC 1035 section 4.1.1).
            message[2..4].copy_from_slice(&[0x81, 0x82]);
            let _ = socket.send_to(&message[..len], from);
        }
    });
    addr
}

#[test]
fn a_name_that_cannot_be_resolved_is_a_record() {
    let resolver = broken_name_server().to_string();
    let output = run(&["--resolver", &resolver, "--format=jsonl", "--", "demo"]);
    let records = records(&output.stdout);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record["target"]["host"].as_str(), record["code"].as_str()), (Some("demo"), Some("dns-servfail")));
    assert_eq!(code(&output), 1);
}

/// Excluded is excluded, by whatever name: `localhost` is known without any name server.
#[test]
fn a_name_of_an_excluded_address_is_not_probed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("localhost:{}", listener.local_addr().expect("an address").port());
    let output = run(&["-4", "--exclude", "127.0.0.0/8", "--format=jsonl", &target]);
    let records = records(&output.stdout);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record["code"].as_str(), record["connections"].as_u64()), (Some("local-policy"), Some(0)));
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err());
}

#[test]
fn a_bad_line_on_stdin_is_told_and_the_rest_goes_on() {
    let loopback = Loopback::new();
    let target = loopback.healthy();
    let mut child = piped(sshprobe(&["-f", "-", "--format=jsonl", "-q"]));
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    // The first record comes while stdin is still open.
    writeln!(stdin, "{target}").expect("written");
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    assert_eq!(serde_json::from_str::<Value>(&first).expect("JSON")["status"], "ok");
    writeln!(stdin, "host:0\n127.0.0.1:{}", loopback.healthy().port()).expect("written");
    drop(stdin);
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).expect("read");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(records(&rest).len(), 1);
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("sshprobe: error: stdin line 2: ") && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(code(&output), 2);
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let nobody = Nobody::new();
    // Slow enough that the run cannot be over before its reader is gone.
    let range = format!("127.0.0.0/16:{}", nobody.port());
    let mut child = piped(sshprobe(&["--format=jsonl", "--rate=500", &range]));
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    drop(out);
    let output = child.wait_with_output().expect("ends");
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&first).expect("JSON")["status"], "refused");
}

#[test]
fn a_reader_that_leaves_does_not_end_a_run_with_a_file() {
    let nobody = Nobody::new();
    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.jsonl");
    let range = format!("127.0.0.0/23:{}", nobody.port());
    let mut child = piped(sshprobe(&["--format=jsonl", "-o", &file.display().to_string(), &range]));
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(records(&std::fs::read(&file).expect("read")).len(), 512);
    assert!(text(&output.stderr).starts_with("512 targets in "));
}

/// Standard output's reader leaves in the midst of it, and standard error's is gone from the start: the file gets all the same.
#[test]
fn readers_that_leave_in_the_middle_take_no_record_from_the_file() {
    let nobody = Nobody::new();
    let home = TempDir::new().expect("a folder");
    let range = format!("127.0.0.0/22:{}", nobody.port());
    for name in ["out.jsonl", "out.jsonl.zst"] {
        let file = home.path().join(name);
        let path = file.display().to_string();
        let args = ["--format=jsonl", "--show=all", "-vv", "--progress=always", "--rate=2000", "-o", &path, &range];
        let mut child = piped(sshprobe(&args));
        drop(child.stderr.take());
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut String::new()).expect("a line");
        drop(out);
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{name}");
        let mut written = std::fs::read(&file).expect("read");
        if name.ends_with("zst") {
            written = zstd::decode_all(&*written).expect("whole frames");
        }
        assert_eq!(indices(&written), (0..1024).collect::<Vec<_>>(), "{name}");
        assert!(!home.path().join(format!("{name}.state")).exists(), "{name}: it is finished");
    }
}

/// A reader that reads nothing holds the file up too, and when it is gone the file gets what was held up.
#[test]
fn a_reader_that_stalls_and_then_leaves_takes_no_record_from_the_file() {
    let nobody = Nobody::new();
    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.jsonl");
    let range = format!("127.0.0.0/20:{}", nobody.port());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = sshprobe(&["--format=jsonl", "--rate=0", "-q", "-o", &file.display().to_string(), &range]);
    let mut child = command.stdout(writer.try_clone().expect("its end")).spawn().expect("starts");
    // As long as there is room in it somebody may write to it.
    while poll(&mut [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO).expect("polled") > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.try_wait().expect("waited").is_none(), "it ended though nobody read its records");
    drop(reader);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    assert_eq!(indices(&std::fs::read(&file).expect("read")), (0..4096).collect::<Vec<_>>());
}

/// The signal itself, as a shell's job control or a careless script may send it: a pipe that is gone is told by its error alone.
#[test]
fn sigpipe_that_somebody_sends_changes_nothing() {
    let nobody = Nobody::new();
    let range = format!("127.0.0.0/24:{}", nobody.port());
    let mut child = piped(sshprobe(&["--format=jsonl", "--rate=500", &range]));
    let (mut out, mut text) = begun(&mut child);
    for _ in 0..3 {
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGPIPE).expect("sent");
        out.read_line(&mut text).expect("a line");
    }
    out.read_to_string(&mut text).expect("read");
    let output = child.wait_with_output().expect("ends");
    assert_eq!((code(&output), records(text.as_bytes()).len()), (0, 256));
}

/// Whatever is shown, and whoever leaves before it is: no panic (exit code 101), and no failure that is not one of its own.
#[test]
fn nothing_minds_that_nobody_reads() {
    let nobody = Nobody::new();
    let refused = format!("127.0.9.1:{}", nobody.port());
    let range = format!("127.0.9.0/28:{}", nobody.port());
    for (args, exit) in [
        (&["--help"][..], 0),
        (&["-h"], 0),
        (&["--version"], 0),
        (&["man"], 0),
        (&["completions", "bash"], 0),
        (&["explain"], 0),
        (&["explain", "timeout-connect"], 0),
        (&["demo"], 0),
        (&["keys", &range], 0),
        (&["--plan", &range], 0),
        (&["--plan", "-f", "-"], 2),
        (&["-f", "-"], 2),
        (&["--no-such-option"], 2),
        (&[&range], 0),
        (&["-vv", "--progress=always", &range], 0),
        (&["--format=csv", &range], 0),
        // Its reader is gone before it is known.
        (&["--format=jsonl", &refused], 1),
    ] {
        let mut child = piped(sshprobe(args));
        // Gone before the program can have got to its first line, as nothing comes in before that.
        drop((child.stdout.take(), child.stderr.take()));
        child.stdin.take().expect("a pipe").write_all(b"host:0\n").or_else(left).expect("written");
        assert_eq!(child.wait().expect("ends").code(), Some(exit), "{args:?}");
    }
}

/// A program that reads no standard input may have ended before anything is written to it.
fn left(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

#[test]
fn a_full_disk_is_an_error_and_stops_the_run() {
    let nobody = Nobody::new();
    let range = format!("127.0.0.0/16:{}", nobody.port());
    let output = run(&["-o", "/dev/full", "-q", "--rate=500", &range]);
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 2, "{stderr}");
    assert!(stderr.starts_with("sshprobe: error: cannot write to /dev/full: No space left on device"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn an_interrupted_run_keeps_what_it_has() {
    let nobody = Nobody::new();
    let range = format!("127.0.0.0/16:{}", nobody.port());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut child = piped(sshprobe(&["--format=jsonl", "--rate=500", &range]));
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut first = String::new();
        out.read_line(&mut first).expect("a line");
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("sent");
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).expect("read");
        let output = child.wait_with_output().expect("ends");
        assert_eq!(code(&output), 130);
        let whole = [first.as_bytes(), &rest].concat();
        let (told, stderr) = (records(&whole).len(), text(&output.stderr));
        let counted = stderr.split(' ').next().unwrap_or_default().replace(',', "");
        assert_eq!(counted.parse(), Ok(told), "{stderr}");
        assert!(
            stderr.lines().next().is_some_and(|line| line.ends_with("; interrupted, the rest was not probed")),
            "{stderr}"
        );
    }
}

/// As nohup(1) starts it: the terminal goes, the run does not.
#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let nobody = Nobody::new();
    let range = format!("127.0.0.0/25:{}", nobody.port());
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_sshprobe")).args(["--format=jsonl", "--rate=200", &range]).stdin(Stdio::null());
    let mut child = piped(command);
    let (mut out, mut text) = begun(&mut child);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGHUP).expect("sent");
    out.read_to_string(&mut text).expect("read");
    let output = child.wait_with_output().expect("ends");
    assert_eq!((code(&output), records(text.as_bytes()).len()), (0, 128));
}

/// Everybody answers while the program is stopped, and for longer than a connection may take: nobody is blamed for it.
#[test]
fn a_run_that_was_suspended_blames_nobody() {
    let loopback = Loopback::new();
    let slow = Script::healthy(&[5; 32]).with_steps(vec![
        Step::Wait(Duration::from_millis(700)),
        Script::ident(Script::IDENT),
        Step::Transport,
    ]);
    let targets: Vec<String> = (0..12).map(|_| loopback.server(slow.clone()).to_string()).collect();
    let mut command = sshprobe(&["--format=jsonl", "--timeout=4s", "--per-host=0", "-c6", "--fail-on=none"]);
    command.args(&targets).args(["--known-hosts=none", "--retries=0"]);
    let mut child = piped(command);
    let (mut out, mut text) = begun(&mut child);
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGSTOP).expect("sent");
    // The time itself is what is to pass.
    std::thread::sleep(Duration::from_secs(6));
    kill(pid, Signal::SIGCONT).expect("sent");
    out.read_to_string(&mut text).expect("read");
    let output = child.wait_with_output().expect("ends");
    let codes: Vec<_> = records(text.as_bytes()).iter().map(|record| record["code"].clone()).collect();
    assert_eq!((code(&output), codes), (0, vec![serde_json::Value::from("ok"); 12]));
}

/// Nobody reads standard output and nobody will: the first signal cannot end the run in good order, the second ends it.
#[test]
fn a_second_signal_ends_even_a_stalled_run() {
    let nobody = Nobody::new();
    let range = format!("127.0.0.0/16:{}", nobody.port());
    let mut child = piped(sshprobe(&["--format=jsonl", "--rate=0", "--progress=always", &range]));
    // Progress is drawn from the start, when signals are already watched.
    let mut err = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    err.read_line(&mut line).expect("a line");
    assert!(line.starts_with("sshprobe: ") && line.contains(" in flight"), "{line}");
    let pid = Pid::from_raw(child.id().cast_signed());
    let status = loop {
        kill(pid, Signal::SIGINT).expect("sent");
        if let Some(status) = child.try_wait().expect("waited") {
            break status;
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_short_connect_timeout_is_obeyed_with_one_warning() {
    let loopback = Loopback::new();
    let target = loopback.healthy().to_string();
    let output = run(&["--connect-timeout", "1s", &target]);
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 0);
    assert_eq!(stderr.matches("sshprobe: warning: ").count(), 1, "{stderr}");
    assert!(stderr.starts_with("sshprobe: warning: --connect-timeout 1s is short"), "{stderr}");
    assert_eq!(text(&run(&["-q", "--connect-timeout", "1s", &target]).stderr), "");
}

#[test]
fn an_address_that_is_not_ours_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = listener.local_addr().expect("an address").to_string();
    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.jsonl");
    let output = run(&["--source", "192.0.2.7", "-o", &file.display().to_string(), &target]);
    let stderr = text(&output.stderr);
    assert_eq!((code(&output), stderr.lines().count()), (2, 1), "{stderr}");
    assert!(stderr.starts_with("sshprobe: error: cannot send from 192.0.2.7: "), "{stderr}");
    assert!(!file.exists());
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err());
}

#[test]
fn csv_is_chosen_by_name_or_suffix_and_columns_by_choice() {
    let loopback = Loopback::new();
    let target = loopback.healthy().to_string();
    let output = run(&["--format=csv", "-q", &target]);
    let stdout = text(&output.stdout);
    assert_eq!((code(&output), stdout.lines().count()), (0, 2), "{stdout}");
    assert!(stdout.starts_with("status,code,arg,") && stdout.contains("\r\nok,ok,,auth,127.0.0.1,"), "{stdout}");

    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.csv");
    let output = run(&["-q", "--columns=code,methods,host", "-o", &file.display().to_string(), &target]);
    let written = std::fs::read_to_string(&file).expect("read");
    assert_eq!(written, "code,methods,host\r\nok,\"publickey,password\",127.0.0.1\r\n");
    let table = text(&output.stdout);
    assert!(table.starts_with("CODE ") && table.lines().count() == 2, "{table}");
    // A run without any row leaves the heading.
    let range = format!("127.0.9.0/30:{}", Nobody::new().port());
    let output = run(&["--format=csv", "--records=answered", "--columns=status,host", &range]);
    assert_eq!(text(&output.stdout), "status,host\r\n");
}

#[test]
fn verbose_lines_go_to_standard_error_and_leave_the_records_alone() {
    let loopback = Loopback::new();
    let ours = loopback.healthy().to_string();
    let throttled = loopback.server(Script::refusal("Exceeded MaxStartups\r\n")).to_string();
    let hostile = loopback.server(Script::refusal("go away \u{1b}[2J\u{9b}31m\u{202e}\r\n")).to_string();
    let args = ["--format=jsonl", "-q", "--per-host=0", ours.as_str(), throttled.as_str(), hostile.as_str()];
    assert_eq!(text(&run(&args).stderr), "");
    let told = |v: &str| {
        let output = run(&[&[v], &args[..]].concat());
        assert_eq!(records(&output.stdout).len(), 3);
        let stderr = text(&output.stderr);
        assert!(stderr.lines().all(|line| line.starts_with("sshprobe: ")), "{stderr}");
        assert!(!stderr.chars().any(|c| c != '\n' && sshprobe_probes::escape::is_unsafe(c)), "{stderr:?}");
        stderr
    };
    let stderr = told("-v");
    assert!(stderr.contains("go away \\x1b[2J"), "{stderr}");
    for line in ["admitted", "connected in ", "ended in auth after ", ": ok: "] {
        assert!(stderr.contains(&format!("{ours} {line}")) || stderr.contains(line), "{line} is not in {stderr}");
    }
    assert!(stderr.contains(&format!("{throttled} planned in ")), "the retry is told: {stderr}");
    assert!(stderr.contains("throttled-maxstartups") && !stderr.contains("begins"), "{stderr}");
    let stderr = told("-vv");
    for line in
        ["ident done, kexinit begins: \"SSH-2.0-OpenSSH_", "kex done, auth begins: ", "methods \"publickey,password\""]
    {
        assert!(stderr.contains(&format!("{ours} {line}")) || stderr.contains(line), "{line} is not in {stderr}");
    }
}

#[test]
fn without_a_locale_of_utf8_nothing_else_than_ascii_is_shown() {
    let nobody = Nobody::new();
    let target = format!("127.0.9.1:{}", nobody.port());
    for (locale, utf8) in [("C", false), ("C.UTF-8", true)] {
        let mut command = sshprobe(&["--columns=detail", &target]);
        command.env("LC_ALL", locale).env("COLUMNS", "30");
        let stdout = text(&command.output().expect("runs").stdout);
        assert_eq!(stdout.is_ascii(), !utf8, "{stdout}");
    }
}
