//! Everything about probing SSH servers that can be decided without touching the world.

pub mod algorithm;
pub mod case;
pub mod diagnose;
mod errno;
pub mod escape;
pub mod evidence;
pub mod findings;
pub mod fingerprint;
pub mod fuzzing;
pub mod govern;
pub mod hassh;
pub mod hostkey;
pub mod kex;
pub mod negotiate;
pub mod plan;
pub mod probe;
pub mod random;
pub mod record;
pub mod responder;
mod rules;
pub mod stage;
pub mod sweep;
pub mod target;
pub mod time;
pub mod wire;
