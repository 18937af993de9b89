use super::*;
use crate::target::Families;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn sources(targets: &[&str]) -> Sources {
    Sources { targets: targets.iter().map(ToString::to_string).collect(), order: Order::Given, ..Sources::default() }
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn with_files(mut sources: Sources, files: &[&tempfile::NamedTempFile]) -> Sources {
    sources.files.extend(files.iter().map(|file| file.path().to_owned()));
    sources
}

fn refused(sources: Sources) -> String {
    sources.open_with(Box::new(std::io::empty())).expect_err("must be refused").to_string()
}

/// What comes out: `host:port` or the problem.
fn run(sources: Sources, stdin: &'static [u8]) -> Vec<String> {
    let mut targets = sources.open_with(Box::new(stdin)).unwrap_or_else(|problems| panic!("{problems}"));
    let mut out = Vec::new();
    let mut next_index = 0;
    for item in &mut targets {
        out.push(match item {
            Ok(target) => {
                assert_eq!(target.index, next_index);
                next_index += 1;
                format!("{}:{}", target.host, target.port)
            }
            Err(problem) => problem.to_string(),
        });
    }
    assert_eq!(targets.total(), Some(next_index));
    assert!(!targets.may_block());
    out
}

fn from_stdin(mut sources: Sources) -> Sources {
    sources.files.push("-".into());
    sources
}

#[test]
fn arguments_then_files_in_order() {
    let (one, two) = (file(b"# fleet\na\r\n10.0.0.1:2222  # jump\n"), file(b"b\na\n"));
    let mut sources = with_files(sources(&["z", "10.0.0.0/31"]), &[&one, &two]);
    sources.ports = "22,23".parse().unwrap();
    assert_eq!(
        run(sources, b""),
        [
            "z:22",
            "z:23",
            "10.0.0.0:22",
            "10.0.0.0:23",
            "10.0.0.1:22",
            "10.0.0.1:23",
            "a:22",
            "a:23",
            "10.0.0.1:2222",
            "b:22",
            "b:23"
        ]
    );
}

#[test]
fn bad_arguments_are_numbered() {
    assert_eq!(
        refused(sources(&["a", "10.0.0.0/33", "host:0", ""])),
        "argument 2: `10.0.0.0/33`: the prefix length 33 is too long for IPv4: write /0 to /32\n\
         argument 3: `host:0`: port 0 cannot be connected to: write 1 to 65535\n\
         argument 4: the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22"
    );
    let mut only_v4 = sources(&["::1"]);
    only_v4.allowed.families = Families::V4Only;
    assert_eq!(
        refused(only_v4),
        "argument 1: `::1`: is an IPv6 target, but -4 allows only IPv4: leave the target or -4 away"
    );
}

#[test]
fn nothing_to_do_is_an_error() {
    assert_eq!(refused(sources(&[])), "targets: none given: write TARGET…, -f FILE or -f - (sshprobe --help)");
    for content in [&b""[..], b"\n\n", b"# a\n  # b"] {
        let empty = file(content);
        assert_eq!(
            refused(with_files(sources(&["a"]), &[&empty])),
            format!("{}: no target in it: write one on each line", empty.path().display())
        );
    }
    let mut excluded = sources(&["10.0.0.0/24", "web"]);
    excluded.exclude = vec!["10.0.0.0/8,web".into()];
    assert_eq!(refused(excluded), "targets: every one of them is excluded: look at --exclude and --exclude-file");
}

/// A thing that can be read once is not read twice, and nobody means it to be.
#[test]
fn standard_input_is_given_once() {
    let twice = from_stdin(from_stdin(sources(&["a"])));
    assert_eq!(refused(twice), "-f -: given twice, and there is one standard input: leave one of them away");
}

#[test]
fn bad_files_are_named_with_their_line() {
    let missing = Sources { files: vec!["no/such/list".into()], ..Sources::default() };
    assert_eq!(refused(missing), "no/such/list: cannot be opened: there is no such file");
    let directory = tempfile::tempdir().unwrap();
    let message = refused(Sources { files: vec![directory.path().into()], ..Sources::default() });
    assert_eq!(message, format!("{}: cannot be read: it is a directory", directory.path().display()));

    let binary = file(b"10.0.0.1\n\x7fELF\x02\0\0\nbad:0\n");
    assert_eq!(
        refused(with_files(sources(&[]), &[&binary])),
        format!("{}:2: a NUL byte: this is a binary file and no list of targets", binary.path().display())
    );
    let bad = file(b"a\n\n# c\nhost:99999\n\xff\n10.0.0.9-3\na b\n");
    let path = bad.path().display();
    assert_eq!(
        refused(with_files(sources(&[]), &[&bad])),
        format!(
            "{path}:4: `host:99999`: there is no port 99999: write 1 to 65535\n\
             {path}:5: the line is not UTF-8: write names in ASCII (punycode)\n\
             {path}:6: `10.0.0.9-3`: the range ends before it starts: write 10.0.0.3-9\n\
             {path}:7: `a b`: has a blank in it: write one target at a time"
        )
    );
    let long = file("x".repeat(9999).as_bytes());
    assert_eq!(
        refused(with_files(sources(&[]), &[&long])),
        format!("{}:1: the line is longer than 4096 bytes: write one target a line", long.path().display())
    );
    assert_eq!(shown(Path::new("a\u{1b}[2J")), r"`a\u{1b}[2J`");
}

#[test]
fn exclusions_come_from_lists_and_files() {
    let list = file(b"# never\n10.0.0.0/30:22\n");
    let mut some = sources(&["10.0.0.0/29:22-23", "web", "db"]);
    some.exclude = vec!["10.0.0.4-6:22,23,web".into(), "10.0.0.7:23".into()];
    some.exclude_files = vec![list.path().into()];
    assert_eq!(run(some, b""), ["10.0.0.0:23", "10.0.0.1:23", "10.0.0.2:23", "10.0.0.3:23", "10.0.0.7:22", "db:22"]);
    let mut bad = sources(&["a"]);
    bad.exclude = vec!["10.0.0.0/33".into(), "a,,b".into()];
    bad.exclude_files = vec!["-".into()];
    assert_eq!(
        refused(bad),
        "--exclude: `10.0.0.0/33`: the prefix length 33 is too long for IPv4: write /0 to /32\n\
         --exclude: the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22\n\
         --exclude-file: stdin can only be a list of targets (-f -): name a file"
    );
}

#[test]
fn lists_split_at_commas_that_are_none_of_ports() {
    for (list, parts) in [
        ("a", &["a"] as &[_]),
        ("a,b", &["a", "b"]),
        ("a:22,2222,b", &["a:22,2222", "b"]),
        ("10.0.0.0/24:22,80-90,10.1.0.0/16", &["10.0.0.0/24:22,80-90", "10.1.0.0/16"]),
        ("a, b", &["a", "b"]),
        ("a,22", &["a", "22"]),
        ("", &[""]),
        ("a,", &["a", ""]),
    ] {
        assert_eq!(split_list(list), parts, "{list}");
    }
}

#[test]
fn too_many_targets_are_refused_with_their_number() {
    let mut big = sources(&["10.0.0.0/8:22,2222"]);
    assert_eq!(
        refused(big.clone()),
        "targets: 33554432 of them are more than --max-targets 16777216: raise it, or sweep less at once"
    );
    big.max_targets = 1 << 25;
    assert_eq!(big.open_with(Box::new(std::io::empty())).unwrap().total(), Some(1 << 25));
    assert_eq!(
        refused(sources(&["[::]/0"])),
        "targets: at least 340282366920938463463374607431768211455 of them are more than --max-targets 16777216: \
         raise it, or sweep less at once"
    );
    let slash_8 = sources(&["10.0.0.0/8"]).open_with(Box::new(std::io::empty())).unwrap();
    assert_eq!(slash_8.total(), Some(Sources::MAX_TARGETS));
}

#[test]
fn bad_lines_on_stdin_do_not_stop_the_rest() {
    assert_eq!(
        run(from_stdin(sources(&[])), b"a\nhost:0\n\xfe\nb:23\n\xff\na\n10.0.0.254/31 # r\n::1:22\n"),
        [
            "a:22",
            "stdin line 2: `host:0`: port 0 cannot be connected to: write 1 to 65535",
            "stdin line 3: the line is not UTF-8: write names in ASCII (punycode)",
            "b:23",
            "stdin line 5: the line is not UTF-8: write names in ASCII (punycode)",
            "10.0.0.254:22",
            "10.0.0.255:22",
            "stdin line 8: `::1:22`: this could be port 22 of ::1 or an address: write [::1]:22 or [::1:22]",
        ]
    );
}

/// As of a file, the rest is no better: it would be a line of errors for each of its line ends.
#[test]
fn a_nul_on_stdin_ends_it() {
    let end = "a NUL byte: this is a binary file and no list of targets; nothing behind it is read";
    assert_eq!(
        run(from_stdin(sources(&[])), b"a\nhost\0b\nc\n\0\n"),
        [String::from("a:22"), format!("stdin line 2: {end}")]
    );
    assert_eq!(
        run(from_stdin(sources(&["a"])), b"\x7fELF\0\nb\n"),
        [String::from("a:22"), format!("stdin line 1: {end}")]
    );
}

/// What came from an argument, an earlier line or a range does not come again.
#[test]
fn stdin_is_merged_with_everything_before() {
    let mut given = from_stdin(sources(&["a", "10.0.0.0/30"]));
    given.exclude = vec!["10.0.0.5".into()];
    assert_eq!(
        run(given, b"10.0.0.2\nA\n10.0.0.4\n10.0.0.0/29\n10.0.0.7\na:23"),
        [
            "a:22",
            "10.0.0.0:22",
            "10.0.0.1:22",
            "10.0.0.2:22",
            "10.0.0.3:22",
            "10.0.0.4:22",
            "10.0.0.6:22",
            "10.0.0.7:22",
            "a:23"
        ]
    );
}

#[test]
fn an_empty_stdin_is_an_error_and_so_is_an_excluded_one() {
    let none = "stdin: no target came: write one on each line";
    assert_eq!(run(from_stdin(sources(&[])), b"# only this\n"), [none]);
    assert_eq!(run(from_stdin(sources(&["a"])), b""), ["a:22", none]);
    let mut excluded = from_stdin(sources(&["a"]));
    excluded.exclude = vec!["a,b".into()];
    assert_eq!(run(excluded, b"b\n"), ["targets: every one of them is excluded: look at --exclude and --exclude-file"]);
    assert_eq!(run(from_stdin(sources(&["a"])), b"a\n"), ["a:22"]);
}

#[test]
fn stdin_obeys_the_limit() {
    let mut limited = from_stdin(sources(&["a"]));
    limited.max_targets = 4;
    assert_eq!(
        run(limited, b"10.0.0.0/24\n10.0.0.0/31\nb\nc\nd\n"),
        [
            "a:22",
            "stdin line 1: `10.0.0.0/24`: 256 targets are more than --max-targets 4 leaves (3): the line is left out",
            "10.0.0.0:22",
            "10.0.0.1:22",
            "b:22",
            "stdin line 4: --max-targets 4 are reached: this line and all behind it are left out",
        ]
    );
}

/// Lines are swept as they come: the second read may only happen once the first line's targets are out.
#[test]
fn stdin_is_streamed() {
    struct InTwo(Arc<AtomicBool>, u32);
    impl Read for InTwo {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 += 1;
            match self.1 {
                1 => (&b"a\n"[..]).read(buffer),
                2 => {
                    assert!(self.0.load(Ordering::SeqCst), "read ahead before the first target was given");
                    (&b"b"[..]).read(buffer)
                }
                3 => Err(std::io::ErrorKind::Interrupted.into()),
                4 => Ok(0),
                _ => unreachable!("read behind the end"),
            }
        }
    }
    let given = Arc::new(AtomicBool::new(false));
    let mut targets = from_stdin(sources(&[])).open_with(Box::new(InTwo(given.clone(), 0))).unwrap();
    assert_eq!((targets.total(), targets.may_block()), (None, true));
    assert_eq!(targets.next().unwrap().unwrap().host.to_string(), "a");
    given.store(true, Ordering::SeqCst);
    assert_eq!(targets.next().unwrap().unwrap().host.to_string(), "b");
    assert_eq!(targets.next(), None);
    assert_eq!((targets.total(), targets.next()), (Some(2), None));
}

