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
pub mod evidence;
pub mod lifecycle;
pub mod model;
pub mod plan;
pub mod provision;
pub mod render;
pub mod report;

// Crates of this workspace, under the names that the modules use.
pub use bakeline_checks as checks;
pub use bakeline_diagnostic as diagnostic;
pub use bakeline_platform as platform;

// Traits for the outside world.
pub mod ports;

// Effects through the ports.
pub mod engine;
pub mod notify;
pub mod steps;

// Implementations of the ports.
pub mod adapters;

#[cfg(test)]
mod matrix;

pub use commands::main;
