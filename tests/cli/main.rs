//! Integration tests in one binary.

mod apt_locks;
mod architecture;
mod baselines;
mod checks_collector;
mod commands;
mod fuzz_corpus;
mod language;
mod package_versions;
mod project_files;
mod sample_reports;
mod sandbox;
mod schemas;
mod scripts;
mod targets;
