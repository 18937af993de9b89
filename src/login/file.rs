//! The files that credentials are in, and pipes in their place: `-i <(pass show key)` is one.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::sys::unread::unread;

/// Longer files are none of those that are read here.
const LONGEST: u64 = 1 << 20;

/// How long a pipe may take to give all that it has: whoever writes into it may have to ask a person first. ssh would wait for
/// ever.
const PIPE: Duration = Duration::from_secs(60);

/// Opens what is there to be read. Does not wait for a pipe's writer, as opening one usually does.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(|error| unread(&error))?;
    let about = file.metadata().map_err(|error| unread(&error))?;
    if about.is_dir() {
        return Err(String::from("it is a directory"));
    }
    Ok(file)
}

/// The whole of a file.
pub(super) fn text(file: File) -> Result<Zeroizing<String>, String> {
    text_within(file, PIPE)
}

fn text_within(file: File, patience: Duration) -> Result<Zeroizing<String>, String> {
    let pipe = file.metadata().map_err(|error| unread(&error))?.file_type().is_fifo();
    let mut bytes = Zeroizing::new(Vec::new());
    let read =
        if pipe { read_pipe(file, patience, &mut bytes)? } else { file.take(LONGEST + 1).read_to_end(&mut bytes) };
    read.map_err(|error| unread(&error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(String::from("it is too long"));
    }
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| String::from("it is not text"))
}

/// Reads a pipe to its end, which is when its writers have closed it. One that nobody has opened for writing yet is not at its end.
fn read_pipe(mut pipe: File, patience: Duration, bytes: &mut Vec<u8>) -> Result<io::Result<usize>, String> {
    let until = Instant::now() + patience;
    let mut room = Zeroizing::new([0; 4096]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) if bytes.is_empty() => {
                return Err(format!("it is a pipe, and nobody wrote into it within {} s", patience.as_secs()));
            }
            Ok(0) => {
                let waited = patience.as_secs();
                return Err(format!("it is a pipe, and whoever writes into it did not close it within {waited} s"));
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Ok(Err(error.into())),
        }
        match pipe.read(&mut *room) {
            Ok(0) => return Ok(Ok(bytes.len())),
            Ok(count) => bytes.extend_from_slice(room.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Ok(Err(error)),
        }
        if bytes.len() as u64 > LONGEST {
            return Ok(Ok(bytes.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn fifo() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        (dir, path)
    }

    #[test]
    fn a_pipe_without_a_writer_is_not_waited_for_for_ever() {
        let (_dir, path) = fifo();
        let said = text_within(open(&path).unwrap(), Duration::from_millis(50)).unwrap_err();
        assert_eq!(said, "it is a pipe, and nobody wrote into it within 0 s");
        // Nor is one that writes and never closes it.
        let file = open(&path).unwrap();
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.write_all(b"secret").unwrap();
        let said = text_within(file, Duration::from_millis(50)).unwrap_err();
        assert_eq!(said, "it is a pipe, and whoever writes into it did not close it within 0 s");
    }

    #[test]
    fn what_is_written_into_a_pipe_is_read_whole_however_late_and_in_however_many_pieces() {
        let (_dir, path) = fifo();
        let file = open(&path).unwrap();
        let writes = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let mut writer = File::options().write(true).open(&path).unwrap();
            for piece in ["one ", "two ", "three\n"] {
                writer.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert_eq!(text_within(file, PIPE).unwrap().as_str(), "one two three\n");
        writes.join().unwrap();
    }
}
