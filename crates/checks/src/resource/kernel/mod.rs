//! Resources for kernel settings and security modules.

pub(crate) mod apparmor;
pub(crate) mod kernel_module;
pub(crate) mod kernel_parameter;
pub(crate) mod selinux;
