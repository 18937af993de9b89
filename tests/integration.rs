//! The program as its users meet it.

mod lab;
mod support;
