//! What the tests of the core share, the fuzz target included.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod checker;
pub(crate) mod draws;
pub(crate) mod plan;
pub(crate) mod rig;
pub(crate) mod run;
pub(crate) mod stories;
