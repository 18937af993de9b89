//! What makes sweeps of fleets possible: shares of a sweep, and runs that go on after they were ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::run::{done as run, here as sshprobe, records, text, unprivileged};

/// The place of each target in the whole, and what it is.
fn places(records: &[Value]) -> Vec<(u64, String)> {
    let place = |record: &Value| {
        let target = &record["target"];
        (target["index"].as_u64().expect("a number"), format!("{}:{}", target["host"], target["port"]))
    };
    records.iter().map(place).collect()
}

/// Each machine draws a seed of its own, and none knows of the others.
#[test]
fn shares_of_a_sweep_are_the_sweep() {
    let args =
        ["--format=jsonl", "-q", "--rate=0", "--depth=connect", "127.0.9.0/28:1,2", "127.0.9.3", "127.0.8.1-9:3"];
    let whole = places(&records(&run(&args).stdout));
    assert_eq!(whole.len(), 42);
    let (mut union, mut codes) = (Vec::new(), Vec::new());
    for nth in 1..=7 {
        let share = format!("--shard={nth}/7");
        let output = run(&[&args[..], &[&share]].concat());
        codes.push(output.status.code());
        let part = places(&records(&output.stdout));
        assert_eq!(part.len(), 6, "{share}: {part:?}");
        union.extend(part);
    }
    assert_eq!(union.len(), whole.len());
    codes.sort_unstable();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(1)).count(),
        1,
        "{codes:?}: one host is named by itself, and refuses"
    );
    assert_eq!(union.into_iter().collect::<BTreeSet<_>>(), whole.into_iter().collect());

    let output = run(&["--shard=8/7", "127.0.9.1"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "sshprobe: error: --shard: `8/7` is not one of 7 shares: the last is 7/7\n");
}

/// Some live hosts among many addresses where nobody listens, for as long as it lives.
struct Fleet {
    _runtime: Runtime,
    port: u16,
}

impl Fleet {
    const LIVE: u8 = 40;

    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let script = Arc::new(Script::healthy(&[7; 32]));
        let port = runtime.block_on(async {
            let mut port = 0;
            for last in 1..=Self::LIVE {
                let addr = SocketAddr::from((Ipv4Addr::new(127, 88, 0, last), port));
                let listener = TcpListener::bind(addr).await.expect("a port");
                port = listener.local_addr().expect("an address").port();
                tokio::spawn(serve(listener, Arc::clone(&script)));
            }
            port
        });
        Self { _runtime: runtime, port }
    }

    /// The expression for so many addresses, the live ones among them.
    fn range(&self, bits: u8) -> String {
        format!("127.88.0.0/{bits}:{}", self.port)
    }
}

/// A sweep into a file.
struct Sweep {
    _home: TempDir,
    file: PathBuf,
    args: Vec<String>,
}

impl Sweep {
    fn into(name: &str, args: &[&str]) -> Self {
        let home = TempDir::new().expect("a folder");
        let file = home.path().join(name);
        let args = args.iter().map(ToString::to_string).chain([format!("-o{}", file.display())]).collect();
        Self { _home: home, file, args }
    }

    fn command(&self, more: &[&str]) -> Command {
        let args: Vec<&str> = self.args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        sshprobe(&args)
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().expect("runs")
    }

    fn start(&self, more: &[&str]) -> Child {
        self.command(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
    }

    /// The whole lines in the file, unpacked if need be.
    fn lines(&self) -> String {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let mut plain = Vec::new();
        if self.file.extension().is_some_and(|suffix| suffix == "zst") {
            // What is torn at the end is an error, after all that is whole was given.
            let _ = zstd::Decoder::new(&*bytes).expect("a decoder").read_to_end(&mut plain);
        } else {
            plain = bytes;
        }
        plain.truncate(plain.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        String::from_utf8(plain).expect("UTF-8")
    }

    fn state(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".state");
        name.into()
    }

    /// Interrupts a run as soon as so many bytes are in the file.
    fn interrupt_at(&self, bytes: u64, more: &[&str]) -> Output {
        self.interrupt_when(|| self.length() >= bytes, more)
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |at| at.len())
    }

