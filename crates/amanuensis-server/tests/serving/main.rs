//! A server within the process of the test: its dialects, and what it does when its engine does not do what it should.

mod dialects;
mod engine;
mod faults;
mod server;
mod speakers;
mod wyoming;
