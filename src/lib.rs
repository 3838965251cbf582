//! bakeline: a release pipeline for operating-system base images.
//!
//! Read ARCHITECTURE.md first. The modules are listed from the command line down to the pure core and the adapters.

mod commands;

pub mod cli;
pub mod error;
pub mod ui;

// Pure: no tokio, clock, environment, network, file system.
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

// Contracts.
pub mod ports;

// Effects through ports.
pub mod engine;
pub mod notify;
pub mod steps;

// The outside.
pub mod adapters;

pub use commands::main;