#[test]
fn a_stdin_that_breaks_is_reported_once() {
    struct Broken(u32);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 == 1 { (&b"a\n"[..]).read(buffer) } else { Err(std::io::Error::other("gone")) }
        }
    }
    let targets = from_stdin(sources(&[])).open_with(Box::new(Broken(0))).unwrap();
    let out: Vec<String> =
        targets.map(|item| item.map_or_else(|problem| problem.to_string(), |target| target.host.to_string())).collect();
    assert_eq!(out, ["a", "stdin line 1: cannot be read on from here: gone"]);
}

#[test]
fn a_digest_is_that_of_what_is_to_be_done() {
    let digest = |sources: Sources| sources.open_with(Box::new(std::io::empty())).unwrap().digest();
    let given = || sources(&["a", "10.0.0.0/28", "b:23"]);
    let one = digest(given());
    let list = file(b"10.0.0.0/28 # the same\nb:23\n");
    assert_eq!(digest(with_files(sources(&["a"]), &[&list])), one);
    assert_eq!(digest(Sources { order: Order::Random { seed: 5 }, max_targets: 99, ..given() }), one);
    for other in [
        sources(&["a", "b:23", "10.0.0.0/28"]),
        sources(&["a", "10.0.0.0-15", "b:23"]),
        Sources { ports: "23".parse().unwrap(), ..given() },
        Sources { exclude: vec!["10.0.0.3".into()], ..given() },
        Sources { share: Share::new(1, 2).unwrap(), ..given() },
        sources(&["a", "10.0.0.0/28", "b:23", "c"]),
    ] {
        assert_ne!(digest(other), one);
    }
}

/// The engine walks targets on a thread of its own.
#[test]
fn targets_can_be_sent_to_a_thread() {
    fn sendable<T: Send + 'static>() {}
    sendable::<Targets>();
}
