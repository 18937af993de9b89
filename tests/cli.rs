//! The command line from outside: every bad input has its one line on standard error, exit code 2, and sends nothing.

use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn sshprobe() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn with_stdin(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("written");
    child.wait_with_output().expect("ends")
}

/// The same where the program may end before it has read all of it.
fn with_stdin_as_far_as_it_is_read(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("ends");
    if let Err(error) = writer.join().expect("no panic") {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    output
}

/// One line on standard error that names the fault, nothing on standard output, exit code 2.
#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("sshprobe: error: "), "{stderr}");
    assert!(stderr.chars().all(|c| c == '\n' || !c.is_control()), "{stderr:?}");
    assert_eq!(text(&output.stdout), "");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr}");
    }
}

/// A host that must hear nothing of a run that was refused.
struct Bystander(TcpListener);

impl Bystander {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    fn target(&self) -> String {
        self.0.local_addr().expect("an address").to_string()
    }

    #[track_caller]
    fn assert_unbothered(&self) {
        self.0.set_nonblocking(true).expect("set");
        assert_eq!(self.0.accept().expect_err("nobody").kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn bad_targets_and_options_are_refused_before_anything_is_sent() {
    let bystander = Bystander::new();
    for (args, words) in [
        (&["10.0.0.0/33"][..], &["10.0.0.0/33", "/0 to /32"][..]),
        (&["host:99999"], &["host:99999", "1 to 65535"]),
        (&["host:0"], &["host:0", "port 0", "1 to 65535"]),
        (&["::1:22"], &["::1:22", "[::1]:22"]),
        (&["10.0.0.9-3"], &["10.0.0.9-3", "10.0.0.3-9"]),
        (&["10.0.0.0/24:22-20"], &["10.0.0.0/24:22-20", "20-22"]),
        (&["[::1"], &["[::1", "never closed"]),
        (&[""], &["empty"]),
        (&["host\u{1b}[2J"], &["U+001B"]),
        (&["10.0.0.1", "--exclude", "10.0.0.0/33"], &["10.0.0.0/33", "--exclude"]),
        (&["--depth", "foo"], &["--depth: `foo` is none of connect, ident, kexinit, kex, auth"]),
        (&["-c", "0"], &["--concurrency: `0` must be at least 1"]),
        (&["--timeout", "-1s"], &["--timeout: `-1s` is not a duration", "8s"]),
        (&["--timeout", "2s", "--connect-timeout", "8s"], &["--connect-timeout 8s", "--timeout 2s"]),
        (&["--connect-timeout", "0"], &["--connect-timeout"]),
        (&["-p", "0"], &["--port", "1 to 65535"]),
        (&["-p", ""], &["--port"]),
        (&["--fail-on", "broken"], &["--fail-on", "broken", "timeout, refused, unreachable"]),
        (&["--fail-on", ""], &["--fail-on: `` names nothing; give one or more of ok, timeout, refused"]),
        (&["--fail-on", "timeout,"], &["--fail-on: `timeout,` has a comma with nothing beside it", "timeout, refused"]),
        (&["--columns", ""], &["--columns: `` names nothing; give one or more of status, code"]),
        (&["--host-key-types", ""], &["--host-key-types: `` names nothing; give one or more of first, all"]),
        (&["--rate", "-5"], &["--rate: `-5` is not a whole number"]),
        (&["--concurency", "7"], &["--concurency", "did you mean --concurrency?"]),
        (&["--format", "yaml"], &["--format: `yaml` is none of table, jsonl, csv"]),
        (
            &["--columns", "host,sofware"],
            &["--columns: `host,sofware` has `sofware`", "status, code", "did you mean software?"],
        ),
        (&["--columns", "host", "--format", "jsonl"], &["--columns", "--format table or csv"]),
        (&["-4", "-6"], &["-4 cannot be used with -6"]),
        (&["-4", "[2001:db8::]/120"], &["[2001:db8::]/120", "is an IPv6 target, but -4 allows only IPv4"]),
        (&["-6", "--source", "::1"], &["127.0.0.1", "is an IPv4 target, but -6 allows only IPv6"]),
        (
            &["--source", "::1"],
            &[
                "127.0.0.1",
                "is an IPv4 target, but --source ::1 allows only IPv6: leave the target or --source ::1 away",
            ],
        ),
        (&["--source", "127.0.0.1", "[2001:db8::]/120"], &["[2001:db8::]/120", "--source 127.0.0.1 allows only IPv4"]),
        (&["fe80::1"], &["`fe80::1`: a link-local address needs its interface", "fe80::1%eth0", "--interface NAME"]),
        (&["[fe80::]/120"], &["`[fe80::]/120`: a link-local address needs its interface"]),
        (&["--resolver", "dns.example"], &["--resolver", "ADDR:PORT"]),
        (&["--source", "here"], &["--source", "192.0.2.7"]),
        (&["--source", "0.0.0.0"], &["--source: `0.0.0.0` stands for every address", "`ip address`"]),
        (&["--source", "::"], &["--source: `::` stands for every address", "`ip address`"]),
        (&["--source", "224.0.0.1"], &["--source: `224.0.0.1` is a multicast address", "`ip address`"]),
        (&["--source", "255.255.255.255"], &["--source: `255.255.255.255` is a broadcast address", "`ip address`"]),
        (&["--interface", "no-such-if0"], &["--interface", "no-such-if0"]),
        (&["--max-targets", "0"], &["--max-targets: `0` must be at least 1"]),
        (&["--max-targets", "10", "10.0.0.0/24"], &["--max-targets", "257"]),
        (&["-o"], &["--output: a value is missing"]),
    ] {
        let output = sshprobe().arg(bystander.target()).args(args).output().expect("runs");
        assert_refused(&output, words);
    }
    bystander.assert_unbothered();
}

#[test]
fn no_target_at_all_says_how_to_give_one() {
    assert_refused(&sshprobe().output().expect("runs"), &["none given", "TARGET", "--help"]);
    assert_refused(
        &with_stdin(
            {
                let mut c = sshprobe();
                c.args(["-f", "-"]);
                c
            },
            b"# nothing\n\n",
        ),
        &["stdin"],
    );
}

#[test]
fn bad_files_are_refused_with_file_and_line_before_anything_is_sent() {
    let bystander = Bystander::new();
    let home = TempDir::new().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = home.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let good = bystander.target();
    let empty = file("empty", b"");
    let comments = file("comments", b"# nobody\n\n   \n");
    let binary = file("binary", b"10.0.0.1\n\x7fELF\x02\x01\x01\0\0\0\n");
    let late = file("late", format!("{good}\n{good}\nhost:0\n").as_bytes());
    let missing = home.path().join("missing").display().to_string();
    let folder = home.path().display().to_string();
    for (file, words) in [
        (&empty, &["empty", "no target"][..]),
        (&comments, &["comments", "no target"]),
        (&binary, &["binary:2"]),
        (&late, &["late:3", "host:0"]),
        (&missing, &["missing"]),
        (&folder, &[]),
    ] {
        let output = sshprobe().args(["-f", file]).output().expect("runs");
        assert_refused(&output, words);
        // A list of exceptions may have none left.
        if file != &empty && file != &comments {
            let output = sshprobe().args(["--exclude-file", file, &good]).output().expect("runs");
            assert_refused(&output, words);
        }
    }
    let all = sshprobe().args(["10.0.0.0/30", "--exclude", "10.0.0.0/24"]).output().expect("runs");
    assert_refused(&all, &["excluded"]);
    let listed = sshprobe().args(["-f", &late, "--max-targets", "1"]).output().expect("runs");
    assert_refused(&listed, &["late:3"]);
    bystander.assert_unbothered();
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_anything_is_sent() {
    let bystander = Bystander::new();
    let home = TempDir::new().expect("a folder");
    let path = |name: &str| home.path().join(name).display().to_string();
    let hosts = path("hosts");
    std::fs::write(&hosts, format!("{}\n", bystander.target())).expect("written");
    let sealed = home.path().join("sealed");
    std::fs::create_dir(&sealed).expect("made");
    std::fs::set_permissions(&sealed, PermissionsExt::from_mode(0o555)).expect("sealed");
    let run = |output: &str| sshprobe().args(["-f", &hosts, "-o", output]).output().expect("runs");
    assert_refused(&run(&path("no/such/out.jsonl")), &["no/such/out.jsonl", "does not exist", "create it first"]);
    assert_refused(&run(&path("")), &["it is a folder"]);
    assert_refused(&run(&hosts), &["this run reads from it"]);
    // The super-user writes into sealed folders; nobody writes into /proc.
    assert_refused(&run("/proc/out.jsonl"), &["/proc/out.jsonl"]);
    if !nix::unistd::geteuid().is_root() {
        assert_refused(&run(&path("sealed/out.jsonl")), &["sealed/out.jsonl", "Permission denied"]);
    }
    assert_eq!(std::fs::read_to_string(&hosts).expect("kept"), format!("{}\n", bystander.target()));
    bystander.assert_unbothered();
}

/// What was given again would be left without a word, and nobody would miss it before it is wanted.
#[test]
fn what_is_written_to_and_what_is_read_once_is_given_once() {
    let bystander = Bystander::new();
    let home = TempDir::new().expect("a folder");
    let target = bystander.target();
    let run = |args: &[&str]| {
        sshprobe().current_dir(home.path()).arg(args[0]).args(&args[1..]).arg(&target).output().expect("runs")
    };
    for (args, line) in [
        (
            &["-o", "a.jsonl", "-o", "b.jsonl"][..],
            "-o: given twice (a.jsonl, b.jsonl), and one file is written; name one",
        ),
        (&["-oa.csv", "--output=a.csv"], "-o: given twice (a.csv, a.csv), and one file is written; name one"),
        (&["keys", "-o", "-", "-o", "b"], "-o: given twice (-, b), and one file is written; name one"),
        (
            &["--stats-file=a", "--stats-file=b", "--stats-file=c"],
            "--stats-file: given 3 times (a, b, c), and one file is written; name one",
        ),
        (&["-f", "-", "-f-"], "-f -: given twice, and there is one standard input: leave one of them away"),
        (
            &["-o", "x.jsonl", "--stats-file", "./x.jsonl.state"],
            "--stats-file: ./x.jsonl.state is where the state of the run into x.jsonl is kept; name a file of its own",
        ),
    ] {
        assert_refused(&run(args), &[&format!("sshprobe: error: {line}\n")]);
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("listed").count(), 0);
    bystander.assert_unbothered();
}

#[test]
fn an_output_that_would_be_packed_by_nobody_is_refused() {
    let bystander = Bystander::new();
    let home = TempDir::new().expect("a folder");
    let run =
        |args: &[&str]| sshprobe().current_dir(home.path()).args(args).arg(bystander.target()).output().expect("runs");
    for (file, bare, packer) in [
        ("x.csv.gz", "x.csv", "gz"),
        ("x.jsonl.bz2", "x.jsonl", "bz2"),
        ("x.XZ", "x", "XZ"),
        ("x.txt.lz4", "x.txt", "lz4"),
        ("x.jsonl.zstd", "x.jsonl", "zstd"),
    ] {
        let line = format!(
            "sshprobe: error: cannot create {file}: nothing here packs as .{packer} does; name {bare}.zst, which is packed with zstd, or {bare}\n"
        );
        assert_refused(&run(&["-o", file]), &[&line]);
    }
    for file in ["known.gz", "known.zst"] {
        let line = format!(
            "sshprobe: error: cannot create {file}: keys are written as ssh reads them, which is not packed; name known\n"
        );
        assert_refused(&run(&["keys", "-o", file]), &[&line]);
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("listed").count(), 0);
    bystander.assert_unbothered();
}

#[test]
fn binary_data_on_standard_input_ends_at_its_first_nul() {
    let bystander = Bystander::new();
    // No line of it is a target; without an end there would be a line of errors for each.
    let noise: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut command = sshprobe();
    command.args(["-f", "-"]);
    let input = [b"\x7fELF\0\0\n", noise.as_slice(), format!("\n{}\n", bystander.target()).as_bytes()].concat();
    let line = "sshprobe: error: stdin line 1: a NUL byte: this is a binary file and no list of targets; nothing behind it is read\n";
    assert_refused(&with_stdin_as_far_as_it_is_read(command, &input), &[line]);
    bystander.assert_unbothered();
}

#[test]
fn a_refused_run_leaves_the_old_output_alone() {
    let home = TempDir::new().expect("a folder");
    let out = home.path().join("out.jsonl");
    std::fs::write(&out, "old\n").expect("written");
    let output = sshprobe().args(["-o", &out.display().to_string(), "10.0.0.0/33"]).output().expect("runs");
    assert_refused(&output, &["10.0.0.0/33"]);
    assert_eq!(std::fs::read_to_string(&out).expect("kept"), "old\n");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (arg, words) in [
        (
            "--help",
            &["TARGET...", "--connect-timeout", "[default: 5s]", "[default: 20s]", "[default: 1000]", "demo"][..],
        ),
        ("-h", &["Usage: sshprobe"]),
        ("-V", &[concat!("sshprobe ", env!("CARGO_PKG_VERSION"))]),
    ] {
        let output = sshprobe().arg(arg).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{arg}");
        assert_eq!(text(&output.stderr), "");
        for word in words {
            assert!(text(&output.stdout).contains(word), "{word} is not in the text of {arg}");
        }
    }
}

#[test]
fn every_option_of_the_help_says_its_default() {
    let help = text(&sshprobe().arg("--help").output().expect("runs").stdout);
    let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for option in [
        "--port",
        "--max-targets",
        "--order",
        "--seed",
        "--depth",
        "--user",
        "--connect-timeout",
        "--timeout",
        "--retries",
        "--concurrency",
        "--rate",
        "--per-subnet",
        "--per-host",
        "--resolver",
        "--source",
        "--interface",
        "--format",
        "--columns",
        "--records",
        "--show",
        "--progress",
        "--color",
        "--fail-on",
    ] {
        let at = flat.find(&format!(" {option} <")).unwrap_or_else(|| panic!("{option} is not in the help"));
        let rest = &flat[at + option.len() + 1..];
        let own = &rest[..rest.find(" --").unwrap_or(rest.len())];
        assert!(own.contains("[default: "), "{option} does not say its default: {own}");
    }
}
