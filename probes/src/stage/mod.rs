//! The stages of a probe.
