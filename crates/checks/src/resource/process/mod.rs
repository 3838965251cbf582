//! Resources for commands, processes and scheduled jobs.

pub(crate) mod command;
pub(crate) mod cron;
pub(crate) mod processes;
