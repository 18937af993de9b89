//! A disk that fills up in the middle of a sweep: a small tmpfs that nobody else sees, in a mount namespace of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::guard::shared_lab;

/// The first run meets the end of the disk; then there is room, and it goes on. What was in the file in between is kept
/// aside. `$1` is where the disk is to be, `$2` where things are kept, and then comes the command.
const STORY: &str = r#"
disk=$1 kept=$2
shift 2
mount -t tmpfs -o size=256k none "$disk"
"$@" >"$kept/first.out" 2>"$kept/first.err"
echo $? >"$kept/first.code"
cp "$disk"/out* "$kept"
mount -o remount,size=64m "$disk"
"$@" --resume >"$kept/second.out" 2>"$kept/second.err"
echo $? >"$kept/second.code"
mkdir "$kept/end"
cp "$disk"/out* "$kept/end"
"#;

#[test]
fn a_full_disk_loses_nothing_and_the_run_goes_on() {
    let Some(_lab) = shared_lab() else { return };
    let runtime = Runtime::new().expect("a runtime");
    let script = Arc::new(Script::healthy(&[7; 32]));
    let port = runtime.block_on(async {
        let mut port = 0;
        for last in 0..=255 {
            let addr = SocketAddr::from((Ipv4Addr::new(127, 90, 0, last), port));
            let listener = TcpListener::bind(addr).await.expect("a port");
            port = listener.local_addr().expect("an address").port();
            tokio::spawn(serve(listener, Arc::clone(&script)));
        }
        port
    });
    for (records, name) in [("all", "out.jsonl"), ("answered", "out.jsonl"), ("all", "out.jsonl.zst")] {
        let home = TempDir::new().expect("a folder");
        let (disk, kept) = (home.path().join("disk"), home.path().join("kept"));
        fs::create_dir(&disk).expect("a folder");
        fs::create_dir(&kept).expect("a folder");
        // Of 1,024 addresses every fourth answers, with some four kilobytes each; packed, small frames fill the disk too.
        let range = format!("127.90.0.0/{}:{port}", if name.ends_with("zst") { 19 } else { 22 });
        let mut story = Command::new("unshare");
        story.args(["--mount", "--propagation", "private", "sh", "-c", STORY, "story"]).arg(&disk).arg(&kept);
        story.arg(env!("CARGO_BIN_EXE_sshprobe")).args([&range, "--known-hosts=none", "--rate=0"]);
        story.arg(format!("--records={records}")).arg("-o").arg(disk.join(name));
        assert!(story.status().expect("unshare(1)").success());

        let read = |name: &str| fs::read(kept.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = |name: &str| String::from_utf8(read(name)).expect("UTF-8");
        let (stderr, second) = (text("first.err"), text("second.err"));
        assert_eq!(text("first.code"), "2\n", "{stderr}");
        let error = format!(
            "sshprobe: error: cannot write to {}: No space left on device (os error 28); the run was stopped, and what was \
             written before is valid",
            disk.join(name).display()
        );
        assert_eq!(stderr.lines().next(), Some(error.as_str()), "{stderr}");
        assert!(stderr.lines().last().is_some_and(|line| line.ends_with("--resume goes on")), "{stderr}");
        assert!(kept.join(format!("{name}.state")).exists());

        assert_eq!(text("second.code"), "0\n", "{second}");
        let (before, after) = (lines(&read(name), name), lines(&read(&format!("end/{name}")), name));
        assert!(!before.is_empty() && after.starts_with(&before), "what was written is there still, as it was");
        let whole: usize = if name.ends_with("zst") { 8_192 } else { 1_024 };
        let mut indices: Vec<u64> = after
            .lines()
            .map(|line| {
                let record: Value = serde_json::from_str(line).expect("a record");
                record["target"]["index"].as_u64().expect("a number")
            })
            .collect();
        assert_eq!(indices.len(), if records == "all" { whole } else { 256 }, "{second}");
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), if records == "all" { whole } else { 256 }, "a target has two records");
        assert!(second.contains("\n  ok                        256\n"), "{second}");
        assert!(!kept.join(format!("end/{name}.state")).exists());
    }
}

/// The whole lines of a file.
fn lines(bytes: &[u8], name: &str) -> String {
    let mut plain = Vec::new();
    if name.ends_with("zst") {
        let _ = std::io::Read::read_to_end(&mut zstd::Decoder::new(bytes).expect("a decoder"), &mut plain);
    } else {
        plain = bytes.to_vec();
    }
    plain.truncate(plain.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    String::from_utf8(plain).expect("UTF-8")
}