    /// Interrupts a run as soon as the file is as it should be.
    fn interrupt_when(&self, ready: impl Fn() -> bool, more: &[&str]) -> Output {
        let child = self.command(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        while !ready() {
            std::thread::sleep(Duration::from_millis(1));
        }
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("sent");
        child.wait_with_output().expect("its end")
    }
}

/// What became of each target; fails if one has two records.
#[track_caller]
fn outcomes(lines: &str) -> BTreeMap<(u64, String), String> {
    let records = records(lines.as_bytes());
    let codes = records.iter().map(|record| record["code"].as_str().expect("a code").to_owned());
    let outcomes: BTreeMap<_, _> = places(&records).into_iter().zip(codes).collect();
    assert_eq!(outcomes.len(), records.len(), "a target has two records");
    outcomes
}

/// Numbers that nobody chose, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// kill -9 at moments that nobody chose, `--resume` each time: in the end there is what an uninterrupted run leaves, and no line
/// that was there at any time has changed.
#[track_caller]
fn survives(name: &str, more: &[&str], kills: u32) {
    let fleet = Fleet::start();
    let range = fleet.range(19);
    let args = [&["-q", "--rate=0", "--known-hosts=none", &range], more].concat();
    let uninterrupted = Sweep::into(name, &args);
    assert_eq!(uninterrupted.run(&[]).status.code(), Some(0));
    let wanted = outcomes(&uninterrupted.lines());
    assert_eq!(wanted.values().filter(|code| *code == "ok").count(), usize::from(Fleet::LIVE));

    let sweep = Sweep::into(name, &args);
    let seed = std::time::SystemTime::now().elapsed().map_or(u64::from(std::process::id()), |at| at.as_nanos() as u64);
    let seed = seed ^ u64::from(std::process::id());
    let mut dice = Dice(seed);
    let (mut killed, mut torn) = (0, 0);
    let mut before = String::new();
    while killed < kills {
        let mut child = sweep.start(&["--resume"]);
        // The moment is what is left to chance: from before the file is opened until hundreds of records later.
        std::thread::sleep(Duration::from_micros(dice.roll(150_000)));
        child.kill().expect("sent");
        let ended = child.wait().expect("its end").code().is_some();
        let now = sweep.lines();
        assert!(now.starts_with(&before), "seed {seed}, kill {killed}: a line that was there has changed");
        if ended {
            assert_eq!(outcomes(&now), wanted, "seed {seed}");
            assert!(!sweep.state().exists());
            fs::remove_file(&sweep.file).expect("removed");
            before = String::new();
            continue;
        }
        killed += 1;
        torn += u32::from(fs::read(&sweep.file).unwrap_or_default().last().is_some_and(|byte| *byte != b'\n'));
        before = now;
    }
    let output = sweep.run(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "seed {seed}: {}", text(&output.stderr));
    let lines = sweep.lines();
    assert!(lines.starts_with(&before), "seed {seed}");
    assert_eq!(outcomes(&lines), wanted, "seed {seed}, {killed} kills, {torn} torn ends");
    assert!(!sweep.state().exists());
    let runs: BTreeSet<String> = records(lines.as_bytes()).iter().map(|record| record["run"].to_string()).collect();
    assert_eq!(runs.len(), 1, "all parts of a run have its name");
}

#[test]
fn a_run_survives_being_killed_fifty_times() {
    survives("out.jsonl", &[], 50);
}

#[test]
fn a_packed_run_survives_being_killed() {
    survives("out.jsonl.zst", &[], 15);
}

/// Silent addresses have no line here, and are not asked again for all that.
#[test]
fn a_run_that_writes_only_what_answered_survives_being_killed() {
    survives("out.jsonl", &["--records=answered"], 15);
}

/// A power failure may tear a file anywhere, a full disk too.
#[test]
fn a_torn_end_is_cut_off_wherever_it_is() {
    let fleet = Fleet::start();
    let mut dice = Dice(u64::from(std::process::id()));
    for name in ["out.jsonl", "out.jsonl.zst"] {
        let range = fleet.range(21);
        let sweep = Sweep::into(name, &["-q", &range, "--known-hosts=none"]);
        assert_eq!(sweep.interrupt_at(1, &[]).status.code(), Some(130));
        for round in 0..12 {
            let file = fs::OpenOptions::new().write(true).open(&sweep.file).expect("there");
            let length = file.metadata().expect("there").len();
            let cut = dice.roll(length.min(3_000) + 1);
            file.set_len(length - cut).expect("cut");
            let before = sweep.lines();
            if round < 11 {
                assert_eq!(
                    sweep.interrupt_at(length - cut + 1, &["--resume"]).status.code(),
                    Some(130),
                    "{name} {round}"
                );
            } else {
                assert_eq!(sweep.run(&["--resume", "--rate=0"]).status.code(), Some(0));
            }
            assert!(sweep.lines().starts_with(&before), "{name}, {cut} of {length} bytes cut");
        }
        assert_eq!(outcomes(&sweep.lines()).len(), 2_048);
        // Where nothing is left to write, nothing writes over it either.
        let whole = fs::read(&sweep.file).expect("read");
        let torn: &[u8] = if name.ends_with("zst") { &whole[..40] } else { b"{\"schema\":1,\"run\":\"torn" };
        fs::write(&sweep.file, [&whole, torn].concat()).expect("written");
        assert_eq!(sweep.run(&["--resume"]).status.code(), Some(0));
        assert_eq!(fs::read(&sweep.file).expect("read"), whole, "{name}");
    }
}

#[test]
fn summary_and_exit_code_are_of_the_whole_run() {
    let fleet = Fleet::start();
    let gone = format!("127.89.0.1:{}", fleet.port);
    for records in ["--records=all", "--records=answered"] {
        // What fails comes first, which does not say that it is done first.
        let sweep = Sweep::into("out.jsonl", &[&gone, &fleet.range(20), "--known-hosts=none", records]);
        // By then some have answered, and of those that have not there are a hundred for each.
        let output = sweep.interrupt_when(|| sweep.length() >= 10_000 && sweep.lines().contains(&gone), &["-q"]);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(130), ""), "{records}");
        let state: Value = serde_json::from_slice(&fs::read(sweep.state()).expect("a state")).expect("JSON");
        let unwritten = usize::try_from(state["unwritten"]["targets"].as_u64().expect("a number")).expect("few");
        assert_eq!(unwritten > 0, records == "--records=answered");
        let written = sweep.lines().lines().count();
        assert!(sweep.lines().contains(&gone), "{}", sweep.lines());

