//! A release pipeline for operating system images (AMIs).
//!
//! Read ARCHITECTURE.md first. The list of modules starts with the command line and ends with the
//! adapters.

mod commands;

pub mod cli;
pub mod error;
pub mod ui;

// Pure modules: no tokio, clock, environment variables, network or file system.
pub mod catalog;
pub mod checks;
pub mod diagnostic;
pub mod evidence;
pub mod lifecycle;
pub mod model;
pub mod plan;
pub mod platform;
pub mod provision;
pub mod render;
pub mod report;

// Traits for the outside world.
pub mod ports;

// Effects through the ports.
pub mod engine;
pub mod notify;
pub mod steps;

// Implementations of the ports.
pub mod adapters;

pub use commands::main;
