//! Both drivers on real sockets and in memory. What only one of them does has a folder of its own.

mod both;
mod only_std;
mod only_tokio;
