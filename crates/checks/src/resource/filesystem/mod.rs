//! Resources for files, directories and mounts.

pub(crate) mod acl;
pub(crate) mod exclude;
pub(crate) mod file;
pub(crate) mod file_state;
pub(crate) mod files;
pub(crate) mod find_walk;
pub(crate) mod fstab;
pub(crate) mod fstab_rows;
pub(crate) mod glob;
pub(crate) mod mount;
pub(crate) mod walk;
