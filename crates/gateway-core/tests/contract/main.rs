//! The contract of the machine, event by event, and what it says in numbers and in words.

mod counts;
mod dialect;
mod outlook;
mod rebase;
mod rules;
mod secrets;
mod spelling;
mod surface;
mod table;
mod time;
mod vectors;
mod words;
