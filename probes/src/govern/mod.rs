//! Pacing, retry policy: pure, tested under virtual time.
