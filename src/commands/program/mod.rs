//! Commands about the program itself.

pub(super) mod completions;
pub(super) mod man_pages;
pub(super) mod version;
