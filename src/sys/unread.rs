//! Why a file cannot be read, in the same words wherever one is named.

use std::io;

use crate::error::said;

/// What the system said of a file that is to be read, for the rest of a line that names it.
#[must_use]
pub fn unread(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => String::from("there is no such file"),
        io::ErrorKind::PermissionDenied => String::from("permission denied"),
        io::ErrorKind::IsADirectory => String::from("it is a directory"),
        _ => said(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_has_words_of_its_own_and_nothing_a_number() {
        let said = |number| unread(&io::Error::from_raw_os_error(number));
        assert_eq!([2, 13, 21].map(said), ["there is no such file", "permission denied", "it is a directory"]);
        assert_eq!(said(5), "Input/output error");
        assert_eq!(unread(&io::Error::other("it is neither a file nor a pipe")), "it is neither a file nor a pipe");
    }
}
