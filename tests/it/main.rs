//! The one integration binary.

mod architecture;
mod checks_collector;
mod cli;
mod sample_reports;
mod schemas;
mod targets;
