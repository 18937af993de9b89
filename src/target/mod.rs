//! What is to be probed: target expressions, the sets they make, and the sources they come from.

pub mod address;
pub mod expr;
pub(crate) mod lines;
mod name;
pub mod ports;
pub mod problem;
pub mod region;
pub mod seen;
mod set;
pub mod share;
pub mod source;

pub use address::Families;
pub use expr::{Allowed, Expression, Hosts};
pub use ports::PortSet;
pub use problem::{ExprError, InputProblem, InputProblems};
pub use seen::{Exclusions, Spelling};
pub use set::{Order, Stretch};
pub use share::Share;
pub use source::{Listed, Sources, Targets};
