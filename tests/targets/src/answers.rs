//! stub
use crate::Sights;
pub(crate) fn run(_: &[u8]) -> Sights { Sights::new() }
