//! Resources for users, groups and login environments.

pub(crate) mod etc_group;
pub(crate) mod passwd;
pub(crate) mod profile;
pub(crate) mod search_path;
pub(crate) mod shadow;
