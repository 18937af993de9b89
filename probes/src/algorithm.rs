//! What we offer.

/// placeholder, being written
#[derive(Debug, Clone)]
pub struct Offer {}

impl Offer {
    /// placeholder
    #[must_use]
    pub fn modern() -> Self {
        Self {}
    }
}