        let output = sweep.run(&["--resume", "--show=all", "--rate=0"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "a host that was named had refused before: {stderr}");
        assert!(stderr.starts_with("4,097 targets, "), "{stderr}");
        let before: usize =
            stderr["4,097 targets, ".len()..].split(' ').next().unwrap().replace(',', "").parse().unwrap();
        assert!(before < 4_097 && stderr.contains(" of them before --resume, in "), "{stderr}");
        assert_eq!(before, written + unwritten, "what has no line is not asked again");
        assert_eq!(text(&output.stdout).lines().count(), 4_097 - before + 1, "only what is new is shown");
        assert!(stderr.contains("\n  refused                 4,057\n"), "{stderr}");
        assert!(stderr.contains("\n  ok                         40\n"), "{stderr}");
        assert!(!sweep.state().exists());
        let written = if records == "--records=all" { 4_097 } else { 41 };
        assert_eq!(outcomes(&sweep.lines()).len(), written);

        // There is nothing left to do, and the exit code is still that of the whole.
        if records == "--records=all" {
            let output = sweep.run(&["--resume"]);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(stderr.starts_with("4,097 targets, 4,097 of them before --resume, in "), "{stderr}");
            continue;
        }
        // Of a run that came to its end no state is left, and that is not told as if something had been lost.
        let output = sweep.run(&["--resume", "--rate=0"]);
        let stderr = text(&output.stderr);
        let file = sweep.file.display();
        let told = format!(
            "sshprobe: warning: --resume: there is no {file}.state (a run that is finished leaves none): that {file} was begun with \
             the same depth and known keys cannot be checked, and addresses of ranges that were silent, refused or unreachable, \
             which have no line, are asked again\n4,097 targets, 41 of them before --resume, in "
        );
        assert!(stderr.starts_with(&told), "{stderr}");
        assert_eq!(outcomes(&sweep.lines()).len(), 41);
    }
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let fleet = Fleet::start();
    let sweep = Sweep::into("out.jsonl", &[&fleet.range(18), "--known-hosts=none"]);
    let output = sweep.interrupt_at(1, &[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let hint = format!("sshprobe: {} holds what is done: the same command with --resume goes on", sweep.file.display());
    assert_eq!(stderr.lines().last(), Some(hint.as_str()), "{stderr}");
}

/// Nothing is sent, and neither the file nor its state is touched.
#[test]
fn what_does_not_belong_to_the_run_is_refused() {
    let fleet = Fleet::start();
    let home = TempDir::new().expect("a folder");
    let known = home.path().join("known");
    fs::write(&known, "").expect("written");
    let known_hosts = format!("--known-hosts={}", known.display());
    let range = fleet.range(20);
    let sweep = Sweep::into("out.jsonl", &["-q", &known_hosts]);
    assert_eq!(sweep.interrupt_at(1, &[&range]).status.code(), Some(130));
    let (file, state) = (fs::read(&sweep.file).expect("read"), fs::read(sweep.state()).expect("read"));
    let refused = |args: &[&str], line: &str| {
        let output = sweep.run(args);
        let line = line.replace("FILE", &sweep.file.display().to_string());
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(2), format!("sshprobe: error: {line}\n")),
            "{args:?}"
        );
        assert_eq!(fs::read(&sweep.file).expect("read"), file, "{args:?}");
        assert_eq!(fs::read(sweep.state()).expect("read"), state, "{args:?}");
    };
    refused(
        &[&range],
        "--output: FILE.state says that a run into FILE was not finished: --resume goes on with it; remove FILE.state to begin anew",
    );
    refused(
        &["--resume", &range, "web1"],
        "--resume: FILE was begun with other targets, exclusions, ports or another --shard",
    );
    let other_shard = ["--resume", "--shard=1/2", &range];
    refused(&other_shard, "--resume: FILE was begun with other targets, exclusions, ports or another --shard");
    refused(
        &["--resume", &range, "--depth=kex"],
        "--resume: FILE was begun with --depth \"auth\", and this call says \"kex\"",
    );
    refused(
        &["--resume", &range, "--records=answered"],
        "--resume: FILE was begun with --records \"all\", and this call says \"answered\"",
    );
    fs::write(&known, "web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvbyBiYXIgYmF6IHF1eCBmb28gYmFyIGJheiBx\n")
        .expect("written");
    refused(
        &["--resume", &range],
        "--resume: FILE was begun when other keys stood in the files that host keys are held against",
    );
    fs::write(&known, "").expect("written");
    for (args, line) in [
        (
            &["--resume", "-f-"][..],
            "--resume: standard input cannot be read a second time; put the targets into a file and name it with -f",
        ),
        (
            &["--resume", "--all-addresses", &range],
            "--resume: with --all-addresses nobody knows which records of a name are missing; leave one of them away",
        ),
    ] {
        refused(args, line);
    }
    for (file, line) in [
        ("/dev/null", "--resume: the output is no regular file, and nothing can be read back from it"),
        ("out.csv", "--resume: only JSON lines can be gone on with; name a file like out.jsonl"),
    ] {
        assert_eq!(text(&run(&["--resume", "-o", file, &range]).stderr), format!("sshprobe: error: {line}\n"));
    }
    let output = run(&["--resume", &range]);
    assert_eq!(
        text(&output.stderr),
        "sshprobe: error: --resume: there is no file to go on with; name it with -o FILE\n"
    );

