//! What both drivers do on real sockets: each test is written once.

mod attempts;
mod dialects;
mod fleet;
mod flood;
mod life;
mod metrics;
mod next_address;
mod openings;
mod proxies;
mod requests;
mod resolver;
mod resume;
mod sending;
mod trust;
mod under_tls;
