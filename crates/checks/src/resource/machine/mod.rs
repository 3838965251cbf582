//! Resources for the operating system and the machine.

pub(crate) mod cpu;
pub(crate) mod os;
pub(crate) mod virtualization;
