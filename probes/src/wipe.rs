//! Secrets that do not outlive their use.

/// Overwrites a secret. Best effort within safe Rust: the optimiser may not see a reader, so this says that there is one.
pub(crate) fn wipe(secret: &mut [u8]) {
    secret.fill(0);
    std::hint::black_box(secret);
}
