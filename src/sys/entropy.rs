//! The operating system's randomness.

use aws_lc_rs::rand;
use sshprobe_probes::random::Seed;

/// The kernel gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoRandomness;

/// A seed for one connection.
///
/// # Errors
/// When the operating system has none to give.
pub fn seed() -> Result<Seed, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(Seed(bytes))
}

/// A number for delays and names, where nothing depends on its being secret.
///
/// # Errors
/// When the operating system has none to give.
pub fn number() -> Result<u64, NoRandomness> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// A salt for the name of one known_hosts line.
///
/// # Errors
/// When the operating system has none to give.
pub fn salt() -> Result<[u8; 20], NoRandomness> {
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike() {
        assert_ne!(seed().unwrap().0, seed().unwrap().0);
        assert_ne!(number(), number());
        assert_ne!(salt(), salt());
    }
}
