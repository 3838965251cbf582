//! The one integration binary.

mod architecture;
mod baselines;
mod checks_collector;
mod cli;
mod sample_reports;
mod schemas;
