//! Resources for data that an image must not contain.

pub(crate) mod cloud_init;
pub(crate) mod histories;
pub(crate) mod leftovers;
pub(crate) mod logs;
pub(crate) mod machine_id;
pub(crate) mod private_keys;
