//! Ctrl-C in the middle of a sweep.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::{parse, sshprobe};
use crate::support::scenario::address;
use crate::support::topology::Family;

#[test]
fn interrupt_leaves_what_was_learned() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of("* openssh ok ok - auth ident kexinit key methods", Family::V4);
    // Behind this half of the network there is silence; the sweep cannot end before its deadlines, which are far away.
    let silence =
        "table ip lab {\n chain forward {\n type filter hook forward priority 0\n ip daddr 10.0.0.128/25 drop\n }\n}\n";
    fleet.topology.router.nft(silence);
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    command.args([Family::V4.target(), "--connect-timeout", "300s", "--timeout", "400s", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a start");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    // A hundred records, and the sweep is in its midst.
    let mut text = String::new();
    for _ in 0..100 {
        assert!(stdout.read_line(&mut text).expect("a record") > 0, "it ended early:\n{text}");
    }
    // timeout(1), which runs it, hands the signal on.
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), Signal::SIGINT).expect("our own child");
    stdout.read_to_string(&mut text).expect("the rest");
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
    let status = child.wait().expect("its end");
    assert_eq!(status.code(), Some(130), "{stderr}");
    // What came out is whole lines, of the half that answers, each address once.
    let records = parse(text.as_bytes(), &stderr);
    let answered: Vec<_> = records.iter().filter(|record| record["code"] == "ok").map(address).collect();
    let distinct: BTreeSet<_> = records.iter().map(address).collect();
    assert_eq!(distinct.len(), records.len(), "an address has two records");
    assert!(answered.len() >= 100 && answered.len() <= 128, "{} records: {stderr}", answered.len());
}
