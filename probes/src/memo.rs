//! Remembers what was made of bytes that a whole fleet repeats.
//!
//! A fleet has few kinds of servers, so most KEXINITs differ in their cookie alone. What is made of one costs as much as a
//! tenth of a key exchange; comparing it with one seen before costs next to nothing. The answers are the same: only functions
//! of the bytes alone are remembered.

use std::cell::RefCell;

/// How many are remembered, the last used first. Bounded, as a server may send what it likes.
const KEPT: usize = 8;

/// Longer ones are made anew each time: no fleet has them.
const LONGEST: usize = 8 * 1024;

/// What was made of which bytes, for one thread.
#[derive(Debug)]
pub(crate) struct Memo<T> {
    made: RefCell<Vec<(Box<[u8]>, T)>>,
    /// Room for what several pieces come to as one key.
    joined: RefCell<Vec<u8>>,
}

impl<T: Clone> Memo<T> {
    /// Nothing remembered yet.
    pub(crate) const fn new() -> Self {
        Self { made: RefCell::new(Vec::new()), joined: RefCell::new(Vec::new()) }
    }

    /// What `make` makes of these pieces, or has made before.
    pub(crate) fn get_of<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>, make: impl FnOnce() -> T) -> T {
        let Ok(mut joined) = self.joined.try_borrow_mut() else { return make() };
        joined.clear();
        for piece in pieces {
            if joined.len().saturating_add(piece.len()) > LONGEST {
                return make();
            }
            // Where each ends is a part of what they are.
            joined.extend_from_slice(&piece.len().to_be_bytes());
            joined.extend_from_slice(piece);
        }
        self.get(&joined, make)
    }

    /// What `make` makes of `bytes`, or has made before.
    pub(crate) fn get(&self, bytes: &[u8], make: impl FnOnce() -> T) -> T {
        // Somebody who asks while something is being made gets it made once more.
        let Ok(mut made) = self.made.try_borrow_mut() else { return make() };
        if let Some(at) = made.iter().position(|(known, _)| **known == *bytes) {
            if let Some(front) = made.get_mut(..=at) {
                front.rotate_right(1);
            }
            if let Some((_, value)) = made.first() {
                return value.clone();
            }
        }
        drop(made);
        let value = make();
        if bytes.len() <= LONGEST
            && let Ok(mut made) = self.made.try_borrow_mut()
        {
            made.truncate(KEPT - 1);
            made.insert(0, (bytes.into(), value.clone()));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_not_made_again_until_it_is_forgotten() {
        let memo = Memo::new();
        let made = RefCell::new(Vec::new());
        let get = |bytes: &[u8]| {
            memo.get(bytes, || {
                made.borrow_mut().push(bytes.to_vec());
                bytes.len()
            })
        };
        for _ in 0..3 {
            assert_eq!((get(b"a"), get(b"bb"), get(b"")), (1, 2, 0));
        }
        assert_eq!(made.borrow().len(), 3);
        for other in 0..KEPT {
            assert_eq!(get(&vec![9; other + 3]), other + 3);
        }
        assert_eq!(made.borrow().len(), 3 + KEPT);
        assert_eq!(get(b"bb"), 2);
        assert_eq!(made.borrow().len(), 4 + KEPT, "the one used longest ago was forgotten");
        assert_eq!(get(&[9; 3 + KEPT - 1]), 3 + KEPT - 1);
        assert_eq!(made.borrow().len(), 4 + KEPT, "and one used lately was not");
    }

    #[test]
    fn what_no_fleet_repeats_is_not_kept() {
        let memo = Memo::new();
        let long = vec![1; LONGEST + 1];
        assert_eq!((memo.get(&long, || 1), memo.get(&long, || 2)), (1, 2));
    }

    #[test]
    fn asking_within_making_does_no_harm() {
        let memo = Memo::new();
        let outer = memo.get(b"a", || 1 + memo.get(b"a", || 1));
        assert_eq!((outer, memo.get(b"a", || 9)), (2, 2));
    }

    #[test]
    fn where_the_pieces_end_is_a_part_of_what_they_are() {
        let memo = Memo::new();
        let get = |pieces: &[&str]| memo.get_of(pieces.iter().map(|piece| piece.as_bytes()), || pieces.join(","));
        for pieces in [&["ab", "c"][..], &["a", "bc"], &["abc"], &["abc", ""], &[]] {
            assert_eq!(get(pieces), pieces.join(","));
            assert_eq!(get(pieces), pieces.join(","), "once more");
        }
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(get(&[&long, "a"]), format!("{long},a"), "made anew");
    }
}