    let plan = text(&sweep.run(&["--plan", "--resume", &range]).stdout);
    let done = outcomes(&sweep.lines()).len();
    let targets = plan.lines().find(|line| line.starts_with("Targets ")).expect("a line");
    assert!(targets.contains(" out of ranges), port ") && targets.ends_with(&format!("; {done} are done")), "{plan}");

    // Speed may change.
    let output = sweep.run(&["--resume", &range, "--rate=0", "-c50", "--per-subnet=9000", "--timeout=30s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(outcomes(&sweep.lines()).len(), 4_096);
}

/// Without its state a file still says whose it is: each record names its target and its place.
#[test]
fn a_lost_or_foreign_state_is_made_anew() {
    let fleet = Fleet::start();
    let range = fleet.range(20);
    let args = [&range, "--known-hosts=none"];
    let (sweep, other) = (Sweep::into("out.jsonl", &args), Sweep::into("other.jsonl", &args));
    assert_eq!(sweep.interrupt_at(1, &["-q"]).status.code(), Some(130));
    assert_eq!(other.interrupt_at(1, &["-q"]).status.code(), Some(130));
    let state = sweep.state().display().to_string();
    let (gone, strange) = (format!("there is no {state}"), format!("{state} is of another run or spoilt"));
    for (spoil, whose) in [
        ((|state, _| fs::remove_file(state).expect("removed")) as fn(&PathBuf, &PathBuf), &gone),
        (|state, _| fs::write(state, "{").expect("written"), &strange),
        (|state, other| assert!(fs::copy(other, state).is_ok()), &strange),
    ] {
        spoil(&sweep.state(), &other.state());
        let before = sweep.lines();
        let output = sweep.interrupt_at(before.len() as u64 + 1, &["--resume"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.starts_with(&format!("sshprobe: warning: --resume: {whose}: that ")), "{stderr}");
        assert!(sweep.lines().starts_with(&before));
    }
    fs::remove_file(sweep.state()).expect("removed");
    let strange = sweep.run(&["--resume", "--exclude=127.88.0.0/25"]);
    let stderr = text(&strange.stderr);
    assert_eq!(strange.status.code(), Some(2), "{stderr}");
    // Where the first line is of one of the last addresses, there is none in its place.
    assert!(stderr.contains(", so it is not what this run has written\n"), "{stderr}");
    let output = sweep.run(&["--resume", "-q", "--rate=0"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert_eq!(outcomes(&sweep.lines()).len(), 4_096);
}

#[test]
fn two_runs_do_not_write_to_one_file() {
    let fleet = Fleet::start();
    let range = fleet.range(16);
    let sweep = Sweep::into("out.jsonl", &["-q", &range, "--known-hosts=none", "--depth=connect"]);
    let mut first = sweep.start(&[]);
    while fs::metadata(&sweep.file).map_or(0, |at| at.len()) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = sweep.run(&["--resume"]);
    let line =
        format!("sshprobe: error: --output: another run is writing to {}; name another file\n", sweep.file.display());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), line));
    first.kill().expect("sent");
    first.wait().expect("its end");
}

/// A file of one's own in a folder that is not: `-o` writes to it as ever, and the run can go on.
#[test]
fn a_folder_that_takes_no_state_is_no_obstacle() {
    use std::os::unix::fs::PermissionsExt;
    let fleet = Fleet::start();
    let home = TempDir::new().expect("a folder");
    let file = home.path().join("out.jsonl");
    fs::write(&file, "old").expect("written");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).expect("set");
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o555)).expect("set");
    let output = |more: &[&str]| {
        let mut command = unprivileged();
        command.args(["--known-hosts=none", "--rate=0", &fleet.range(22), "-o"]).arg(&file).args(more);
        command.output().expect("runs")
    };
    let stderr = text(&output(&[]).stderr);
    let warning = format!("sshprobe: warning: {}.state cannot be kept: Permission denied; ", file.display());
    assert!(stderr.starts_with(&warning), "{stderr}");
    let whole = fs::read_to_string(&file).expect("read");
    assert_eq!(outcomes(&whole).len(), 1_024);
    fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    let resumed = output(&["--resume", "-q"]);
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).expect("set");
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
    assert_eq!(outcomes(&fs::read_to_string(&file).expect("read")).len(), 1_024);
}

