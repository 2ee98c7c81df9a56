//! What the stories of the core share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod stories;
