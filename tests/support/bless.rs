//! Texts kept as files beside the code: compared, and written anew when `SSHPROBE_BLESS=1` says that the change is meant.

use std::path::Path;

/// Fails if the file `path` of this tree is not `text`.
#[track_caller]
pub(crate) fn compare(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("SSHPROBE_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, text).expect("written");
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept != text {
        let same = kept.lines().zip(text.lines()).take_while(|(one, other)| one == other).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
        panic!(
            "{path} is not up to date; SSHPROBE_BLESS=1 cargo test writes it anew. Line {}:\n  kept: {}\n  now:  {}",
            same + 1,
            line(&kept),
            line(text)
        );
    }
}
