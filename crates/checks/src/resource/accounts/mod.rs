//! Resources for users, groups and login environments.

pub(crate) mod etc_group;
pub(crate) mod login_path;
pub(crate) mod passwd;
pub(crate) mod profile;
pub(crate) mod shadow;
pub(crate) mod sudoers;
