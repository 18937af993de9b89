//! A file that takes another's place in one piece: until it is whole, what was there before stays there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::cli::output::create;
use crate::error::{Error, said};
use crate::journal::folder_of;

/// A file under way. Dropped before its time it leaves nothing behind.
pub(super) struct Replacement {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl Replacement {
    /// Begins a file that is to stand at `path`; gives what to write it with, and what is to be done in the end. A pipe or a
    /// device cannot be replaced: it is written to as it comes, and then there is nothing more to do.
    ///
    /// # Errors
    /// It cannot be created.
    pub(super) fn begin(path: &Path) -> Result<(File, Option<Self>), Error> {
        let old = fs::metadata(path).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok((create(path)?, None));
        }
        let failed = |error: io::Error| Error::Create { path: path.to_owned(), reason: said(&error) };
        // What a link leads to is replaced, not the link.
        let real = if old.is_some() { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
        let mut builder = Builder::new();
        // A new file is as open as the umask lets it be.
        let temporary =
            builder.prefix(".sshprobe-").permissions(PermissionsExt::from_mode(0o666)).tempfile_in(folder_of(&real));
        let temporary = temporary.map_err(failed)?;
        if let Some(old) = old {
            // Only root can give a file away; everybody else's has the same owner as long as the folder is their own.
            let _ = fchown(temporary.as_file(), Some(old.uid()), Some(old.gid()));
            temporary.as_file().set_permissions(old.permissions()).map_err(failed)?;
        }
        let file = temporary.as_file().try_clone().map_err(failed)?;
        Ok((file, Some(Self { temporary, path: real })))
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// That cannot be done: what was there before still is.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Self { temporary, path } = self;
        let failed = |error: io::Error| Error::Create { path: path.clone(), reason: said(&error) };
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn listed(folder: &Path) -> usize {
        fs::read_dir(folder).expect("listed").count()
    }

    #[test]
    fn what_was_there_stays_until_the_new_is_whole() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("known_hosts");
        fs::write(&path, "old\n").expect("written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");

        let (mut file, dropped) = Replacement::begin(&link).expect("begun");
        file.write_all(b"half").expect("written");
        drop(dropped);
        assert_eq!(fs::read_to_string(&path).expect("there"), "old\n");
        assert_eq!(listed(home.path()), 2);

        let (mut file, whole) = Replacement::begin(&link).expect("begun");
        file.write_all(b"new\n").expect("written");
        whole.expect("a file").finish().expect("in its place");
        assert_eq!(fs::read_to_string(&path).expect("there"), "new\n");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(listed(home.path()), 2);
    }

    #[test]
    fn a_new_file_is_there_only_once_it_is_whole() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("new");
        let (mut file, whole) = Replacement::begin(&path).expect("begun");
        file.write_all(b"new\n").expect("written");
        assert!(!path.exists());
        whole.expect("a file").finish().expect("in its place");
        assert_eq!(fs::read_to_string(&path).expect("there"), "new\n");
        let (mut file, device) = Replacement::begin(Path::new("/dev/null")).expect("begun");
        file.write_all(b"x").expect("written");
        assert!(device.is_none());
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
    }
}
