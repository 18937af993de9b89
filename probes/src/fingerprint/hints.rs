//! placeholder
/// x
pub struct Hints;
/// x
pub struct ReleaseRange;
/// x
pub fn hints() {}
