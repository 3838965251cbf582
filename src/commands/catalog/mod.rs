//! Commands for the files of the catalog.

pub(super) mod init;
pub(super) mod new;
mod new_files;
pub(super) mod permissions;
pub(super) mod schema;
pub(super) mod show;
mod show_files;
pub(super) mod validate;
