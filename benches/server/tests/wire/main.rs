//! The server's promises, over real sockets.
#![forbid(unsafe_code)]

mod common;
mod floods;
mod frames;
mod requests;