/// What is no output of ours is not cut.
#[test]
fn somebody_elses_file_is_left_as_it_is() {
    let sweep = Sweep::into("notes", &["127.88.0.0/30:9"]);
    for content in ["a note", "a note\n", "\n"] {
        fs::write(&sweep.file, content).expect("written");
        let output = sweep.run(&["--resume"]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert_eq!(fs::read_to_string(&sweep.file).expect("read"), content);
        assert!(!sweep.state().exists());
    }
}

/// A run that cannot go on leaves no state, and replaces its file as ever.
#[test]
fn what_cannot_go_on_keeps_no_state() {
    let sweep = Sweep::into("out.csv", &["-q", "127.88.0.0/28:9", "--columns=status"]);
    for _ in 0..2 {
        assert_eq!(sweep.run(&[]).status.code(), Some(0));
        assert_eq!(fs::read_to_string(&sweep.file).expect("read").lines().count(), 17);
        assert!(!sweep.state().exists());
    }
    let packed = Sweep::into("out.csv.zst", &["-q", "127.88.0.0/28:9"]);
    assert_eq!(packed.run(&[]).status.code(), Some(0));
    assert_eq!(packed.lines().lines().count(), 17);
}

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().expect("a number"))
}

#[test]
fn a_stats_file_says_what_the_run_is_doing_and_what_it_came_to() {
    let fleet = Fleet::start();
    let stats = TempDir::new().expect("a folder");
    let file = stats.path().join("sshprobe.prom");
    let option = format!("--stats-file={}", file.display());
    let sweep = Sweep::into("out.jsonl", &["-q", &fleet.range(20), "--known-hosts=none", &option]);
    // It is there before the first record is.
    let output = sweep.interrupt_at(1, &[]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(130), ""));
    let first = fs::read_to_string(&file).expect("read");
    assert_eq!((sample(&first, "sshprobe_running"), sample(&first, "sshprobe_targets")), (Some(0.0), Some(4_096.0)));
    assert!(sample(&first, "sshprobe_resident_memory_bytes").is_some_and(|bytes| bytes > 1e6), "{first}");

    let output = sweep.run(&["--resume", "--rate=0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let last = fs::read_to_string(&file).expect("read");
    for (name, value) in [
        ("sshprobe_records_total{status=\"ok\",code=\"ok\"}", 40.0),
        ("sshprobe_records_total{status=\"refused\",code=\"refused\"}", 4_056.0),
        ("sshprobe_connections_in_flight", 0.0),
        ("sshprobe_targets_waiting", 0.0),
        ("sshprobe_running", 0.0),
    ] {
        assert_eq!(sample(&last, name), Some(value), "{name} of\n{last}");
    }
    let done = |text: &str| text.lines().filter(|line| line.starts_with("sshprobe_records_total")).count();
    assert!(done(&first) >= 1 && done(&last) == 2);
    assert_eq!(fs::read_dir(stats.path()).expect("listed").count(), 1, "nothing else is left in the folder");
}

#[test]
fn a_stats_file_that_cannot_be_written_is_refused_before_anything_is_touched() {
    let sweep = Sweep::into("out.jsonl", &["127.88.0.0/30:9"]);
    fs::write(&sweep.file, "what was there\n").expect("written");
    let output = sweep.run(&["--stats-file=/nonexistent/x.prom"]);
    let line =
        "sshprobe: error: cannot create /nonexistent/x.prom: the folder /nonexistent does not exist; create it first\n";
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), line));
    let same = format!("--stats-file={}", sweep.file.display());
    let line =
        format!("sshprobe: error: --stats-file: {} is the file of -o; name a file of its own\n", sweep.file.display());
    assert_eq!(text(&sweep.run(&[&same]).stderr), line);
    let state = format!("--stats-file={}", sweep.state().display());
    let output = sweep.run(&[&state]);
    let kept =
        format!(" is where the state of the run into {} is kept; name a file of its own\n", sweep.file.display());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).ends_with(&kept), "{}", text(&output.stderr));
    assert!(!sweep.state().exists());
    let output = sweep.run(&["--stats-file=/proc/x.prom"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).starts_with("sshprobe: error: cannot create /proc/x.prom: "),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(fs::read_to_string(&sweep.file).expect("read"), "what was there\n");
}
